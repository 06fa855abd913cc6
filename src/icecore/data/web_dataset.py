"""WebDataset tars: the members that share a name up to its first dot are one sample.

Of each sample one member is the input, by the extensions of the modality, and others hold its labels: `.cls`, `.txt`,
or fields of `.json`. Only labels and the places of the inputs are kept in memory; an input is read by seek.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from icecore.data.assemble import assemble
from icecore.data.columns import SPLIT_COLUMNS, TARGETS
from icecore.data.items import Dataset, printable
from icecore.data.json_lines import GrowingColumn
from icecore.data.parts import FilePart
from icecore.data.shards import is_shards, shards, splits_of
from icecore.data.tar_index import Member, members
from icecore.data.values import ArrowValues, ListValues, Values
from icecore.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from icecore.data.readers import ReadOptions

_PLAIN, _JSON = ("cls", "txt"), "json"
Sample = dict[str, Member]


class WebDatasetReader:
    """Reads one tar, a pattern (`train-{000..012}.tar`, `*.tar`) or a list of them.

    `--target` names a field of `.json`, or a member by its extension; `--input-col` the input by its extension, where
    a sample holds several that could be it.
    """

    def accepts(self, source: Any) -> bool:
        """The path of a tar, a pattern that ends like one, or a list of these."""
        return is_shards(source)

    def read(self, source: Any, options: ReadOptions) -> Dataset:
        """Raises DataError where a tar is missing, compressed or damaged, or holds nothing of the modality."""
        paths = shards(source)
        name = printable(str(source)) if isinstance(source, str | Path) else f"the list of {len(paths)} tars"
        found = _Samples(options)
        for path, split in zip(paths, splits_of(paths), strict=True):
            found.add_tar(path, split)
        if not found.rows or all(size < 0 for size in found.sizes):
            raise _nothing(name, found, options)
        return assemble(
            _Inputs(found),
            options,
            source=name,
            targets=found.targets(name),
            splits=found.splits(),
            groups=found.groups(),
            notes=found.notes(),
            reasons=found.reasons,
        )


reader = WebDatasetReader()


@dataclass(eq=False)
class _Samples:
    """What was found in the tars so far: places of inputs, a negative size for none, and labels by name."""

    options: ReadOptions
    rows: int = 0
    paths: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    tars: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    labels: dict[str, GrowingColumn] = field(default_factory=dict)
    fields: Counter[str] = field(default_factory=Counter)
    unused: Counter[str] = field(default_factory=Counter)
    split_words: list[str | None] = field(default_factory=list)
    reasons: dict[int, str] = field(default_factory=dict)

    def add_tar(self, path: str, split: str | None) -> None:
        """Note the samples of a tar."""
        samples: dict[str, Sample] = {}
        for member in members(path):
            folder, slash, base = member.name.removeprefix("./").rpartition("/")
            stem, dot, extension = base.partition(".")
            if stem and dot:
                samples.setdefault(folder + slash + stem, {})[extension.lower()] = member
        self.paths.append(path)
        with Path(path).open("rb") as file:
            for name, sample in samples.items():
                self._add(name, sample, split)
                self._add_labels(sample, file)
                self.rows += 1

    def targets(self, source: str) -> dict[str, Values]:
        """The labels asked for, or the likeliest. Raises DataError where one is not there or none is clear."""
        wanted, there = (
            self.options.target,
            [name for name in self.labels if name not in (*SPLIT_COLUMNS, self.options.group)],
        )
        if self.options.labelled is False or self.options.y is not None:
            return {}
        guess = next((name for name in (*_PLAIN, *TARGETS) if name in there), there[0] if len(there) == 1 else None)
        chosen = wanted or ((guess,) if guess else ())
        unknown = next((name for name in chosen if name not in self.labels), None)
        if unknown or (self.options.labelled and not chosen):
            known = sorted({*self.fields, *(name for name in self.labels if name in _PLAIN)})
            raise DataError(
                f"{source} has no label {unknown!r}." if unknown else f"It is not clear what the label of {source} is.",
                expected=f"There are {', '.join(known)}."
                if known
                else "Labels are members .cls or .txt, or fields of .json, beside each input.",
                do="Name a field of .json, or a member by its extension, with --target (target=)." if known else "",
            )
        return {name: self._column(name) for name in chosen}

    def splits(self) -> Values | None:
        """What the names of the tars say, else a field of `.json`."""
        if any(self.split_words):
            return ListValues(self.split_words)
        return next((self._column(name) for name in SPLIT_COLUMNS if name in self.labels), None)

    def notes(self) -> tuple[str, ...]:
        """What else there is."""
        used = {*self.options.target, *(_PLAIN if self.options.labelled is not False else ()), _JSON}
        kinds = ", ".join(f"{n:,} .{kind}" for kind, n in self.unused.most_common(5) if kind not in used)
        return (f"Ignored members of the tars: {kinds}.",) if kinds else ()

    def _add(self, name: str, sample: Sample, split: str | None) -> None:
        extension = self._input(name, sample)
        member = sample.pop(extension) if extension else Member("", 0, -1)
        self.names.append(f"{name}.{extension}" if extension else name)
        self.tars.append(len(self.paths) - 1)
        self.offsets.append(member.offset)
        self.sizes.append(member.size)
        self.split_words.append(split)
        self.unused.update(list(sample))

    def _input(self, name: str, sample: Sample) -> str | None:
        """The extension of the input: one that the modality knows, or else one whose last part it knows."""
        if self.options.input_col:
            wanted = self.options.input_col.lower().lstrip(".")
            return wanted if wanted in sample else None
        known = self.options.modality.extensions
        whole = [extension for extension in sample if f".{extension}" in known]
        found = whole or [extension for extension in sample if f".{extension.rpartition('.')[2]}" in known]
        if len(found) > 1:
            raise DataError(
                f"The sample {printable(name)} of {printable(self.paths[-1])} holds several "
                f"{self.options.modality.noun}: .{', .'.join(found)}.",
                expected="One input for each sample.",
                do=f"Name it by its extension with --input-col {found[0]} (input_col=).",
            )
        return found[0] if found else None

    def _add_labels(self, sample: Sample, file: Any) -> None:
        if self.options.labelled is False or self.options.y is not None:
            return
        for name, member in sample.items():
            if name in (*_PLAIN, *self.options.target):
                self._label(name, _content(file, member).decode("utf-8", "replace").strip() or None)
            elif name == _JSON:
                self._add_fields(_content(file, member))

    def _add_fields(self, raw: bytes) -> None:
        """The fields of a `.json` that are wanted, or that may be the label, or its only one."""
        try:
            record = json.loads(raw)
        except ValueError:
            record = None
        if not isinstance(record, dict):
            self.reasons[self.rows] = "its .json does not hold a JSON object"
            return
        self.fields.update(list(record))
        names = self.options.target or (record if len(record) == 1 else TARGETS)
        for name in (*names, *SPLIT_COLUMNS, *([self.options.group] if self.options.group else [])):
            if name in record:
                self._label(name, record[name])

    def _label(self, name: str, value: Any) -> None:
        self.labels.setdefault(name, GrowingColumn()).put(self.rows, value)

    def groups(self) -> Values | None:
        """The field of groups; None where there is no such field."""
        return self._column(self.options.group) if self.options.group in self.labels else None

    def _column(self, name: str) -> Values:
        return ArrowValues(self.labels[name].finish(self.rows))


class _Inputs:
    """The inputs as a column of `FilePart`."""

    def __init__(self, found: _Samples) -> None:
        self._paths, self._names = found.paths, found.names
        self._tars = np.array(found.tars, np.int32)
        self._offsets, self._sizes = np.array(found.offsets, np.int64), np.array(found.sizes, np.int64)

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, row: int, /) -> FilePart | None:
        if self._sizes[row] < 0:
            return None
        path = self._paths[self._tars[row]]
        name = f"{Path(path).name}/{self._names[row]}"
        return FilePart(path, int(self._offsets[row]), int(self._sizes[row]), name)

    def missing(self) -> NDArray[np.bool_]:
        """True for samples without an input. Shape (n,)."""
        return self._sizes < 0

    def target(self) -> NDArray[Any]:
        """Names as objects, shape (n,)."""
        return np.array(self._names, object)


def _content(file: Any, member: Member) -> bytes:
    file.seek(member.offset)
    content: bytes = file.read(member.size)
    return content


def _nothing(name: str, found: _Samples, options: ReadOptions) -> DataError:
    kinds: Mapping[str, int] = dict(found.unused.most_common(5))
    held = ", ".join(f"{number:,} .{kind}" for kind, number in kinds.items())
    wanted = f"member .{options.input_col}" if options.input_col else options.modality.noun
    return DataError(
        f"{name} holds no {wanted}.",
        expected=f"Its members are {held}." if held else "Members are named like 000001.jpg and 000001.cls.",
        do="Name the input by its extension with --input-col (input_col=)." if held else "",
    )
