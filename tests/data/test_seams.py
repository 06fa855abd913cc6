"""The two doors for later: another modality, and another reader. And the check that says whether a reader is right."""

from dataclasses import replace

import numpy as np
import pytest

from icecore import keys, plugins
from icecore.data import (
    BadItem,
    Dataset,
    Item,
    ListValues,
    Modality,
    ReadOptions,
    load,
    modalities,
    modality_named,
    read,
    register_modality,
    row_key,
)
from icecore.data.assemble import assemble
from icecore.data.sequences import reader as sequences
from icecore.data.tables import reader as tables
from icecore.errors import BadItemError, DataError
from icecore.testing.readers import check_reader


def decode_words(source):
    text = source if isinstance(source, str) else bytes(source).decode("utf-8")
    if not text.strip():
        raise BadItemError("the text is empty")
    return text.split()


WORDS = Modality("words", "texts", frozenset({".words"}), decode_words, ("text", "sentence"), strings="text")


@pytest.fixture
def words():
    register_modality(WORDS)
    return WORDS


def test_image_is_registered():
    """The modality that is built in, by name."""
    assert modality_named("image") in modalities()
    assert ".jpg" in modality_named("image").extensions


def test_another_modality_reads_strings_as_what_they_are(words):
    """A modality whose strings are inputs themselves: lists, frames and files of texts, keyed as texts."""
    data = read(["one two", "", "three"], modality="words", y=["a", "b", "c"])
    assert [item.kind for item in data.inputs] == ["text", "text"]
    assert [(bad.row, bad.reason) for bad in data.bad] == [(1, "no input")]
    assert load(data.inputs[0], data.modality) == (keys.row_of_text("one two"), ["one", "two"])
    assert row_key(data.inputs[0], data.modality) == keys.row_of_text("one two")


def test_another_modality_has_its_own_columns_and_files(words, tmp_path):
    """Its usual column names are guessed, and its extensions found in class folders."""
    (tmp_path / "t.csv").write_text('label,sentence\nx,"one, two"\ny,three\n')
    data = check_reader(tables, tmp_path / "t.csv", options=ReadOptions(modality=words), rows=2)
    assert [item.value for item in data.inputs] == ["one, two", "three"]
    for name in ("x/1.words", "y/2.words", "y/3.jpg"):
        (tmp_path / "files" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "files" / name).write_text("one two")
    data = read(tmp_path / "files", modality="words")
    assert data.targets["label"].tolist() == ["x", "y"]
    assert load(data.inputs[0], "words") == (keys.row_of_bytes(b"one two"), ["one", "two"])
    assert data.notes == ("Ignored 1 file that is not texts: 1 .jpg.",)


def test_a_long_column_of_texts_makes_no_objects_until_asked(words, tmp_path):
    """Texts of a table stay in Arrow: an item is made when it is indexed."""
    (tmp_path / "t.csv").write_text("text\n" + "a short line\n" * 100_000)
    data = read(tmp_path / "t.csv", modality="words")
    assert len(data) == 100_000
    assert data.inputs[99_999] == Item(99_999, "a short line", "text", "a short line")
    assert data.inputs[5] is not data.inputs[5]


class Countdown:
    """Reads `countdown:N` as N small images. A plug-in as anyone may write it."""

    def accepts(self, source):
        return str(source).startswith("countdown:")

    def read(self, source, options):
        number = int(str(source).partition(":")[2])
        images = [np.full((2, 2), level, np.uint8) for level in range(number)]
        if options.labelled and options.y is None:
            raise DataError("A countdown has no labels.")
        return assemble(ListValues(images), options, source=str(source))


def test_a_plug_in_reader_is_asked_first():
    """A registered reader takes its own sources through the same door."""
    plugins.register("readers", "countdown", Countdown())
    assert len(read("countdown:3")) == 3
    assert len(read([np.zeros((2, 2), np.uint8)])) == 1
    check_reader(Countdown(), "countdown:4", rows=4, labelled=False)


class Wrong(Countdown):
    """A reader that breaks one rule of the protocol."""

    def __init__(self, change):
        self.change = change

    def read(self, source, options):
        return self.change(super().read(source, options))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda data: replace(data, inputs=list(data.inputs)[::-1]), "Items must come in the order of their rows"),
        (lambda data: replace(data, inputs=list(data.inputs)[1:]), "Rows count from 0 without gaps"),
        (lambda data: replace(data, bad=(BadItem(0, "x", "y"),)), "A bad item must not be among the inputs"),
        (
            lambda data: replace(data, inputs=data.inputs[:3], bad=(BadItem(3, "x", ""),)),
            "must be a BadItem with a reason",
        ),
        (
            lambda data: replace(data, inputs=[replace(i, name="\udce9") for i in data.inputs]),
            "cannot be written as UTF-8",
        ),
        (
            lambda data: replace(data, inputs=[replace(i, kind="smell") for i in data.inputs]),
            "not an Item of a known kind",
        ),
        (lambda data: replace(data, targets={"label": np.arange(4)}), "Targets must not be there"),
        (lambda data: replace(data, splits=np.array(["fold"] * 4, object)), "Splits must be train, val or test"),
        (lambda data: replace(data, bad=(BadItem(4, "x", "y"),)), "The source has 4 rows; 5 were read"),
    ],
)
def test_the_check_finds_a_reader_that_breaks_a_rule(change, sentence):
    """Each rule has its sentence."""
    with pytest.raises(AssertionError, match=sentence):
        check_reader(Wrong(change), "countdown:4", rows=4, labelled=False)


def test_the_check_finds_targets_of_a_wrong_kind():
    """Classes are str objects, numbers float64."""
    wrong = Wrong(lambda data: replace(data, targets={"label": np.arange(4)}))
    with pytest.raises(AssertionError, match="must be float64, or an object array of str"):
        check_reader(wrong, "countdown:4", rows=4)


def test_the_check_finds_a_reader_that_accepts_everything():
    """A reader takes sources of its kind only."""
    greedy = Countdown()
    greedy.accepts = lambda source: True
    with pytest.raises(AssertionError, match=r"accepts\(None\) must be False"):
        check_reader(greedy, "countdown:4", labelled=False)


def test_a_data_set_whose_columns_do_not_fit_is_refused():
    """Targets and splits have one value an input."""
    inputs = read([np.zeros((2, 2), np.uint8)]).inputs
    with pytest.raises(
        DataError, match=r"The target 'label' of here has shape \(2,\)\. One value for each of the 1 inputs"
    ):
        Dataset("here", inputs, targets={"label": np.array(["a", "b"], object)})
    assert sequences.accepts([]) is True
