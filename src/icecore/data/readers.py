"""What a reader is: the protocol behind the `icecore.readers` entry points, and the options that it is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from icecore.data.modalities import IMAGE, Modality

if TYPE_CHECKING:
    from icecore.data.items import Dataset

LABEL = "label"


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How a source is to be read.

    Attributes:
        target: columns to take as targets; empty to guess one.
        input_col: column to take as input, or of a modality with parts those of all of them, with commas between;
            None to guess.
        y: targets given beside the data: one sequence, or a mapping or data frame of several. They win over columns.
        group: column whose rows of one value belong together (a patient, a session); None for no such column.
        groups: the same given beside the data, one value a row. It wins over the column.
        labelled: True when targets must be there, False when they are not wanted, None for "where there are any".
        modality: what the inputs are.
    """

    target: tuple[str, ...] = ()
    input_col: str | None = None
    y: Any = None
    labelled: bool | None = None
    modality: Modality = IMAGE
    group: str | None = None
    groups: Any = None


class Reader(Protocol):
    """Turns one kind of source into a `Dataset`. `icecore.testing.check_reader` tells whether one is right."""

    def accepts(self, source: Any) -> bool:
        """Whether this is a source of its kind. Cheap; never raises."""
        ...

    def read(self, source: Any, options: ReadOptions) -> Dataset:
        """The data set. Raises DataError with what to do where the source cannot be right."""
        ...
