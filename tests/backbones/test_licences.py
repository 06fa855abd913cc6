"""Licences: read where the source states them, and required where the user asks."""

import json

import pytest

from icecore.backbones import load
from icecore.backbones.licence import non_commercial, of_folder, permissive
from icecore.errors import LicenceError

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
