"""`TorchBackbone`: any torch module as an extractor. Providers differ only in how they build one."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import cached_property
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from icecore.backbones.axes import axes_of, prefix_tokens
from icecore.backbones.base import INPUT, LAST, LOGITS, Layer, Licence, Preprocessing, Reduce
from icecore.backbones.blocks import blocks_of
from icecore.backbones.fingerprint import digest_up_to, module_digests
from icecore.backbones.trace import PROBE_ITEMS, Trace, first_tensor, hooks, result_tensor, trace
from icecore.errors import BackboneError, LayerError

_END = 1 << 62
Final = Callable[[nn.Module, Tensor], Tensor]


class TorchBackbone:
    """A frozen torch network. Implements `Cuttable`.

    Args:
        module: the network; set to eval mode here, and kept there.
        id: as the user wrote it.
        provider: our name and version of the computation, such as `timm.v1`.
        architecture: JSON form of the structure, without weights.
        preprocessing: from a decoded input to a float32 tensor.
        modality: `image`.
        licence: of the weights.
        source: where the weights came from.
        notes: what the user should be told.
        last: the provider's own way to its final representation, for networks whose classifier does not read it as
            it is; by default what the classifier reads.
        classifier: path of the classifier, where it is no linear layer.
        sample: a decoded input, whose preprocessed shape the probe pass takes; an image by default.
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
        self.module = module.eval().requires_grad_(False)
        self.id, self.provider, self.modality = id, provider, modality
        self.architecture, self.preprocessing = architecture, preprocessing
        self.licence, self.source, self.notes = licence or Licence(), source, tuple(notes)
        self._final, self._classifier = last, classifier
        self._sample = Image.new("RGB", (256, 256)) if sample is None else sample
        self.device = next((p.device for p in module.parameters()), torch.device("cpu"))

    def to(self, device: str | torch.device) -> TorchBackbone:
        """Move the network. Returns itself."""
        self.device = torch.device(device)
        self.module.to(self.device)
        return self

    def prepare(self, decoded: Any) -> Tensor:
        """Preprocess one decoded input to a float32 tensor without batch axis."""
        return torch.as_tensor(self.preprocessing(decoded))

    def bucket(self, prepared: Tensor) -> Hashable:
        """Only inputs of one shape share a batch."""
        return tuple(prepared.shape)

    def forward(self, batch: Sequence[Tensor]) -> Any:
        """The network's own forward on prepared inputs."""
        return self.module(self._stack(batch))

    def layers(self) -> Mapping[str, Layer]:
        """Every layer that can be taken, in the order in which they finish: `input`, modules, `last`, `logits`."""
        return self._layers

    def weights_digest(self, layer: str) -> str:
        """Hash of the weights and buffers of every module that runs up to a layer. Raises LayerError."""
        self._require([layer])
        return digest_up_to(self._trace, self._digests, self._time(layer))

    def run(self, batch: Sequence[Tensor], layers: Sequence[str], reduce: Reduce) -> dict[str, Tensor]:
        """Forward as far as the last layer asked for, reducing each activation the moment it is there.

        Args:
            batch: n prepared inputs of one shape.
            layers: names from `layers()`.
            reduce: from (layer, activation of shape (n, ...)) to what is kept of it.

        Returns:
            For each name a tensor of its own, (n, ...): the next module may overwrite the activation in place.
        """
        self._require(layers)
        stacked = self._stack(batch)
        taken: dict[str, Tensor] = {}

        def take(name: str, value: Tensor) -> None:
            taken[name] = _owned(reduce(self._layers[name], value), value)

        if INPUT in layers:
            take(INPUT, stacked)
        inner = [name for name in layers if name != INPUT]
        if inner:
            with torch.inference_mode():
                self._run_network(stacked, inner, take)
        return {name: taken[name] for name in layers}

    def _run_network(self, stacked: Tensor, layers: Sequence[str], take: Callable[[str, Tensor], None]) -> None:
        if self._final is not None and LAST in layers:
            take(LAST, self._final(self.module, stacked))
            layers = [name for name in layers if name != LAST]
        hooked = [name for name in layers if self._time(name) != _END]
        stop = max(hooked, key=self._time) if hooked and len(hooked) == len(layers) else None
        capture = _Capture(self._trace, hooked, stop, self.classifier, take)
        with hooks(self.module, capture.before, capture.after, only=capture.paths):
            try:
                result = result_tensor(self.module(stacked)) if layers else stacked
            except _Enough:
                return
        for name in set(layers) - set(hooked):
            take(name, result)

    def _stack(self, batch: Sequence[Tensor]) -> Tensor:
        return torch.stack(list(batch)).to(self.device, non_blocking=True)

    @cached_property
    def _trace(self) -> Trace:
        probe = self._probe()
        try:
            return trace(self.module, lambda: self.module(probe))
        except (RuntimeError, TypeError, ValueError, AssertionError) as error:
            raise BackboneError(
                f"{self.id} cannot run on an input of shape {tuple(probe.shape[1:])}: {error}",
                do="Give the preprocessing that the network expects with --preprocess FILE.",
            ) from error

    @cached_property
    def _digests(self) -> dict[str, bytes]:
        return module_digests(self.module)

    def _probe(self) -> Tensor:
        """Two random inputs of the shape that the preprocessing makes."""
        generator = torch.Generator().manual_seed(0)
        shape = self.prepare(self._sample).shape
        return torch.rand(PROBE_ITEMS, *shape, generator=generator).to(self.device)

    @cached_property
    def classifier(self) -> str | None:
        """Path of the layer that gives the logits: `last` is what it reads. None where there is no single one."""
        return self._classifier or self._trace.classifier

    @property
    def _last_is_result(self) -> bool:
        return self.classifier is None and self._final is None

    @cached_property
    def _layers(self) -> dict[str, Layer]:
        found = [self._layer(INPUT, tuple(self._probe().shape), None)]
        taken = sorted(
            (name for name, call in self._trace.calls.items() if name and _takes(call.output)),
            key=lambda name: self._trace.calls[name].finished,
        )
        blocks = blocks_of(self.module, set(taken))
        order = {name: i for i, name in enumerate(sorted(blocks, key=taken.index))}
        for name in taken:
            shape = self._trace.calls[name].output or ()
            found.append(self._layer(name, shape, self.module.get_submodule(name), order.get(name)))
        return {layer.name: layer for layer in [*found, *self._ends()]}

    def _ends(self) -> list[Layer]:
        result = tuple(self._trace.result.shape)
        if self._final is not None:
            with torch.inference_mode():
                shape = tuple(self._final(self.module, self._probe()).shape)
            return [self._layer(LAST, shape, None), self._layer(LOGITS, result, None)]
        if self._last_is_result:
            return [self._layer(LAST, result, None)]
        shape = self._trace.calls[self.classifier or ""].input or ()
        return [self._layer(LAST, shape, None), self._layer(LOGITS, result, None)]

    def _layer(self, name: str, shape: tuple[int, ...], module: nn.Module | None, block: int | None = None) -> Layer:
        axes = axes_of(shape[1:], module, self._input_size)
        tokens = prefix_tokens(self.module) if axes[:1] == ("tokens",) else 0
        return Layer(name, shape[1:], axes, block, tokens)

    @cached_property
    def _input_size(self) -> tuple[int, ...]:
        shape = self._probe().shape[1:]
        return tuple(shape[1:]) if len(shape) == 3 else ()

    def _time(self, layer: str) -> int:
        """When the layer is there, on the clock of the trace."""
        if layer == INPUT:
            return -1
        if layer == LOGITS or (layer == LAST and (self._final is not None or self._last_is_result)):
            return _END
        if layer == LAST:
            return self._trace.calls[self.classifier or ""].last_started
        return self._trace.calls[layer].finished

    def _require(self, layers: Sequence[str]) -> None:
        for name in layers:
            if name not in self._layers:
                raise no_such_layer(self, name)


class _Enough(Exception):  # noqa: N818 - not an error: the way out of a forward whose rest nobody asked for
    pass


class _Capture:
    """Hooks that take activations as they come and leave the forward after the last one."""

    def __init__(
        self,
        trace: Trace,
        layers: Sequence[str],
        stop: str | None,
        last: str | None,
        take: Callable[[str, Tensor], None],
    ) -> None:
        self.trace, self.layers, self.stop, self.last, self.take = trace, set(layers), stop, last, take
        self.counts: dict[str, int] = {}

    @property
    def paths(self) -> set[str]:
        """The modules to listen to."""
        return {self.last if name == LAST and self.last else name for name in self.layers}

    def before(self, name: str, args: Any, kwargs: Any) -> None:
        if name == self.last and LAST in self.layers:
            self._took(LAST, name, first_tensor((args, kwargs)))

    def after(self, name: str, _module: nn.Module, output: Any) -> None:
        if name in self.layers:
            self._took(name, name, first_tensor(output))

    def _took(self, layer: str, path: str, value: Tensor | None) -> None:
        self.counts[layer] = self.counts.get(layer, 0) + 1
        if value is not None:
            self.take(layer, value)
        if layer == self.stop and self.counts[layer] == max(1, self.trace.calls[path].times):
            raise _Enough


def no_such_layer(backbone: Any, name: str) -> LayerError:
    """The error for a layer that is not there, with the nearest names."""
    known = list(backbone.layers())
    close = difflib.get_close_matches(name, known, n=3)
    return LayerError(
        f"{backbone.id} has no layer {name!r} that can be taken.",
        expected=f"It has {len(known)}: last, logits, all, block numbers from the end (-1), and module paths.",
        do=f"Did you mean {', '.join(close)}?" if close else f"`icecore inspect {backbone.id}` lists them.",
    )


def _takes(output: tuple[int, ...] | None) -> bool:
    """An output can be taken if its first axis counts the items."""
    return output is not None and len(output) >= 2 and output[0] == PROBE_ITEMS


def _owned(kept: Tensor, activation: Tensor) -> Tensor:
    same = kept.untyped_storage().data_ptr() == activation.untyped_storage().data_ptr()
    return kept.clone() if same else kept
