"""WebDataset tars: samples by name, labels beside the inputs, patterns, damage, and memory that holds no contents."""

import gzip
import io
import json
import os
import tarfile
import tracemalloc

import pytest

from icecore import keys
from icecore.backbones import load as load_backbone
from icecore.data import TEXT, ReadOptions, load, read, row_key
from icecore.data.shards import expand
from icecore.data.web_dataset import reader
from icecore.errors import BadItemError, DataError
from icecore.features import extract
from icecore.prefix import Column
from icecore.store import Stamp, Store
from icecore.testing.readers import check_reader
from tests.data.files import encoded, picture, write_picture


def write_tar(path, members):
    """A tar of (name, content)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def photos(first=0, n=4):
    """Samples 000000.jpg with 000000.cls beside them, and a second tar's worth of others."""
    for i in range(first, first + n):
        yield f"{i:06d}.png", encoded(picture(seed=i))
        yield f"{i:06d}.cls", str(i % 2).encode()


def test_samples_are_read_with_their_labels(tmp_path):
    """Members that share a name are one sample; its label is the content of .cls, as text."""
    data = check_reader(reader, write_tar(tmp_path / "a.tar", photos()), rows=4)
    assert data.targets["cls"].tolist() == ["0", "1", "0", "1"]
    assert [item.name for item in data.inputs][:2] == ["a.tar/000000.png", "a.tar/000001.png"]
    assert load(data.inputs[3])[1].tobytes() == picture(seed=3).tobytes()


def test_fields_of_json_are_targets_by_name(tmp_path):
    """`target` names fields; without it the usual names are looked for. Numbers are numbers."""
    members = [("x/1.png", encoded(picture())), ("x/1.json", b'{"label": "cat", "age": 2.5, "note": "-"}')]
    members += [("x/2.png", encoded(picture(seed=1))), ("x/2.json", b'{"label": "dog", "age": 3, "note": "-"}')]
    path = write_tar(tmp_path / "a.tar", members)
    assert check_reader(reader, path, rows=2).targets["label"].tolist() == ["cat", "dog"]
    ages = check_reader(reader, path, options=ReadOptions(target=("age",)), rows=2)
    assert ages.targets["age"].tolist() == [2.5, 3.0]
    with pytest.raises(DataError, match=r"has no label 'agee'\. There are age, label, note\."):
        read(path, target="agee")


def test_a_label_may_be_a_member_of_any_name(tmp_path):
    """`target` names a member by its extension too; a member in .txt is a label where the input is an image."""
    members = [("1.jpg", b"a"), ("1.kind.txt", b"cat\n"), ("1.txt", b"a cat"), ("2.jpg", b"b"), ("2.txt", b"a dog")]
    path = write_tar(tmp_path / "a.tar", members)
    assert read(path).targets["txt"].tolist() == ["a cat", "a dog"]
    kinds = read(path, target="kind.txt")
    assert kinds.targets["kind.txt"].tolist() == ["cat"]
    assert [(bad.row, bad.reason) for bad in kinds.bad] == [(1, "no label")]


def test_several_tars_are_one_data_set(tmp_path):
    """A pattern with braces, one with a star, and a list of paths read the same samples in the same order."""
    tars = [write_tar(tmp_path / f"s-{i:02d}.tar", photos(4 * i)) for i in range(9, 12)]
    by_braces = check_reader(reader, str(tmp_path / "s-{09..11}.tar"), rows=12)
    for source in (tmp_path / "s-*.tar", [str(tar) for tar in tars]):
        data = check_reader(reader, source, rows=12)
        assert [i.name for i in data.inputs] == [i.name for i in by_braces.inputs]
        assert [row_key(i) for i in data.inputs] == [row_key(i) for i in by_braces.inputs]
    with pytest.raises(DataError, match=r"1 of 4 tars of .* cannot be found, the first is .*s-12\.tar"):
        read(str(tmp_path / "s-{09..12}.tar"))
    with pytest.raises(DataError, match=r"A tar that the pattern fits of .* cannot be found"):
        read(str(tmp_path / "none-*.tar"))
    assert expand("{a,b}-{1..2}.tar") == ["a-1.tar", "a-2.tar", "b-1.tar", "b-2.tar"]


def test_the_names_of_tars_say_their_splits(tmp_path):
    """train-, val- and test- in the name, or as the folder, where there are several of them."""
    for name, first in (("train-0", 0), ("train-1", 4), ("val-0", 8)):
        write_tar(tmp_path / f"photos-{name}.tar", photos(first))
    data = check_reader(reader, str(tmp_path / "*.tar"), rows=12)
    assert data.splits.tolist() == ["train"] * 8 + ["val"] * 4
    assert read(str(tmp_path / "photos-train-*.tar")).splits is None


def test_a_member_has_the_key_of_the_same_file(tmp_path):
    """An image in a tar and the same file in a folder share features: nothing is computed for the second."""
    path = write_tar(tmp_path / "a.tar", photos(n=2))
    files = [write_picture(tmp_path / "folder" / f"{i}.png", seed=i) for i in range(2)]
    assert [row_key(item) for item in read(path).inputs] == [keys.row_of_file(file) for file in files]
    net, store = load_backbone("icecore:vision-s@random", device="cpu"), Store(tmp_path / "store")
    columns = [Column("last", "none")]
    first = extract(net, read(tmp_path / "folder", labelled=False), columns, store=store)
    second = extract(net, read(path), columns, store=store)
    assert (first.report.computed, second.report.computed, second.report.reused) == (2, 0, 2)


def test_another_modality_takes_its_own_members(tmp_path):
    """Texts are the .txt members, and .cls their labels."""
    path = write_tar(tmp_path / "a.tar", [("1.txt", b"one"), ("1.cls", b"a"), ("2.txt", b"two"), ("2.cls", b"b")])
    data = check_reader(reader, path, options=ReadOptions(modality=TEXT), rows=2)
    assert data.targets["cls"].tolist() == ["a", "b"]
    assert load(data.inputs[1], "text") == (keys.row_of_bytes(b"two"), "two")


def test_one_bad_sample_does_not_shift_the_others(tmp_path):
    """A sample without an image, without a label or with a broken .json is set aside with its row and reason."""
    members = [
        *(("1.png", encoded(picture())), ("1.json", b'{"label": "a"}')),
        *(("2.json", b'{"label": "b"}'), ("3.png", b"no image"), ("3.json", b'{"label": "b"}')),
        *(("4.png", b"x"), ("4.json", b"{"), ("5.png", b"x"), ("5.json", b'{"other": 1}')),
    ]
    data = check_reader(reader, write_tar(tmp_path / "a.tar", members), rows=5)
    assert [(bad.row, bad.reason) for bad in data.bad] == [
        *((1, "no input"), (3, "its .json does not hold a JSON object"), (4, "no label")),
    ]
    with pytest.raises(BadItemError, match="not an image"):
        load(data.inputs[1])


def test_several_inputs_in_a_sample_must_be_told_apart(tmp_path):
    """An image and its mask: the input is named by its extension. A longer extension counts by its last part."""
    members = [("1.jpg", b"image"), ("1.png", b"mask"), ("1.cls", b"0"), ("2.jpg", b"image2"), ("2.cls", b"1")]
    path = write_tar(tmp_path / "a.tar", members)
    with pytest.raises(
        DataError, match=r"The sample 1 of .*a\.tar holds several images: \.jpg, \.png\..*input-col jpg"
    ):
        read(path)
    data = read(path, input_col="jpg")
    assert [item.value.read_bytes() for item in data.inputs] == [b"image", b"image2"]
    assert data.notes == ("Ignored members of the tars: 1 .png.",)
    left = read(write_tar(tmp_path / "b.tar", [("1.left.jpg", b"left"), ("1.cls", b"0")]))
    assert left.inputs[0].value.read_bytes() == b"left"


def in_content(raw):
    return raw[: 1536 * 5 + 1000]


def in_header(raw):
    return raw[: 1536 * 5 + 100]


def garbled(raw):
    return raw[:1536] + b"\xff" * 512 + raw[2048:]


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (in_content, "is cut off or damaged: unexpected end of data"),
        (in_header, "is cut off or damaged: the header at byte 7,680 is damaged"),
        (garbled, r"is cut off or damaged: the header at byte 1,536 is damaged"),
        (lambda raw: b"", "is cut off or damaged: empty file"),
        (lambda raw: b"<html>" + raw, "is cut off or damaged"),
        (gzip.compress, "is compressed with gzip, so its members cannot be read singly. Unpack it"),
    ],
)
def test_a_damaged_tar_is_one_sentence(tmp_path, damage, sentence):
    """Cut off, overwritten in the middle (which Python takes for the end), empty, something else, or compressed."""
    members = [(f"{i}.{kind}", bytes(700)) for i in range(9) for kind in ("jpg", "cls")]
    path = write_tar(tmp_path / "a.tar", members)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=sentence):
        read(path)


def test_a_tar_without_inputs_says_what_it_holds(tmp_path):
    """The extensions there are; and labels where they must be."""
    path = write_tar(tmp_path / "a.tar", [("1.npy", b"x"), ("2.npy", b"x")])
    with pytest.raises(DataError, match=r"holds no images\. Its members are 2 \.npy\."):
        read(path)
    with pytest.raises(DataError, match=r"It is not clear what the label of .* is\. Labels are members \.cls"):
        read(write_tar(tmp_path / "b.tar", [("1.jpg", b"x")]), labelled=True)


def test_a_tar_that_changes_while_it_is_used_fails_its_items_alone(tmp_path):
    """A member that the file no longer reaches is a bad item, not a crash."""
    path = write_tar(tmp_path / "a.tar", photos())
    data = read(path)
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(BadItemError, match=r"cannot be read: .*ends before it does"):
        row_key(data.inputs[3])


def test_an_unchanged_tar_is_not_read_again(tmp_path):
    """Row keys of members are remembered by the tar's stamp, each by its own place in it."""
    path = write_tar(tmp_path / "a.tar", photos())
    files = Store(tmp_path / "store").file_rows
    data = read(path)
    rows = [row_key(item) for item in data.inputs]
    os.utime(path, (1, 1))
    stamp = Stamp.of(path)._replace(taken_ns=2**62)
    files.remember([item.value for item in data.inputs], [stamp] * 4, rows)
    assert files.lookup([item.value for item in read(path).inputs]) == rows
    assert files.lookup([path]) == [None]
    path.touch()
    assert files.lookup([data.inputs[0].value]) == [None]


def test_memory_does_not_hold_contents(tmp_path):
    """Forty megabytes of images are read with less than four in memory, whatever was read before."""
    noise = bytes(1 << 20)
    path = write_tar(tmp_path / "a.tar", [(f"{i}.{kind}", noise if kind == "jpg" else json.dumps({"label": i}).encode())
                                          for i in range(40) for kind in ("jpg", "json")])  # fmt: skip
    tracemalloc.start()
    data = read(path)
    keys_read = [row_key(item) for item in data.inputs]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(keys_read) == 40
    assert peak < 4 << 20
