"""Mistakes of newcomers: each is answered with what came, what was expected and what to do."""

import pytest

from tests.cli.shell import Shell
from tests.networks import of_hf
from tests.small import BACKBONE, write_colours
from tests.sounds import write_tones

TEXTS = "text,category\n" + "\n".join(f"one {'ab'[i % 2]} of {i},{'ab'[i % 2]}" for i in range(10)) + "\n"


@pytest.fixture
def shell(tmp_path):
    """A folder with photographs, a table of texts, sounds, and things that are none of these."""
    write_colours(tmp_path / "mina bilder", 3)
    (tmp_path / "questions.csv").write_text(TEXTS, "utf-8")
    write_tones(tmp_path / "sounds")
    (tmp_path / "empty").mkdir()
    (tmp_path / "note.txt").write_text("one two", "utf-8")
    (tmp_path / "loose").mkdir()
    (tmp_path / "loose" / "a.txt").write_text("one two", "utf-8")
    return Shell(tmp_path)


WRONG = {
    ("mina bilder", "icecore:text-s"): "mina bilder holds images, and icecore:text-s takes texts. Choose a network for",
    ("mina bilder", "icecore:audio-s"): "mina bilder holds images, and icecore:audio-s takes sounds. Choose",
    ("questions.csv", BACKBONE): f"questions.csv holds texts, and {BACKBONE} takes images. Choose a network for texts.",
    ("questions.csv", "icecore:audio-s"): "questions.csv holds texts, and icecore:audio-s takes sounds.",
    ("sounds", BACKBONE): f"sounds holds sounds, and {BACKBONE} takes images. Choose a network for sounds.",
    ("empty", BACKBONE): "The folder empty holds no images.",
    ("nowhere", BACKBONE): "There is no file or folder nowhere. Check the path.",
}


@pytest.mark.parametrize(("data", "net"), WRONG)
def test_data_for_another_network(data, net, shell):
    """Every verb that takes a network says what the data are and what the network takes."""
    for words in (("fit", data), ("extract", data, "--out", "x.npy")):
        done = shell(*words, "--backbone", net)
        assert (done.status, done.out) == (1, "")
        assert WRONG[data, net] in done.err


def test_data_for_another_model(shell):
    """A saved model says it too, in predict and evaluate."""
    assert shell("fit", "mina bilder", "--head", "ridge", "--folds", "2", "--out", "m.icecore").status == 0
    for verb in ("predict", "evaluate"):
        done = shell(verb, "m.icecore", "questions.csv", "--json")
        assert (done.status, done.out) == (1, "")
        assert "questions.csv holds texts, and icecore:vision-s takes images." in done.err


UNLABELLED = {
    ("questions.csv", "--target", "label"): "questions.csv has no column 'label'. Its columns are 'text', 'category'.",
    ("note.txt",): "note.txt is a single file, without a label. A folder with one folder for each class, or a table",
    ("loose",): "The folder loose holds texts but no class folders, so nothing is labelled.",
    ("empty",): "The folder empty holds no images.",
}


@pytest.mark.parametrize("words", UNLABELLED)
def test_data_without_labels(words, shell):
    """Without --backbone the error is about what the data are, not about the images that they are not."""
    done = shell("fit", *words)
    assert done.status == 1
    assert UNLABELLED[words] in done.err


NETWORKS = {
    "questions.csv": "The file questions.csv is no network, by its extension. Networks end in .vec, .onnx",
    "static:glove.txt": "looked for as a local path, in the hub's cache",
    "hf:no/such/path": "no hub id looks like this. A local path, or a hub id: ORG/NAME. Here is ",
}


@pytest.mark.parametrize("net", NETWORKS)
def test_networks_that_are_none(net, shell):
    """In a fresh process, where no other library has set the stage."""
    done = shell.process("fit", "mina bilder", "--backbone", net)
    assert done.status == 1
    assert NETWORKS[net] in done.err


def test_a_missing_input_is_told_by_its_row(shell, tmp_path):
    """A row without an input has no name to show."""
    (tmp_path / "gaps.csv").write_text(TEXTS + ",a\nfour words are here,\n", "utf-8")
    done = shell("fit", "gaps.csv", "--head", "ridge", "--folds", "2")
    assert (
        "Set aside 2 items that cannot be used:\n  row 10: no input\n  row 11: four words are here: no label\n"
        in done.err
    )
    found = shell("inspect", "gaps.csv", "--json").json
    assert [bad["reason"] for bad in found["bad"]] == ["no input", "no label"]


def test_options_that_a_network_does_not_have(shell, tmp_path):
    """An option is followed or refused, never ignored."""
    of_hf(tmp_path / "net")
    done = shell("inspect", "hf:net?input=text")
    assert done.status == 2
    assert "Got the option 'input' in " in done.err
    assert "which takes pixel_values alone" in done.err
