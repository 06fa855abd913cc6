"""Texts: decoding, and where they are found."""

import pytest

from icecore.data import TEXT, bag_of_words, decode_text, read
from icecore.errors import BadItemError, DataError


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_s_bytes_become_its_text(encoding):
    """With and without a byte order mark."""
    assert decode_text("größer".encode(encoding)) == "größer"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (b"gr\xf6\xdfer", "the text is not UTF-8: byte 0xf6 at 2"),
        ("", "the text is empty"),
        (" \n\t", "the text is empty"),
        (b"", "the text is empty"),
        (3.5, "float is no text"),
    ],
)
def test_what_is_no_text_is_told(source, reason):
    """In words that a person understands."""
    with pytest.raises(BadItemError) as caught:
        decode_text(source)
    assert str(caught.value) == reason


def test_class_folders_of_text_files(tmp_path):
    """One file is one text, its folder the label; other files are counted."""
    for name in ("pos/a.txt", "pos/b.md", "neg/c.txt", "neg/d.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("some words", "utf-8")
    data = read(tmp_path, modality="text")
    assert data.targets["label"].tolist() == ["neg", "pos", "pos"]
    assert data.notes == ("Ignored 1 file that is not texts: 1 .jpg.",)
    assert len(read(tmp_path / "pos" / "a.txt", modality="text")) == 1


def test_the_input_column_by_name_or_by_its_words(tmp_path):
    """A usual name wins; else the column whose values have the most words; targets are none."""
    for header in ("label,text", "label,said", "said,label"):
        row = "a,how are you" if header.startswith("label") else "how are you,a"
        (tmp_path / "t.csv").write_text(f"{header}\n{row}\n", "utf-8")
        data = read(tmp_path / "t.csv", modality="text")
        assert (data.inputs[0].value, data.targets["label"].tolist()) == ("how are you", ["a"])
    (tmp_path / "t.csv").write_text("x,z\na,b\n", "utf-8")
    with pytest.raises(DataError, match="not clear which column"):
        read(tmp_path / "t.csv", modality="text")


def test_a_string_of_several_words_is_a_text(tmp_path):
    """Unless it is a path, and never where labels are needed."""
    assert read("where is it", modality="text").inputs[0].value == "where is it"
    (tmp_path / "where is it.txt").write_text("here it is", "utf-8")
    assert read(str(tmp_path / "where is it.txt"), modality="text").inputs[0].kind == "file"
    for source, labelled in (("nowhere.csv", None), ("where is it", True)):
        with pytest.raises(DataError, match="no file or folder"):
            read(source, modality="text", labelled=labelled)


def test_a_bag_of_words_knows_no_order_and_no_case():
    """Of length 1; other words, another bag."""
    bag = bag_of_words("My card is lost")
    assert bag.tolist() == bag_of_words("lost is my CARD").tolist()
    assert float(bag @ bag) == pytest.approx(1)
    assert float(bag @ bag_of_words("exchange rates")) == 0
    assert TEXT.strings == "text"
