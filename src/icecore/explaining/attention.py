"""Transformers: gradient-weighted attention, multiplied through the blocks.

Chefer, Gur and Wolf 2021, "Transformer interpretability beyond attention visualization" and "Generic attention-model
explainability": the attention of each block, weighed by the slope of the decision, positive parts only, averaged over
heads and added to what came through so far (attention roll-out, Abnar and Zuidema 2020, is the same without slopes).
Attentions are seen where torch computes them, so no architecture needs a description.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from icecore.backbones import Layer, SequenceBackbone, TorchBackbone
from icecore.explaining.places import centre_of
from icecore.explaining.reading import Reading
from icecore.prefix import pool

_SOFTMAX = {F.softmax, torch.softmax, Tensor.softmax}


class Watching(TorchFunctionMode):
    """Keeps the attention matrices (1, heads, tokens, tokens) of whatever runs inside, with their gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Tensor] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is F.scaled_dot_product_attention and _is_of_itself(args):
            return self._attended(*args, **kwargs)
        out = func(*args, **kwargs)
        if func in _SOFTMAX and isinstance(out, Tensor) and out.dim() == 4 and out.shape[2] == out.shape[3]:
            self._keep(out)
        return out

    def _attended(  # noqa: PLR0917 - torch's own signature
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> Tensor:
        """As torch computes it, with the matrix in between."""
        del dropout_p  # the network is in eval mode
        if enable_gqa:
            key, value = (x.repeat_interleave(query.shape[-3] // x.shape[-3], -3) for x in (key, value))
        found = query @ key.transpose(-2, -1) * (scale if scale is not None else 1 / math.sqrt(query.shape[-1]))
        if is_causal:
            found = found.masked_fill(torch.ones_like(found, dtype=torch.bool).triu(1), -torch.inf)
        if attn_mask is not None:
            found = found.masked_fill(~attn_mask, -torch.inf) if attn_mask.dtype == torch.bool else found + attn_mask
        return self._keep(found.exp() / found.exp().sum(-1, keepdim=True)) @ value

    def _keep(self, attention: Tensor) -> Tensor:
        if attention.dim() == 4 and attention.requires_grad:
            attention.retain_grad()
            self.seen.append(attention)
        return attention


def tokens_layer(reading: Reading) -> Layer | None:
    """The last layer of tokens on the way to what the head reads; None where there is none, and for other networks."""
    if not isinstance(reading.backbone, TorchBackbone) or isinstance(reading.backbone, SequenceBackbone):
        return None
    found = None
    for layer in reading.backbone.layers().values():
        if layer.axes == ("tokens", "channels"):
            found = layer
        if layer.name == reading.names[-1]:
            break
    return found


def attended(reading: Reading, prepared: Any, code: int) -> np.ndarray | None:
    """The map (h, w) over patches; None where no attention between all tokens was seen.

    Raises RuntimeError where the network cannot be differentiated.
    """
    layer = tokens_layer(reading)
    assert layer is not None  # noqa: S101 - whoever asks has looked
    backbone: TorchBackbone = reading.backbone.at_precision("float32")
    every, taken = backbone.layers(), dict[str, Tensor]()
    with torch.enable_grad(), backbone.running(backbone.stack([prepared])) as (module, inputs), Watching() as watching:
        wanted = list(dict.fromkeys([*reading.names, layer.name]))
        backbone.whole_pass(
            module, inputs.clone().requires_grad_(), wanted, lambda name, value: taken.update({name: value})
        )
        taken[layer.name].retain_grad()
        rows = {name: (value[:, None] if value.dim() == 1 else value).float() for name, value in taken.items()}
        pooled = [pool(every[c.layer], rows[c.layer], c.pooling).flatten(1) for c in reading.columns]
        torch.autograd.backward(reading.slope_score(torch.cat(pooled, 1), code))
    n = taken[layer.name].shape[1]
    matrices = [a for a in watching.seen if a.shape[0] == 1 and a.shape[-1] == n and a.grad is not None]
    return _map(reading, matrices, taken[layer.name], layer) if matrices else None


def _map(reading: Reading, matrices: list[Tensor], last: Tensor, layer: Layer) -> np.ndarray | None:
    """What each patch adds to the decision through the tokens that are read.

    Each of these adds slope times activation, about the mean where that is known. A share of it is the patch's own, the
    rest is handed down to the patches that it attended to; of class tokens all is, by its size.
    """
    through = torch.eye(last.shape[1])
    for own in matrices:
        assert own.grad is not None  # noqa: S101 - those without are left out
        added = (own.grad * own).clamp_min(0).mean(1)[0].detach().float().cpu()
        through = (through + added / added.sum(1, keepdim=True).clamp_min(1e-30) @ through) / 2
    slope = torch.zeros_like(last) if last.grad is None else last.grad
    centre = centre_of(reading, layer, last)
    if isinstance(centre, float):  # not known: the mean of its own patches
        centre = last.detach()[:, layer.prefix_tokens :].mean(1, keepdim=True)
    adds = (slope * (last.detach() - centre))[0].sum(1).float().cpu()
    adds[: layer.prefix_tokens] = (slope * last).detach()[0, : layer.prefix_tokens].norm(dim=1).float().cpu()
    read = (adds @ through)[layer.prefix_tokens :]
    side = math.isqrt(len(read))
    return np.asarray(read.view(side, side)) if side * side == len(read) and read.any() else None


def _is_of_itself(args: Any) -> bool:
    return len(args) >= 2 and args[0].shape[-2] == args[1].shape[-2]
