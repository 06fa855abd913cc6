"""One table: rows by key, in columns. Append parts, ask what is missing, read in the order asked."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import numpy as np

from icecore.errors import StoreError, UsageError
from icecore.keys import canonical
from icecore.store.claims import Claim, claimed
from icecore.store.gather import gather
from icecore.store.open_parts import OpenParts, PartIndex
from icecore.store.parts import ASIDE, ROW, Origin, Part, set_aside, time_of, write_part
from icecore.store.place import refusals, written_aside
from icecore.store.rows import as_keys
from icecore.store.values import Values, column_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from numpy.typing import NDArray

ABOUT_FILE = "table.json"


class Table:
    """Rows of one network, preprocessing, precision and view. Made by `Store.table`; safe to share between threads.

    Args:
        folder: where its parts lie; made at the first append.
        about: JSON description, written beside the parts at the first append.

    Example:
        >>> import tempfile, numpy as np
        >>> from icecore.keys import row_of_text
        >>> from icecore.store import Store
        >>> table = Store(tempfile.mkdtemp()).table("resnet", about={"network": "resnet"})
        >>> rows = [row_of_text("a"), row_of_text("b")]
        >>> table.append(rows, {"last": np.float32([[1, 2], [3, 4]])}, about={"last": {"layer": "last"}}, written_by={})
        >>> table.read("last", rows[::-1])
        array([[3., 4.],
               [1., 2.]], dtype=float32)
        >>> table.missing(["last"], [row_of_text("b"), row_of_text("c")])
        array([False,  True])
    """

    def __init__(self, folder: Path, about: Mapping[str, Any]) -> None:
        self.folder = folder
        self.key = folder.name
        self.about = dict(about)
        self._open = OpenParts(folder)

    def __repr__(self) -> str:
        return f"Table({str(self.folder)!r})"

    def __reduce__(self) -> tuple[type[Table], tuple[Path, dict[str, Any]]]:
        return Table, (self.folder, self.about)

    def append(
        self,
        rows: Sequence[bytes],
        columns: Mapping[str, Values],
        about: Mapping[str, Mapping[str, Any]],
        written_by: Mapping[str, str],
    ) -> None:
        """Commit rows, all of them or none, as one part.

        Args:
            rows: n row keys of 32 bytes.
            columns: for each column key an array (n, d), or n arrays of any shapes; float32 or float16.
            about: for each column key what it is (layer, pooling, shape of one row), in JSON.
            written_by: engine and versions that computed the values.

        Raises:
            UsageError: the columns do not fit the rows or the descriptions.
            StoreError: the part could not be written; nothing of it is left.
        """
        keys = as_keys(rows)
        _require_fit(keys, columns, about)
        if not len(keys):
            return
        arrays = {name: column_of(values).to_arrow() for name, values in columns.items()}
        origin = Origin({name: dict(about[name]) for name in columns}, dict(written_by))
        with refusals(self.folder):
            self._describe()
            write_part(self.folder, keys, arrays, origin)

    def missing(self, columns: Sequence[str], rows: Sequence[bytes]) -> NDArray[np.bool_]:
        """Which rows have to be computed: bool (n,), True where any of the columns lacks the row."""
        keys = as_keys(rows)
        absent = np.zeros(len(keys), bool)
        with self._open.reading():
            for column in columns:
                absent |= self._locate(column, keys)[1] < 0
        return absent

    def read(self, column: str, rows: Sequence[bytes]) -> NDArray[np.float32] | list[NDArray[np.float32]]:
        """The values of rows, in the order asked: (n, d) float32, or n arrays float32 where shapes differ by row.

        A row that several parts hold is read from the part with the lowest name. Values are compared with their
        checksum the first time that this table reads them. Raises StoreError when rows are missing.
        """
        keys = as_keys(rows)
        with self._open.reading():
            index, at = self._locate(column, keys)
            absent = int((at < 0).sum())
            if absent:
                raise StoreError(
                    f"{absent:,} of {len(keys):,} rows asked for are not in column {column} of {self.folder}.",
                    do="Extract the features again: only what is missing is computed.",
                )
            return gather(index, at, column)

    def columns(self) -> dict[str, dict[str, Any]]:
        """What was said of each column, by column key."""
        with self._open.reading():
            return {name: about for part in reversed(self._open.parts()) for name, about in part.origin.about.items()}

    def writers(self, column: str, rows: Sequence[bytes]) -> list[tuple[dict[str, str], NDArray[np.int64]]]:
        """By what the values of rows were computed: each `written_by`, with the positions in `rows` that it wrote."""
        found: dict[bytes, list[NDArray[np.int64]]] = {}
        writers: dict[bytes, dict[str, str]] = {}
        with self._open.reading():
            index, at = self._locate(column, as_keys(rows))
            for part, which, _ in index.split(at):
                name = canonical(part.origin.written_by)
                writers[name] = part.origin.written_by
                found.setdefault(name, []).append(which)
        return [(writers[name], np.sort(np.concatenate(which))) for name, which in found.items()]

    def set_aside(self, column: str, written_by: Mapping[str, str]) -> int:
        """Take the values that one writer left in a column out of use. Returns the number of rows, now missing again.

        Other columns of the same parts stay. Raises StoreError where the folder cannot be written to.
        """
        rows = 0
        with self._open.reading(), refusals(self.folder):
            for part in self._open.parts(column):
                if part.origin.written_by == written_by:
                    rows += len(part)
                    self._replace_without(part, column)
        return rows

    def refresh(self) -> None:
        """See what other processes did, and let go of parts that are gone: until then they take up room on the disk."""
        with self._open.reading():
            pass

    def claim(self, rows: Sequence[bytes]) -> AbstractContextManager[Claim]:
        """Say that these rows are being computed, so that another process on this machine leaves them alone.

        The claim ends with the `with` block, and with its process, however that ends. `claim.mine` are the rows that
        nobody else had claimed; `claim.wait_for_others()` waits for the rest.
        """
        return claimed(self.folder, as_keys(rows))

    def _replace_without(self, part: Part, column: str) -> None:
        others = [name for name in part.origin.about if name != column and part.column(name) is not None]
        if others:
            arrays = {name: part.table.column(name).chunk(0) for name in others}
            origin = Origin({name: part.origin.about[name] for name in others}, part.origin.written_by)
            write_part(self.folder, part.keys, arrays, origin, time_of(part.name))
        with contextlib.suppress(FileNotFoundError):  # another process did the same just now
            set_aside(part.path, ASIDE)

    def _locate(self, column: str, keys: NDArray[np.uint8]) -> tuple[PartIndex, NDArray[np.int64]]:
        """Where rows lie. Damaged parts on the way are set aside, after which another part may hold the row."""
        while True:
            index = self._open.index(column)
            at = index.rows.find(keys)
            damaged = [part for part in index.holders(at) if part.column(column) is None]
            if not damaged:
                return index, at
            for part in damaged:
                self._open.set_aside(part)

    def _describe(self) -> None:
        if not (self.folder / ABOUT_FILE).exists():
            with written_aside(self.folder, lambda _: ABOUT_FILE) as sink:
                sink.write(canonical(self.about))


def _require_fit(keys: NDArray[np.uint8], columns: Mapping[str, Values], about: Mapping[str, Any]) -> None:
    if not columns or ROW in columns or "" in columns:
        raise UsageError(f"Got the columns {sorted(columns)}.", expected=f"At least one, none called {ROW!r} or ''.")
    if missing := sorted(columns.keys() - about.keys()):
        raise UsageError(f"Nothing is said about the columns {missing}.", do="Describe each column in `about`.")
    for name, values in columns.items():
        if len(values) != len(keys):
            raise UsageError(f"Got {len(keys):,} rows and {len(values):,} values for column {name!r}.")
