"""`TorchBackbone`: any torch module as an extractor. Providers differ only in how they build one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import chain
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from icecore.backbones.base import INPUT, LAST, LOGITS, Layer, Licence, Preprocessing, Reduce
from icecore.backbones.device import moved, turn
from icecore.backbones.fingerprint import Digests, digest_up_to
from icecore.backbones.layers import describe, no_such_layer
from icecore.backbones.precision import FLOAT32, Lowered, require_precision
from icecore.backbones.trace import PROBE_ITEMS, Trace, trace
from icecore.backbones.way import Take, Way
from icecore.errors import BackboneError

Final = Callable[[nn.Module, Any], Tensor]


class TorchBackbone:
    """A frozen torch network. Implements `Cuttable`.

    Args:
        module: the network; set to eval mode, without gradients and in float32, here, and kept in eval mode.
        id: as the user wrote it.
        provider: our name and version of the computation, such as `timm.v1`.
        architecture: JSON form of the structure, without weights.
        preprocessing: from a decoded input to a float32 tensor.
        modality: `image`, `text`, ...
        licence: of the weights.
        source: where the weights came from.
        notes: what the user should be told.
        last: the provider's own way to its final representation, for networks whose classifier does not read it as
            it is; by default what the classifier reads.
        classifier: path of the classifier, where it is no linear layer; empty where there is none, so that the
            network's own output is `last`.
        sample: a decoded input, whose preprocessed shape the probe pass takes; an image by default.

    Attributes:
        device: where it runs.
        precision: what it runs in; `module` itself stays in float32.
        engine: what runs it: the name of one, or `auto`.
        runners: what engines have made of it, for as long as it is as it is.
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        id: str,  # noqa: A002 - the public word for it
        provider: str,
        architecture: Mapping[str, Any],
        preprocessing: Preprocessing,
        modality: str = "image",
        licence: Licence | None = None,
        source: str = "",
        notes: Sequence[str] = (),
        last: Final | None = None,
        classifier: str | None = None,
        sample: Any = None,
    ) -> None:
        self.module = module.eval().float()
        for value in module.parameters():  # one by one, which scripted modules allow too
            value.requires_grad_(False)
        self.id, self.provider, self.modality = id, provider, modality
        self.architecture, self.preprocessing = architecture, preprocessing
        self.licence, self.source, self.notes = licence or Licence(), source, tuple(notes)
        self._final, self._classifier = last, classifier
        self._sample = Image.new("RGB", (256, 256)) if sample is None else sample
        self._digests = Digests(module)
        self._lowered: tuple[Mapping[str, bytes], Lowered] | None = None  # with the digests that it was made of
        self.precision, self.engine = FLOAT32, "auto"
        self.runners: dict[Hashable, Any] = {}
        self.device = next((p.device for p in module.parameters()), torch.device("cpu"))

    def __getstate__(self) -> dict[str, Any]:
        """Without what engines have made of it, which belongs to this process."""
        return {**self.__dict__, "_lowered": None, "runners": {}}

    def to(self, device: str | torch.device) -> TorchBackbone:
        """Move the network. Returns itself."""
        self.device, self._lowered, self.runners = torch.device(device), None, {}
        self.module.to(self.device)
        return self

    def run_as(self, *, precision: str = FLOAT32, engine: str = "auto") -> TorchBackbone:
        """Run in this precision, by this engine, from now on. Returns itself. Raises UsageError for the precision."""
        self.precision, self.engine = require_precision(precision), engine
        self._lowered, self.runners = None, {}
        return self

    def at_precision(self, precision: str) -> TorchBackbone:
        """Itself, or the same network run in another precision."""
        return self if precision == self.precision else copy.copy(self).run_as(precision=precision, engine=self.engine)

    @contextmanager
    def running(self, stacked: Any) -> Iterator[tuple[nn.Module, Any]]:
        """The network in its precision, in eval mode, and inputs as it takes them; within, it may be run."""
        with turn(self.device):
            if self.precision == FLOAT32:
                yield self.module.eval(), stacked  # whoever trains the module may have left it in training mode
                return
            lowered = self._in_bfloat16()
            with lowered.context():
                yield lowered.module.eval(), lowered.inputs(stacked)

    def _in_bfloat16(self) -> Lowered:
        digests = self._digests()
        if self._lowered is None or self._lowered[0] is not digests:  # somebody changed a weight
            probe = self._probe()
            lowered = Lowered(self.module, self.device, lambda module, own: _own_forward(module, own.inputs(probe)))
            self._lowered = digests, lowered
        return self._lowered[1]

    def changed(self, weights: Mapping[str, Tensor]) -> TorchBackbone:
        """The same network with other values of some parameters and buffers, by name; the rest is shared.

        Raises KeyError for a name that it has not, RuntimeError for a shape.
        """
        own = _values(self.module)
        new = {id(own[name]) for name in weights}
        other = copy.copy(self)
        other.module = copy.deepcopy(self.module, {id(v): v for v in own.values() if id(v) not in new})
        copies = _values(other.module)
        with torch.no_grad():
            for name, value in weights.items():
                copies[name].copy_(value)
        other._digests = self._digests.of(other.module)  # noqa: SLF001 - of its own class
        other._lowered, other.runners = None, {}  # noqa: SLF001
        return other

    def prepare(self, decoded: Any) -> Any:
        """Preprocess one decoded input to a float32 tensor without batch axis."""
        return torch.as_tensor(self.preprocessing(decoded), dtype=torch.float32)

    def bucket(self, prepared: Any) -> Hashable:
        """Only inputs of one shape share a batch."""
        return tuple(prepared.shape)

    def forward(self, batch: Sequence[Any]) -> Any:
        """The network's own forward on prepared inputs."""
        return _own_forward(self.module, self.stack(batch))

    def layers(self) -> Mapping[str, Layer]:
        """Every layer that can be taken, in the order in which they finish: `input`, modules, `last`, `logits`."""
        return self._layers

    def weights_digest(self, layer: str) -> str:
        """Hash of the weights and buffers of every module that runs up to a layer. Raises LayerError."""
        self._require([layer])
        way = self.way(layer)
        time = -1 if layer == INPUT else way.time(layer)
        return digest_up_to(way.trace, self._ways[0].trace, self._digests(), time or 0)

    def run(self, batch: Sequence[Any], layers: Sequence[str], reduce: Reduce) -> dict[str, Tensor]:
        """Forward as far as the last layer asked for, reducing each activation the moment it is there.

        Args:
            batch: n prepared inputs of one shape.
            layers: names from `layers()`.
            reduce: from (layer, activation of shape (n, ...)) to what is kept of it.

        Returns:
            For each name a tensor of its own, (n, ...): the next module may overwrite the activation in place.

        Raises:
            LayerError: where there is no such layer.
            BackboneError: where the network does not do for this batch what it did for the probe.
        """
        self._require(layers)
        stacked = self.stack(batch)
        taken: dict[str, Tensor] = {}

        def take(name: str, value: Tensor) -> None:
            activation = (value[:, None] if value.dim() == 1 else value).float()
            self._require_rows(name, activation, self._rows(name, batch))
            taken[name] = self.reduced(self._layers[name], activation, batch, reduce)

        if INPUT in layers:
            take(INPUT, self.raw(batch, stacked))
        with torch.inference_mode(), self.running(stacked) as (module, inputs):
            for way, names in self._routes([name for name in layers if name != INPUT]):
                way.run(module, inputs, names, take)
        return {name: taken[name] for name in layers}

    def whole_pass(self, module: nn.Module, stacked: Any, layers: Sequence[str], take: Take) -> None:
        """A pass that is left at its end only, so that it can be exported: `take` gets each activation as it comes."""
        for way, names in self._routes(layers):
            way.run(module, stacked, names, take, leave=False)

    def whole(self, layer: str) -> bool:
        """Whether a row of a layer's activation is an item, so that it can be pooled as it is."""
        del layer
        return True

    def _routes(self, layers: Sequence[str]) -> list[tuple[Way, list[str]]]:
        """Which way takes which layers: all go along with `last` that can, so that one pass does where one may do."""
        first = self.way(LAST if LAST in layers else LOGITS)
        along = [name for name in layers if self._same_on(first, name)]
        rest = [name for name in layers if name not in along]
        return [(way, names) for way, names in ((first, along), (self._ways[0], rest)) if names]

    def way(self, layer: str) -> Way:
        """The way on which a layer is taken."""
        return self._ways[-1] if layer == LAST else self._ways[0]

    def _same_on(self, way: Way, layer: str) -> bool:
        """Whether a way gives what the network's own forward gives under that name: the same call of the module."""
        own = self._ways[0]
        if way is own or layer == LAST:
            return way.time(layer) is not None
        here, there = way.trace.calls.get(layer), own.trace.calls.get(layer)
        return layer != LOGITS and here is not None and there is not None and here.times == there.times

    def stack(self, batch: Sequence[Any]) -> Any:
        """What the forward takes: one tensor, or several by the names of its arguments."""
        return moved(torch.stack(list(batch)), self.device)

    def pieces(self, batch: Sequence[Any]) -> list[Sequence[Any]]:
        """The batch in parts that suit the device."""
        return [batch]

    def probes(self) -> list[Any]:
        """Batches of `PROBE_ITEMS` items, as the forward takes them; of two lengths where inputs have lengths."""
        return [self._probe()]

    def lengths(self, batch: Sequence[Any]) -> list[tuple[int, ...]]:
        """Of each prepared input the lengths of its windows, which are the rows of the network; 1 without lengths."""
        return [(1,)] * len(batch)

    def longest(self, batch: Sequence[Any]) -> int:
        """The length that windows are padded to."""
        del batch
        return 1

    def steps(self, size: int, padded: int, length: int) -> int:
        """Real steps of an axis of `size` steps, for a window of some length that was padded."""
        del padded, length
        return size

    @property
    def probe_length(self) -> int:
        """Length of the longer probe."""
        return 1

    def thin(self, prepared: Any) -> Any:
        """A prepared input without its real numbers: what a replay from a boundary has to know of it."""
        return torch.full((), torch.nan).expand(prepared.shape)

    def stack_thin(self, batch: Sequence[Any]) -> Any:
        """As `stack`, of what `thin` left."""
        return torch.full((), torch.nan, device=self.device).expand(len(batch), *batch[0].shape)

    @cached_property
    def item_shape(self) -> tuple[int, ...] | None:
        """Shape of every prepared input; None where it depends on the input."""
        if self.modality != "image":
            return None
        one, other = (tuple(self.prepare(Image.new("RGB", size)).shape) for size in ((256, 256), (240, 180)))
        return one if one == other else None

    def raw(self, batch: Sequence[Any], stacked: Any) -> Tensor:
        """The layer `input`, (n, ...)."""
        del batch
        return stacked  # type: ignore[no-any-return]  # one tensor, as made above

    def _rows(self, name: str, batch: Sequence[Any]) -> int:
        """How many rows the activation of a layer has."""
        del name
        return len(batch)

    def reduced(self, layer: Layer, value: Tensor, batch: Sequence[Any], reduce: Reduce) -> Tensor:
        """What is kept of a layer's activation, a row for each item."""
        del batch
        return _owned(reduce(layer, value), value)

    @cached_property
    def _ways(self) -> list[Way]:
        return self._ways_on(self._probe())

    def _ways_on(self, probe: Any) -> list[Way]:
        """The network's own forward; and the provider's way to the final representation, where it has one."""
        own = self._traced(_own_forward, probe)
        if self._final is not None:
            return [Way(_own_forward, own, LOGITS), Way(self._final, self._traced(self._final, probe), LAST)]
        classifier = own.classifier if self._classifier is None else self._classifier
        return [Way(_own_forward, own, LOGITS if classifier else LAST, classifier or None)]

    def _traced(self, forward: Final, probe: Any) -> Trace:
        try:
            return trace(self.module, lambda: forward(self.module, probe))
        except Exception as error:
            raise BackboneError(
                f"{self.id} cannot run on an input of shape {_shapes(probe)}: {error}.",
                do="Give the preprocessing that the network expects with --preprocess FILE; where channels come last, "
                'it says "channels_last": true.',
            ) from error

    def _probe(self) -> Any:
        """Random inputs of the shape that the preprocessing makes."""
        generator = torch.Generator().manual_seed(0)
        shape = self.prepare(self._sample).shape
        return torch.rand(PROBE_ITEMS, *shape, generator=generator).to(self.device)

    @property
    def classifier(self) -> str | None:
        """Path of the layer that gives the logits: `last` is what it reads. None where there is no single one."""
        return self._ways[0].classifier

    @cached_property
    def _layers(self) -> dict[str, Layer]:
        return describe(self.module, self._ways, tuple(self._probe().shape[1:]))

    def _require(self, layers: Sequence[str]) -> None:
        for name in layers:
            if name not in self._layers:
                raise no_such_layer(self, name)

    def _require_rows(self, name: str, value: Tensor, items: int) -> None:
        if value.shape[0] != items:
            raise BackboneError(
                f"The layer {name} of {self.id} gave shape {tuple(value.shape)} for {items} items.",
                expected="One row for each item.",
                do="Look for a squeeze() or a reshape in the network that mixes the axis of the items with another.",
            )


def _values(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name; one that is tied to several modules by each of its names."""
    parameters = module.named_parameters(remove_duplicate=False)
    return dict(chain(parameters, module.named_buffers(remove_duplicate=False)))


def _own_forward(module: nn.Module, batch: Any) -> Any:
    return module(**batch) if isinstance(batch, Mapping) else module(batch)


def _shapes(batch: Any) -> Any:
    if isinstance(batch, Mapping):
        return {name: tuple(value.shape[1:]) for name, value in batch.items()}
    return tuple(batch.shape[1:])


def _owned(kept: Tensor, activation: Tensor) -> Tensor:
    same = kept.untyped_storage().data_ptr() == activation.untyped_storage().data_ptr()
    return kept.clone() if same else kept
