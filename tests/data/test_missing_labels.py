"""What people write where a label is missing, in tables and lists."""

from __future__ import annotations

import numpy as np
import pytest

from icecore.data import read
from icecore.errors import DataError
from icecore.tasks import guessed

TEXTS = [f"a text of {number} words" for number in range(6)]


def written(path, values, header="text,label"):
    rows = [f"{text},{value}" for text, value in zip(TEXTS, values, strict=True)]
    path.write_text("\n".join([header, *rows]) + "\n", "utf-8")
    return path


@pytest.mark.parametrize("word", ["nan", "NaN", "NA", "N/A", "null", "?", "inf", "-inf", "<NA>"])
@pytest.mark.parametrize("numbers", [("1.5", "2.25", "3", "4", "5"), ("0", "1", "0", "1", "1")])
def test_words_among_numbers_are_no_labels(tmp_path, word, numbers):
    """A row whose number is a word for "none", or infinite, is set aside with that word, and numbers stay numbers."""
    data = read(written(tmp_path / "t.csv", [word, *numbers]), modality="text")
    assert [(bad.row, bad.reason) for bad in data.bad] == [(0, f"no label: {word!r} among numbers")]
    assert data.targets["label"].tolist() == list(numbers)
    assert guessed(data.targets["label"].tolist()) == ("regression" if "1.5" in numbers else "classification")


def test_other_words_may_be_codes_beside_whole_numbers(tmp_path):
    """`none` is no label beside fractions, and may be a class beside whole numbers."""
    codes = read(written(tmp_path / "codes.csv", ["none", "0", "1", "0", "1", "2"]), modality="text")
    assert not codes.bad
    prices = read(written(tmp_path / "prices.csv", ["none", "0.5", "1", "0", "1", "2"]), modality="text")
    assert [bad.row for bad in prices.bad] == [0]


def test_words_among_words_stay_classes(tmp_path):
    """Where labels are words, NA may be a country."""
    data = read(written(tmp_path / "t.csv", ["NA", "DE", "FR", "NA", "DE", "FR"]), modality="text")
    assert not data.bad
    assert sorted(set(data.targets["label"])) == ["DE", "FR", "NA"]


def test_lists_of_words_among_numbers():
    """The same in Python."""
    data = read(TEXTS, modality="text", y=["1", "nan", "2", "1", "2", "1"])
    assert [bad.row for bad in data.bad] == [1]


def test_a_cell_of_blanks_holds_nothing(tmp_path):
    """Neither a label nor a text; blanks around a label are part of it."""
    rows = [f"{TEXTS[0]},dog", f"{TEXTS[1]},dog ", f"{TEXTS[2]},  ", "   ,cat", f"{TEXTS[4]},cat"]
    (tmp_path / "t.csv").write_text("\n".join(["text,label", *rows]), "utf-8")
    data = read(tmp_path / "t.csv", modality="text")
    assert data.targets["label"].tolist() == ["dog", "dog ", "cat", "cat"]
    assert [(bad.row, bad.reason) for bad in data.bad] == [(2, "no label")]


def test_a_column_is_found_whatever_its_capitals_and_blanks(tmp_path):
    """`--target label` finds ` Label `, as the guess does."""
    path = written(tmp_path / "t.csv", list("abcabc"), header="text, Label ")
    assert list(read(path, modality="text", target="label").targets) == [" Label "]
    two = tmp_path / "two.csv"
    two.write_text("text,Label,LABEL\na b,1,2\n", "utf-8")
    with pytest.raises(DataError, match="no column 'label'"):
        read(two, modality="text", target="label")


def test_a_table_without_rows_is_told(tmp_path):
    """With column names alone the file has no rows, and that is what is said."""
    (tmp_path / "t.csv").write_text("text,label\n", "utf-8")
    with pytest.raises(DataError, match=r"has no rows. Column names in the first line"):
        read(tmp_path / "t.csv", modality="text")


@pytest.mark.parametrize(("word", "taken"), [("great", True), ("great.csv", False), ("data/great", False)])
def test_one_word_is_a_text_where_it_looks_like_no_path(word, taken):
    """What is to be predicted may be a single word; what looks like a path that is not there is told."""
    if taken:
        assert len(read(word, modality="text", labelled=False)) == 1
    else:
        with pytest.raises(DataError, match="no file or folder"):
            read(word, modality="text", labelled=False)
    with pytest.raises(DataError, match="no file or folder"):
        read(word, modality="text", labelled=True)


def test_sounds_of_which_no_sample_is_left_are_set_aside(tmp_path):
    """A sound of one sample, which resampling leaves nothing of, is a bad item with its reason."""
    import soundfile

    import icecore
    from icecore.backbones import extras

    extras.require("soxr", "audio")
    for name, samples in (("one", 1), ("long", 44100)):
        soundfile.write(tmp_path / f"{name}.wav", np.full(samples, 0.5, np.float32), 44100)
    found = icecore.PretrainedModel.load("icecore:audio-s").extract_features(str(tmp_path))
    assert [(bad.input, bad.reason) for bad in found.bad] == [
        ("one.wav", "too short: of 1 samples at 44100 Hz none is left at 16000 Hz")
    ]
