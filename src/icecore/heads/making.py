"""Make a head from a spec, and restore one from its state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from icecore.heads.protocol import Arrays, Config, Head


def make(
    spec: Any,
    *,
    penalty: float | None = None,
    class_weight: Literal["balanced"] | None = None,
    seed: int = 0,
) -> Head:
    """Make an unfitted head. penalty: None = the head's own default; larger = simpler, for every head."""
    raise NotImplementedError


def penalties(spec: Any) -> tuple[float | None, ...]:
    """The grid that is worth searching, simplest (strongest) first; `(None,)` where there is nothing to search."""
    raise NotImplementedError


def restore(config: Config, arrays: Arrays) -> Head:
    """The fitted head that `head.state()` described."""
    raise NotImplementedError
