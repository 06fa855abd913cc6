"""Licences: read where the source states them, and required where the user asks."""

import json

import pytest

from icecore import plugins
from icecore.backbones import Licence, extras, load
from icecore.backbones.licence import non_commercial, of_folder, permissive, stated
from icecore.errors import LicenceError
from tests.networks import PROVIDERS

CARDS = {
    "---\nlicense: apache-2.0\ntags: [x]\n---\n# Hi": "apache-2.0",
    "---\ntags: [x]\nlicense: 'MIT'\n---": "mit",
    '---\r\nlicense: "cc-by-nc-4.0"  # not for sale\r\n---\r\n': "cc-by-nc-4.0",
    "\ufeff---\nlicense: mit\n---\n": "mit",
    "---\nlicense:\n- mit\n- apache-2.0\n---\n": "mit and apache-2.0",
    "---\nlicense: other\nlicense_name: acme-community\n---\n": "acme-community",
    "---\nlicense: other\n---\n": "other",
    "---\nlicense_link: x\n---\nlicense: mit": "unknown",
    "# A model\nlicense: mit": "unknown",
}
TEXTS = {
    "Apache License\n                           Version 2.0, January 2004": "apache-2.0",
    "MIT License\n\nCopyright (c) 2020\n\nPermission is hereby granted, free of charge": "mit",
    "Redistribution and use in source and binary forms, with or ...\n3. Neither the name of": "bsd-3-clause",
    "Redistribution and use in source and binary forms, with or without modification": "bsd-2-clause",
    "Creative Commons Attribution-NonCommercial 4.0 International": "cc-by-nc-4.0",
    "Creative Commons Attribution 4.0 International": "cc-by-4.0",
    "Acme Research Licence. For research purposes only. Parts are under the MIT License.": "unknown",
    "All rights reserved.": "unknown",
}


@pytest.mark.parametrize("card", CARDS)
def test_model_cards(card, tmp_path):
    """`license:` of the front matter, plain, quoted, listed, or by name where it is another."""
    (tmp_path / "README.md").write_bytes(card.encode("utf-8"))
    assert of_folder(tmp_path).name == CARDS[card]


@pytest.mark.parametrize("text", TEXTS)
def test_licence_texts(text, tmp_path):
    """Only what a text plainly is; anything with strings attached stays unknown."""
    (tmp_path / "LICENSE").write_text(text, "utf-8")
    assert of_folder(tmp_path).name == TEXTS[text]


def test_the_card_wins_over_the_text(tmp_path):
    """A LICENSE file is often that of the code beside the weights."""
    (tmp_path / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n", "utf-8")
    (tmp_path / "LICENSE.txt").write_text("MIT License", "utf-8")
    found = of_folder(tmp_path)
    assert (found.name, found.source) == ("cc-by-nc-4.0", str(tmp_path / "README.md"))


def test_kinds():
    """What may be sold, what may not, and what is neither."""
    assert permissive("Apache-2.0")
    assert permissive("mit and apache-2.0")
    assert not permissive("mit and gpl-3.0")
    assert not permissive("unknown")
    assert not permissive("gpl-3.0")
    assert [non_commercial(n) for n in ("cc-by-nc-4.0", "cc-by-nc-sa-4.0", "fair-noncommercial-research", "mit")] == [
        *(True, True, True, False)
    ]


def test_requiring_a_licence(tmp_path, hf_folder):
    """`permissive`, or names: another or an unknown licence is refused, with what to do."""
    folder = hf_folder("vit-base")
    with pytest.raises(LicenceError, match=r"licence 'unknown'.*Required was: permissive\..*states none: find out"):
        load(f"hf:{folder}", require_licence="permissive", device="cpu")
    assert load("icecore:vision-s@random", require_licence="permissive", device="cpu").licence.name == "mit"
    assert load("icecore:vision-s@random", require_licence="apache-2.0, MIT", device="cpu").licence.source == "icecore"
    with pytest.raises(LicenceError, match=r"'mit'.*Required was: apache-2\.0\..*leave --require-licence out"):
        load("icecore:vision-s@random", require_licence="apache-2.0")


def test_a_folder_with_a_licence(hf_folder, tmp_path):
    """A Transformers folder's own LICENSE is read."""
    folder = tmp_path / "vit"
    folder.mkdir()
    for file in hf_folder("vit-base").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / "LICENSE").write_text("Apache License\nVersion 2.0", "utf-8")
    net = load(f"hf:{folder}", require_licence="permissive", device="cpu")
    assert (net.licence.name, net.licence.source) == ("apache-2.0", str(folder / "LICENSE"))


def test_a_timm_folder_states_its_licence(tmp_path):
    """In the `pretrained_cfg` of its config.json."""
    from icecore.backbones import save

    save(load("timm:test_vit@random", device="cpu"), tmp_path)
    config = json.loads((tmp_path / "config.json").read_text("utf-8"))
    config["pretrained_cfg"]["license"] = "CC-BY-NC-4.0"
    (tmp_path / "config.json").write_text(json.dumps(config), "utf-8")
    assert load(f"timm:{tmp_path}", device="cpu").licence.name == "cc-by-nc-4.0"


def test_a_tflite_file_states_its_licence(assets, tmp_path):
    """In the metadata that its author put in; a file without any is known by the LICENSE beside it."""
    schema = extras.require("ai_edge_litert.schema_py_generated", "tflite")
    original = assets / "weights" / "tflite" / "mobilenet_v1_0.25_128_quant.tflite"
    model = schema.ModelT.InitFromPackedBuf(original.read_bytes())
    model.metadata = [schema.MetadataT(name="TFLITE_METADATA", buffer=len(model.buffers))]
    model.buffers.append(schema.BufferT(data=list(metadata(licence="Apache License. Version 2.0 http://x.y/z"))))
    builder = extras.require("flatbuffers", "tflite").Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    (tmp_path / "net.tflite").write_bytes(bytes(builder.Output()))
    found = load(f"tflite:{tmp_path / 'net.tflite'}", device="cpu").licence
    assert (found.name, found.source) == ("apache-2.0", f"metadata of {tmp_path / 'net.tflite'}")
    (tmp_path / "other.tflite").write_bytes(original.read_bytes())
    (tmp_path / "LICENSE").write_text("MIT License", "utf-8")
    assert load(f"tflite:{tmp_path / 'other.tflite'}", device="cpu").licence.name == "mit"


def metadata(licence: str) -> bytes:
    """A table as `metadata_schema.fbs` describes it, with a name and a licence."""
    builder = extras.require("flatbuffers", "tflite").Builder()
    name, stated = builder.CreateString("net"), builder.CreateString(licence)
    builder.StartObject(8)
    builder.PrependUOffsetTRelativeSlot(0, name, 0)
    builder.PrependUOffsetTRelativeSlot(5, stated, 0)
    builder.Finish(builder.EndObject(), b"M001")
    return bytes(builder.Output())


def test_what_metadata_state():
    """A name, a licence's text, or an address that is known."""
    swag = "https://github.com/facebookresearch/SWAG/blob/main/LICENSE"
    for text, name in {"MIT": "mit", "Apache License, Version 2.0": "apache-2.0", swag: "cc-by-nc-4.0"}.items():
        assert stated(text, "x") == Licence(name, "x")
    assert stated(" ", "x") == Licence()


def test_torchvision_weights_that_are_not_for_sale():
    """The licence of the weights enum, by its name."""
    entries = {entry.id: entry.licence for entry in plugins.get("backbones", "torchvision").catalogue()}
    assert entries["torchvision:vit_b_16@IMAGENET1K_SWAG_E2E_V1"] == "cc-by-nc-4.0"
    assert entries["torchvision:vit_b_16@IMAGENET1K_V1"] == "unknown"


@pytest.mark.parametrize("provider", ["torch", "timm", "torchvision"])
def test_weights_of_a_file_are_under_the_licence_beside_it(provider, tmp_path):
    """Not under that of the weights that the architecture usually has."""
    name = PROVIDERS[provider](tmp_path)
    assert load(name, device="cpu").licence == Licence()
    (tmp_path / "README.md").write_text("---\nlicense: bsd-3-clause\n---\n", "utf-8")
    net = load(name, device="cpu")
    assert (net.licence.name, net.source) == ("bsd-3-clause", str(tmp_path / "net.safetensors"))
