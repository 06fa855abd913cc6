"""Backbone ids: how they are read, and what is said of those that nobody knows."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icecore import plugins
from icecore.backbones import Reference, load, parse
from icecore.backbones.reference import absolute
from icecore.errors import UnknownBackboneError, UsageError

PARSED = {
    "timm:resnet18": Reference("timm", "resnet18"),
    "timm:resnet18.a1_in1k": Reference("timm", "resnet18.a1_in1k"),
    "timm:resnet18@random": Reference("timm", "resnet18", {}, "random"),
    "timm:vit?img_size=96&x=[1,2]@random-3": Reference("timm", "vit", {"img_size": "96", "x": "[1,2]"}, "random-3"),
    "torchvision:resnet50@IMAGENET1K_V1": Reference("torchvision", "resnet50", {}, "IMAGENET1K_V1"),
    "hf:org/name@main": Reference("hf", "org/name", {}, "main"),
    "hf:org/name": Reference("hf", "org/name"),
    "org/name": Reference("hf", "org/name"),
    "resnet18": Reference("timm", "resnet18"),
    "resnet18.a1_in1k@random": Reference("timm", "resnet18.a1_in1k", {}, "random"),
    "torch:pkg.nets:build?weights=/a@b/c+d/w%20.pt": Reference(
        "torch", "pkg.nets:build", {"weights": "/a@b/c+d/w%20.pt"}
    ),
    r"torch:C:\code\nets.py:build?weights=D:\w@1.pt@random": Reference(
        "torch", r"C:\code\nets.py:build", {"weights": r"D:\w@1.pt"}, "random"
    ),
    r"hf:C:\models\user@host\vit": Reference("hf", r"C:\models\user@host\vit"),
    "hf:C:/models/vit@random": Reference("hf", "C:/models/vit", {}, "random"),
}


@pytest.mark.parametrize("text", PARSED)
def test_ids_are_parsed(text):
    """Provider, name, options and revision; signs inside paths of any system are part of the path."""
    assert parse(text) == PARSED[text]


@pytest.mark.parametrize("text", [text for text in PARSED if ":" in text])
def test_an_id_and_its_text_are_one(text):
    """What is parsed is written as it was read."""
    assert str(parse(text)) == text


_words = st.text("abc/._-+% ", min_size=1, max_size=8)


@given(
    _words, st.dictionaries(st.text("abc_", min_size=1), _words, max_size=3), st.none() | st.text("abc1.", min_size=1)
)
def test_any_reference_survives_being_written(name, options, revision):
    """Text and reference are one for names, options and revisions of many forms."""
    reference = Reference("torch", name, options, revision)
    assert parse(str(reference)) == reference


@pytest.mark.parametrize("name", ["plain", "a@b", "a:b", "a?b=c", "a b&c", "ü@1"])
def test_an_existing_path_is_taken_whole(name, tmp_path):
    """Whatever signs a folder's name holds, with a provider before it or without, and with a revision after it."""
    folder = tmp_path / name
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"architectures": ["ViTModel"]}), "utf-8")
    assert parse(f"hf:{folder}") == parse(str(folder)) == Reference("hf", str(folder))
    assert parse(f"hf:{folder}@random") == Reference("hf", str(folder), {}, "random")
    assert parse(f"hf:{folder}").path == folder


def test_a_timm_folder_is_known_by_its_configuration(tmp_path):
    """A folder with `pretrained_cfg` in its config.json is timm's, another is Transformers'."""
    (tmp_path / "config.json").write_text(json.dumps({"architecture": "resnet18", "pretrained_cfg": {}}), "utf-8")
    assert parse(str(tmp_path)).provider == "timm"


def test_a_folder_without_configuration(tmp_path):
    """The error says what a local backbone is."""
    with pytest.raises(UnknownBackboneError, match=r"holds no config\.json.*Transformers or timm folder"):
        parse(str(tmp_path))


def test_a_weights_file_alone_is_half_a_network(tmp_path):
    """The error shows the id that names both halves."""
    file = tmp_path / "w.pt"
    file.write_bytes(b"x")
    with pytest.raises(UnknownBackboneError, match=r"holds weights, not the network.*factory\?weights=.*w\.pt"):
        parse(str(file))


NEAR = {
    "timm:resnte18": "timm:resnet18",
    "resnte18": "timm:resnet18",
    "tim:resnet18": "timm:resnet18",
    "torchvision:resnte50@random": "torchvision:resnet50",
    "icecore:vision-m": "icecore:vision-s",
    "timm:vit_tiny_patch16_244.augreg_in21k": "timm:vit_tiny_patch16_224",
}


@pytest.mark.parametrize("text", NEAR)
def test_an_unknown_id_is_answered_with_the_nearest(text):
    """The providers are listed, and the nearest names are those of the provider that was named."""
    with pytest.raises(UnknownBackboneError, match="No provider knows the backbone") as caught:
        load(text)
    assert NEAR[text] in str(caught.value)
    assert f"providers are {', '.join(plugins.names('backbones'))}." in str(caught.value)


@pytest.mark.parametrize(
    "text", ["C:\\no\\such\\folder", "x" * 5000, "no:such", "~nobody-has-this-name/x/y", "@", "a\0b"]
)
def test_strange_ids_are_unknown_not_a_crash(text):
    """A Windows path, a name too long for a file, an unknown home: one sentence each."""
    with pytest.raises((UnknownBackboneError, UsageError)):
        parse(text)


def test_an_id_without_a_name():
    """There is an example of one with a name."""
    with pytest.raises(UsageError, match=r"has no name.*for instance timm:resnet18"):
        parse("timm:@random")


def test_absolute_ids_are_found_from_anywhere(tmp_path, monkeypatch):
    """Folders and files become absolute; a name that a folder in the way happens to share does not."""
    monkeypatch.chdir(tmp_path)
    for name in ("resnet18", "net"):
        (tmp_path / name).mkdir()
    (tmp_path / "net" / "config.json").write_text("{}", "utf-8")
    (tmp_path / "w.pt").write_bytes(b"x")
    assert absolute("torchvision:resnet18") == "torchvision:resnet18"
    assert absolute("hf:net") == f"hf:{tmp_path}/net"
    assert absolute("net") == f"hf:{tmp_path}/net"
    assert absolute("timm:resnet34?weights=w.pt") == f"timm:resnet34?weights={tmp_path}/w.pt"
    assert absolute("wrapped") == "wrapped"
