"""A fitted head as layers to train on, and back: where fine-tuning starts, and what it leaves behind."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import nn

from icecore.heads.calibrators import Isotonic, Tempered
from icecore.heads.layers import FactoryLayers, TorchStep
from icecore.heads.scaling import standardisation
from icecore.heads.steps import Columns, Linear, Softmax, Standardise, Step
from icecore.heads.trained import Trained, weights

if TYPE_CHECKING:
    from icecore.heads.chain import ChainHead
    from icecore.heads.protocol import Head

_NEVER_SEEN = -10.0  # log-odds of a class that the head was not fitted on
_NOTHING = float(np.finfo(np.float32).tiny)  # added to a variance; some versions of torch refuse 0


def layers_of(head: Head, X: np.ndarray) -> nn.Sequential | None:
    """Layers (n, d) -> logits (n, n_classes) that do what a fitted head does: a standardisation, which stays as it is,
    and dense layers to train.

    Args:
        head: fitted.
        X: the features that it was fitted on, (n, d).

    Returns None for heads that are no such layers (kernels, neighbours, centroids). Linear heads (logistic, ridge, svm,
    lda) and stacks of dense layers are.

    Example:
        >>> from icecore.heads import make
        >>> X, y = np.eye(4, dtype="float32"), np.array([0, 0, 1, 1])
        >>> layers_of(make("logistic").fit(X, y, n_classes=2), X)[1].weight.shape
        torch.Size([2, 4])
    """
    steps = [step for step in getattr(head, "steps_", ()) if not isinstance(step, Isotonic | Tempered)]
    columns = steps.pop() if steps and isinstance(steps[-1], Columns) else None
    match steps:
        case [Linear() as linear, Softmax() as softmax]:
            scale = standardisation(X, length=X.shape[1] ** 0.5)
            return nn.Sequential(standardising(scale), _logits(linear, softmax.temperature, scale, columns))
        case [Standardise() as scale, Trained() | TorchStep() as layers, Softmax()] if columns is None:
            return nn.Sequential(standardising(scale), copy.deepcopy(layers.module).requires_grad_(True))
    return None


def with_layers(head: Head, layers: nn.Sequential, temperature: float) -> Head:
    """The head with what became of `layers_of` it, and the temperature of its softmax."""
    scale, module = copy.deepcopy(layers).cpu().eval()
    mean, variance = (getattr(scale, name).double().numpy() for name in ("running_mean", "running_var"))
    tuned = cast("ChainHead", copy.copy(head))
    own = next((step for step in tuned.steps_ if isinstance(step, FactoryLayers)), None)
    trained: Step = Trained(module) if own is None else replace(own, weights=weights(module))
    tuned.steps_ = [Standardise(mean, 1 / np.sqrt(variance)), trained, Softmax(temperature)]
    return cast("Head", tuned)


def standardising(scale: Standardise) -> nn.BatchNorm1d:
    """Batch norm with these statistics. A feature that never varied, or too little for float32, has an infinite
    variance, and so gives 0.
    """
    layer = nn.BatchNorm1d(len(scale.mean), eps=_NOTHING, affine=False)
    with np.errstate(divide="ignore", over="ignore"):
        variance = (1 / scale.factor**2).astype(np.float32)
    variance[variance < np.finfo(np.float32).tiny] = np.inf
    layer.running_mean, layer.running_var = torch.from_numpy(np.float32(scale.mean)), torch.from_numpy(variance)
    return layer.eval()


def _logits(linear: Linear, temperature: float, scale: Standardise, columns: Columns | None) -> nn.Linear:
    """The linear step on standardised features, with the logits of classes that were never seen."""
    weight, bias = linear.weight / temperature, linear.bias / temperature
    if columns is not None:
        wide, all_of = np.zeros((len(weight), columns.n_classes)), np.full(columns.n_classes, _NEVER_SEEN)
        wide[:, columns.present], all_of[columns.present] = weight, bias
        weight, bias = wide, all_of
    return dense(weight, bias, scale)


def dense(weight: np.ndarray, bias: np.ndarray, scale: Standardise) -> nn.Linear:
    """A linear step (d, k) of features as they are, as a layer on standardised ones."""
    safe = np.where(scale.factor > 0, scale.factor, np.inf)
    weight, bias = weight / safe[:, None], bias + scale.mean @ weight
    layer = nn.Linear(weight.shape[0], weight.shape[1], device="meta")  # where no weights are drawn
    layer.weight, layer.bias = (nn.Parameter(torch.from_numpy(value.copy()).float()) for value in (weight.T, bias))
    return layer
