"""Row keys of items: files once read are known again without being read."""

import time
from pathlib import Path

import numpy as np

from icecore.data import Dataset, Item, read
from icecore.features import Silent
from icecore.features.hashing import row_keys
from icecore.keys import row_of_array, row_of_file, row_of_text
from icecore.store import Store
from tests.features.photos import pixels


class Telling:
    """Progress that notes what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int]] = []

    def task(self, label: str, total: int):
        self.told.append((label, total))
        return Silent().task(label, total)


def hashed(dataset: Dataset, store: Store) -> tuple[list[bytes | None], list[tuple[str, int]]]:
    """The keys of items, and what was said to be hashed for them."""
    progress = Telling()
    return keys_of(dataset, store, progress), progress.told


def keys_of(dataset: Dataset, store: Store, progress) -> list[bytes | None]:
    """The key of every item, None for those that cannot be read."""
    rows, readable, _ = row_keys(dataset, store.file_rows, progress)
    return [row if known else None for row, known in zip(rows, readable, strict=True)]


def test_files_that_are_known_are_not_read_again(folder: Path, store: Store):
    """Once they are two seconds old files are recognised by inode, size and times; an edited one is read."""
    time.sleep(2.1)
    dataset = read(folder)
    expected = [row_of_file(item.value) for item in dataset.inputs]
    assert hashed(dataset, store) == (expected, [("hashing", 10)])
    assert hashed(dataset, Store(store.root)) == (expected, [])
    (folder / "0004.png").write_bytes(b"something else")
    expected[4] = row_of_file(folder / "0004.png")
    assert hashed(dataset, store) == (expected, [("hashing", 1)])


def test_items_of_every_kind_in_their_order(folder: Path, store: Store):
    """Files, bytes, texts and arrays mixed, the unreadable among them, more than a thread takes at a time."""
    content = (folder / "0000.png").read_bytes()
    values = {
        "file": (folder / "0000.png", row_of_file(folder / "0000.png")),
        "bytes": (content, row_of_file(folder / "0000.png")),
        "text": ("hello", row_of_text("hello")),
        "array": (pixels(1), row_of_array(pixels(1))),
    }
    kinds = np.random.default_rng(0).choice([*values, "gone"], 5000).tolist()
    items = [
        Item(row, kind, "file", folder / "gone.png") if kind == "gone" else Item(row, kind, kind, values[kind][0])
        for row, kind in enumerate(kinds)
    ]
    dataset = Dataset("mixed", items)
    reasons = row_keys(dataset, store.file_rows, Silent())[2]
    assert keys_of(dataset, store, Silent()) == [None if kind == "gone" else values[kind][1] for kind in kinds]
    assert reasons == {row: "no such file" for row, kind in enumerate(kinds) if kind == "gone"}
