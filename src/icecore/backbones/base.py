"""What a backbone is: the two protocols, and the small values they speak in."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

INPUT = "input"
LAST = "last"
LOGITS = "logits"

Reduce = Callable[["Layer", Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Layer:
    """A place in the network whose output can be taken.

    Attributes:
        name: module path, or one of `input`, `last`, `logits`.
        shape: shape of one item's output, without the batch axis; -1 for an axis as long as the item.
        axes: what each axis of `shape` is: `channels`, `height`, `width`, `tokens`, `frames`, or `axis0`, ...
            where it cannot be known.
        block: its place in the chain of blocks, or None.
        prefix_tokens: how many of the tokens, from the first, are not places in the input (class, registers).
    """

    name: str
    shape: tuple[int, ...]
    axes: tuple[str, ...]
    block: int | None = None
    prefix_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Licence:
    """The licence of the weights as their source states it; `unknown` where it states none."""

    name: str = "unknown"
    source: str = ""


class Preprocessing(Protocol):
    """From a decoded input to the tensor the network expects. A value: equal values do the same."""

    @property
    def value(self) -> Mapping[str, Any]:
        """JSON form: part of the key and of the artifact, shown by `inspect`."""
        ...

    def __call__(self, decoded: Any) -> Any:
        """One decoded input, for an image RGB of any size, to one array or tensor, float32, without batch axis; for
        sequences to `Windows`.
        """
        ...


@runtime_checkable
class Extractor(Protocol):
    """Anything that gives activations: a torch module, an ONNX or TFLite file, an API."""

    id: str
    provider: str
    modality: str
    preprocessing: Preprocessing
    licence: Licence
    source: str
    notes: tuple[str, ...]

    @property
    def architecture(self) -> Mapping[str, Any]:
        """JSON form of the network's structure without its weights."""
        ...

    def layers(self) -> Mapping[str, Layer]:
        """Every layer whose output can be taken, in the order in which they finish."""
        ...

    def weights_digest(self, layer: str) -> str:
        """Hash of the weights and buffers that the layer's output depends on."""
        ...

    def prepare(self, decoded: Any) -> Any:
        """Preprocess one decoded input."""
        ...

    def bucket(self, prepared: Any) -> Hashable:
        """Inputs of the same bucket may share a batch."""
        ...

    def run(self, batch: Sequence[Any], layers: Sequence[str], reduce: Reduce) -> dict[str, Tensor]:
        """Forward prepared inputs as far as the last layer asked for.

        `reduce` is called with each activation as soon as it is there and gives what is kept of it, (n, ...). Items of
        different length are given to it in groups; the rows of what is returned are in the order of the batch.
        """
        ...


@runtime_checkable
class Cuttable(Extractor, Protocol):
    """An extractor that holds a torch module, which can be cut and fine-tuned."""

    module: nn.Module

    def forward(self, batch: Sequence[Any]) -> Any:
        """The network's own forward on prepared inputs, with whatever it returns."""
        ...

    def to(self, device: str | torch.device) -> Cuttable:
        """Move the network. Returns itself."""
        ...


@dataclass(frozen=True, slots=True)
class Entry:
    """A network that a provider offers: its id, the licence of its weights, height and width of its input, and the
    number of its parameters, None where that is not known without building it.
    """

    id: str
    modality: str
    licence: str = "unknown"
    input_size: tuple[int, ...] = ()
    parameters: int | None = None


class Provider(Protocol):
    """One family of pretrained networks; the object behind a name in the `icecore.backbones` entry points.

    One whose catalogue does not know sizes may have `parameters(name)`, which counts them without making the weights.
    """

    summary: str
    extra: str
    requires: tuple[str, ...]
    example: str

    def load(self, reference: Any, *, preprocess: Preprocessing | None, trust_remote_code: bool) -> Extractor:
        """Load the network that a `Reference` names; `preprocess` overrides its own preprocessing."""
        ...

    def save(self, backbone: Any, folder: Path) -> None:
        """Write into an artifact's folder what `load_saved` needs."""
        ...

    def load_saved(self, reference: Any, folder: Path, preprocessing: Mapping[str, Any]) -> Extractor:
        """Build again, without anything outside the folder, what `save` wrote."""
        ...

    def names(self) -> list[str]:
        """Names it knows without a network connection; may be empty."""
        ...

    def catalogue(self) -> list[Entry]:
        """Pretrained networks it can name without a network connection; may be empty."""
        ...
