"""Steps to JSON and arrays, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from icecore.errors import HeadError
from icecore.heads.calibrators import Isotonic, Tempered
from icecore.heads.kernels import Kernel, Votes
from icecore.heads.layers import FactoryLayers, Layers
from icecore.heads.neighbours import NeighbourMean, Neighbours
from icecore.heads.steps import (
    Budget,
    Columns,
    Constant,
    LayerSum,
    Linear,
    Normalise,
    Sigmoid,
    Softmax,
    Standardise,
    Step,
    Take,
)

if TYPE_CHECKING:
    from icecore.heads.protocol import Arrays

_ALL: tuple[type[Step], ...] = (
    Budget, Columns, Constant, FactoryLayers, Isotonic, Kernel, Layers, LayerSum, Linear, NeighbourMean, Neighbours,
    Normalise, Sigmoid, Softmax, Standardise, Take, Tempered, Votes,
)  # fmt: skip
KINDS = {step.kind: step for step in _ALL}


def save_steps(steps: Sequence[Step]) -> tuple[list[dict[str, Any]], Arrays]:
    """A JSON description of each step, and their arrays under `<number of the step>.<name>`."""
    states = [step.state() for step in steps]
    arrays = {f"{i}.{name}": array for i, (_, own) in enumerate(states) for name, array in own.items()}
    return [config for config, _ in states], arrays


def load_steps(configs: Sequence[dict[str, Any]], arrays: Arrays) -> list[Step]:
    """The steps that `save_steps` described. Raises HeadError for an unknown kind or where something is missing."""
    return [_step(config, _own(arrays, i)) for i, config in enumerate(configs)]


def _step(config: dict[str, Any], arrays: Arrays) -> Step:
    kind = config.get("kind")
    if kind not in KINDS:
        raise HeadError(
            f"The saved head has a step of kind {kind!r}.",
            expected=f"This version of icecore knows {', '.join(sorted(KINDS))}.",
            do="Load it with the version that saved it, or a newer one.",
        )
    try:
        return KINDS[kind].restored(config, arrays)
    except (KeyError, TypeError, ValueError) as error:
        raise HeadError(
            f"The saved step {kind!r} cannot be read: {error}.",
            expected="The fields and arrays that were saved with it.",
            do="The saved head is damaged: take another copy.",
        ) from error


def _own(arrays: Arrays, i: int) -> Arrays:
    prefix = f"{i}."
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
