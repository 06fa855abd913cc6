"""Hashes of files already seen are remembered, and never wrongly."""

import os
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icecore.keys import row_of_file
from icecore.store import FileRows, Stamp, Store

NAMES = [
    "a b.jpg",
    "it's.jpg",
    'say "x".jpg',
    "line\nbreak.jpg",
    "größe ☃.jpg",
    "a%20b.jpg",
    "-rf",
    "a;b",
    "a?b",
    "a*b",
]


def make(path: Path, content: bytes, age: float = 100.0) -> Path:
    path.write_bytes(content)
    os.utime(path, (time.time() - age,) * 2)
    return path


def settled(path: Path) -> Stamp:
    """The stamp of a file as it will be once its change is two seconds old: tests should not wait for that."""
    stamp = Stamp.of(path)
    return stamp._replace(taken_ns=stamp.taken_ns + 3_000_000_000)


def remember(rows: FileRows, *paths: Path) -> list[bytes]:
    stamps = [settled(path) for path in paths]
    keys = [row_of_file(path) for path in paths]
    rows.remember(paths, stamps, keys)
    return keys


@pytest.fixture
def rows(tmp_path: Path) -> FileRows:
    return Store(tmp_path / "store").file_rows


def database(rows: FileRows) -> Path:
    (path,) = Path(rows._file).parent.glob("files-*.sqlite3")
    return path


def test_a_file_seen_before_is_known(tmp_path: Path, rows: FileRows):
    """An unchanged file's key comes back, by relative and absolute paths, text or Path, in the order asked."""
    paths = [make(tmp_path / name, name.encode()) for name in ("a", "b")]
    keys = remember(rows, *paths)
    asked = [paths[1], str(paths[0]), tmp_path / "never", paths[1], Path(os.path.relpath(paths[0]))]
    assert rows.lookup(asked) == [keys[1], keys[0], None, keys[1], keys[0]]
    assert rows.lookup([]) == []


@pytest.mark.skipif(sys.platform == "win32", reason="names that Windows has not")
def test_odd_names_are_kept_apart(tmp_path: Path, rows: FileRows):
    """Spaces, quotes, newlines, Unicode and bytes that are no text: each name is its own."""
    odd = [*NAMES, os.fsdecode(b"\xff\xfe.jpg"), "e\u0301.jpg", "\u00e9.jpg"]
    paths = [make(tmp_path / name, name.encode("utf-8", "surrogateescape")) for name in odd]
    assert rows.lookup(paths) == [None] * len(odd)
    keys = remember(rows, *paths)
    assert len(set(keys)) == len(odd)
    assert rows.lookup(paths) == keys
    assert rows.lookup(["\ud800", "a\0b"]) == [None, None]


def test_a_file_changed_in_place_is_not_known(tmp_path: Path, rows: FileRows):
    """Other content of the same size, even under the old modification time, is seen by the time of the change."""
    path = make(tmp_path / "a", b"one")
    remember(rows, path)
    before = path.stat()
    time.sleep(0.02)
    with path.open("r+b") as file:
        file.write(b"two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert rows.lookup([path]) == [None]


def test_a_replaced_file_is_not_known(tmp_path: Path, rows: FileRows):
    """Another file moved to the same path is another file."""
    path, other = make(tmp_path / "a", b"one"), make(tmp_path / "b", b"two")
    remember(rows, path)
    other.replace(path)
    assert rows.lookup([path]) == [None]
    path.unlink()
    assert rows.lookup([path]) == [None]


def test_what_has_just_changed_is_not_remembered(tmp_path: Path, rows: FileRows):
    """A file modified within two seconds of its stamp could change again without showing it."""
    path = make(tmp_path / "a", b"one", age=0)
    rows.remember([path], [Stamp.of(path)], [row_of_file(path)])
    assert rows.lookup([path]) == [None]
    future = make(tmp_path / "b", b"one", age=-1000)
    rows.remember([future], [Stamp.of(future)], [row_of_file(future)])
    assert rows.lookup([future]) == [None]
    assert Stamp.of(tmp_path / "never") is None
    rows.remember([tmp_path / "never"], [None], [bytes(32)])


def test_a_file_becomes_known_once_settled(tmp_path: Path, rows: FileRows):
    """Two seconds after its last change a file is remembered as it is."""
    path = make(tmp_path / "a", b"one")
    time.sleep(2.1)
    key = row_of_file(path)
    rows.remember([path], [Stamp.of(path)], [key])
    assert rows.lookup([path]) == [key]


def test_a_changed_file_is_remembered_anew(tmp_path: Path, rows: FileRows):
    """The latest key of a path replaces the former."""
    path = make(tmp_path / "a", b"one")
    remember(rows, path)
    make(path, b"three")
    (key,) = remember(rows, path)
    assert rows.lookup([path]) == [key]


@pytest.mark.parametrize("content", [b"", b"not a database", b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_corrupt_database_is_gone_without(tmp_path: Path, rows: FileRows, content: bytes):
    """A damaged database knows nothing, and is made anew."""
    path = make(tmp_path / "a", b"one")
    remember(rows, path)
    database(rows).write_bytes(content)
    assert rows.lookup([path]) == [None]
    keys = remember(rows, path)
    assert rows.lookup([path]) in ([None], keys)
    remember(rows, path)
    assert rows.lookup([path]) == keys


@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=30))
def test_damaged_bytes_never_give_a_wrong_key(tmp_path_factory: pytest.TempPathFactory, flips: list):
    """Wherever bytes of the database change, a file has its own key or none."""
    folder = tmp_path_factory.mktemp("files")
    rows = FileRows(folder / "store")
    paths = [make(folder / f"{i}", b"%d" % i) for i in range(20)]
    keys = remember(rows, *paths)
    raw = bytearray(database(rows).read_bytes())
    for where, mask in flips:
        raw[int(where * len(raw))] ^= mask
    database(rows).write_bytes(raw)
    assert all(found in (None, key) for found, key in zip(rows.lookup(paths), keys, strict=True))
    remember(rows, *paths)
    assert all(found in (None, key) for found, key in zip(rows.lookup(paths), keys, strict=True))


def test_a_locked_database_is_gone_without(tmp_path: Path, rows: FileRows):
    """While another process keeps the database to itself, nothing is known and nothing fails."""
    path = make(tmp_path / "a", b"one")
    keys = remember(rows, path)
    with closing(sqlite3.connect(database(rows))) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert rows.lookup([path]) == [None]
        remember(rows, path)
    assert rows.lookup([path]) == keys


def test_thousands_of_files_are_looked_up_at_once(tmp_path: Path, rows: FileRows):
    """2,500 files take well under a second, on any machine."""
    paths = [make(tmp_path / f"{i}", b"%d" % i) for i in range(2500)]
    keys = remember(rows, *paths)
    start = time.perf_counter()
    assert rows.lookup(paths) == keys
    assert time.perf_counter() - start < 1.0
