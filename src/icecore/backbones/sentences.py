"""Folders of sentence-transformers: a transformer, and how its tokens become the vector of a text.

`modules.json` lists the steps; pooling, dense layers and normalisation are followed exactly, so that `last` is what
sentence-transformers' `encode` gives.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from icecore.backbones import weights
from icecore.errors import BackboneError

MODULES = "modules.json"
_FLAG = "pooling_mode_"
_NAMES = {
    "cls_token": "cls",
    "max_tokens": "max",
    "mean_tokens": "mean",
    "mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "weightedmean_tokens": "weightedmean",
    "lasttoken": "lasttoken",
}
_ORDER = tuple(_NAMES.values())  # in which several poolings stand side by side


class SentenceEncoder(nn.Module):
    """A transformer with the steps that make one vector of a text's tokens.

    Args:
        transformer: gives the hidden states of tokens first.
        steps: what is done with them, in order.
    """

    def __init__(self, transformer: nn.Module, steps: list[Step]) -> None:
        super().__init__()
        self.transformer = transformer
        self.steps = nn.ModuleList(steps)

    @property
    def about(self) -> list[dict[str, Any]]:
        """JSON form of the steps."""
        return [{"type": type(step).__name__, **step.config} for step in self.steps]  # type: ignore[dict-item]

    def forward(self, attention_mask: Tensor, **inputs: Tensor) -> Tensor:
        """Arguments of the transformer -> (n, channels)."""
        value: Tensor = self.transformer(attention_mask=attention_mask, **inputs)[0]
        for step in self.steps:
            value = step(value, attention_mask)
        return value

    def save_pretrained(self, folder: Path) -> None:
        """Write a folder that sentence-transformers reads too."""
        transformer: Any = self.transformer
        transformer.save_pretrained(folder)
        listed = [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}]
        for number, step in enumerate(self.steps, 1):
            kind = type(step).__name__
            path = f"{number}_{kind}"
            step.save(folder / path)  # type: ignore[operator]  # a Step, which ModuleList does not tell
            kind = f"sentence_transformers.models.{kind}"
            listed.append({"idx": number, "name": str(number), "path": path, "type": kind})
        (folder / MODULES).write_text(json.dumps(listed, indent=2), "utf-8")


class Step(nn.Module):
    """One step after the transformer; `config` is what its `config.json` says."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        self.config = dict(config)

    def save(self, folder: Path) -> None:
        """Write `config.json`, and weights where it has any."""
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(self.config), "utf-8")
        if state := self.state_dict():
            save_file({name: value.cpu().contiguous() for name, value in state.items()}, folder / "model.safetensors")


class Pooling(Step):
    """From tokens to one vector, or several side by side."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__(config)
        modes = config.get("pooling_mode") or [
            name for flag, name in _NAMES.items() if config.get(_FLAG + flag, flag == "mean_tokens")
        ]
        self.modes = [modes] if isinstance(modes, str) else sorted(modes, key=_ORDER.index)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """(n, tokens, channels) and the mask -> (n, channels)."""
        return torch.cat([_POOLS[mode](tokens, mask[:, :, None].to(tokens.dtype)) for mode in self.modes], 1)


class Dense(Step):
    """A linear layer and its activation."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__(config)
        self.linear = nn.Linear(config["in_features"], config["out_features"], bias=config.get("bias", True))
        name = str(config.get("activation_function", "torch.nn.modules.activation.Tanh"))
        self.activation = getattr(nn, name.rpartition(".")[2])()

    def forward(self, vector: Tensor, mask: Tensor) -> Tensor:
        """(n, in) -> (n, out)."""
        del mask
        value: Tensor = self.activation(self.linear(vector))
        return value


class Normalize(Step):
    """To length 1."""

    def forward(self, vector: Tensor, mask: Tensor) -> Tensor:
        """(n, channels) -> the same."""
        del mask
        return F.normalize(vector, dim=1)


_STEPS: dict[str, type[Step]] = {"Pooling": Pooling, "Dense": Dense, "Normalize": Normalize}


def steps_of(folder: Path, random: bool) -> list[Step]:
    """The steps that a folder's `modules.json` lists after the transformer. Weights stay random where asked."""
    listed = json.loads((folder / MODULES).read_text("utf-8"))
    return [
        step for each in listed[1:] if (step := _step(each["type"].rpartition(".")[2], folder / each["path"], random))
    ]


def _step(kind: str, folder: Path, random: bool) -> Step | None:
    if kind == "Dropout":  # the network is frozen
        return None
    if kind not in _STEPS:
        raise BackboneError(
            f"{folder} is a step of the kind {kind}, which icecore does not know.",
            expected=f"Known are {', '.join(_STEPS)}.",
            do=f"Take {MODULES} away to have the network without its steps.",
        )
    file = folder / "config.json"
    step = _STEPS[kind](json.loads(file.read_text("utf-8")) if file.is_file() else {})
    if step.state_dict() and not random:
        path = next((p for p in folder.glob("*.safetensors")), folder / "pytorch_model.bin")
        weights.fit(step, weights.read(path), str(path))
    return step


def _last(tokens: Tensor, mask: Tensor) -> Tensor:
    return tokens[torch.arange(len(tokens)), mask[:, :, 0].sum(1).long() - 1]


def _weighted(tokens: Tensor, mask: Tensor) -> Tensor:
    mask = mask * torch.arange(1, tokens.shape[1] + 1, device=tokens.device)[None, :, None]
    return (tokens * mask).sum(1) / mask.sum(1)


_POOLS = {
    "cls": lambda tokens, _mask: tokens[:, 0],
    "max": lambda tokens, mask: tokens.masked_fill(mask == 0, -1e9).amax(1),
    "mean": lambda tokens, mask: (tokens * mask).sum(1) / mask.sum(1),
    "mean_sqrt_len_tokens": lambda tokens, mask: (tokens * mask).sum(1) / mask.sum(1).sqrt(),
    "weightedmean": _weighted,
    "lasttoken": _last,
}
