"""What the readers of the table formats give."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from icecore.data.values import Values


@dataclass(frozen=True, slots=True)
class TableFile:
    """A table that was read.

    Attributes:
        columns: by name, equally long; possibly read only when asked for.
        notes: sentences to say aloud.
        reasons: rows that could not be read, which are empty in every column.
    """

    columns: Mapping[str, Values]
    notes: tuple[str, ...] = ()
    reasons: Mapping[int, str] = field(default_factory=dict)
