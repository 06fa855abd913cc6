"""What the heads over many layers share: they know where one layer ends and the next begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from icecore.errors import HeadError
from icecore.heads.named import NamedHead

if TYPE_CHECKING:
    from collections.abc import Sequence

    from icecore.heads.protocol import Config


@dataclass(frozen=True, slots=True)
class Over:
    """A head spec, and how wide the layers are that lie side by side in the features, in order.

    Other heads than those over many layers do not look at that.
    """

    spec: Any
    widths: Sequence[int]


class LayeredHead(NamedHead):
    """A head that reads several layers side by side, and treats them as such."""

    widths: tuple[int, ...] = ()

    def over(self, widths: Sequence[int]) -> Self:
        """Say how wide the layers are, in order; nothing for a single one. Returns the head."""
        self.widths = tuple(map(int, widths))
        return self

    def description(self) -> Config:
        """See `ChainHead.description`."""
        return super().description() | {"widths": list(self.widths)}

    def spans(self, width: int) -> list[slice]:
        """Where each layer lies among so many features. Raises HeadError where they are not that many."""
        widths = self.widths or (width,)
        if sum(widths) != width:
            raise HeadError(
                f"The layers have {sum(widths)} features together, and there are {width}.",
                expected="The widths of all layers that lie side by side.",
            )
        stops = [sum(widths[: i + 1]) for i in range(len(widths))]
        return [slice(stop - own, stop) for stop, own in zip(stops, widths, strict=True)]
