"""Fitted heads of numbers, of several labels and of orders as layers to train on, and back; see `tuning`."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from torch import nn

from icecore.heads.layers import FactoryLayers, TorchStep
from icecore.heads.scaling import standardisation
from icecore.heads.steps import Columns, Constant, Linear, Sigmoid, Softmax, Standardise
from icecore.heads.trained import Trained, weights
from icecore.heads.tuning import dense, standardising

if TYPE_CHECKING:
    from icecore.heads.numbers import Regressor
    from icecore.heads.questions import QuestionHead

_NEVER_SEEN = 10.0  # log-odds of an answer that all rows gave


def number_layers_of(head: Regressor, X: np.ndarray) -> nn.Sequential | None:
    """Layers (n, d) -> values (n, 1), of mean zero and spread one, that do what a fitted regressor does.

    A standardisation, which stays as it is, and dense layers to train. None for heads that are no such layers (kernels,
    neighbours, the user's own of scikit-learn).
    """
    match list(getattr(head, "steps_", ())):
        case [Linear() as linear, Linear()]:
            scale = standardisation(X, length=X.shape[1] ** 0.5)
            return nn.Sequential(standardising(scale), dense(linear.weight, linear.bias, scale))
        case [Standardise() as scale, Trained() | TorchStep() as layers, Linear()]:
            return nn.Sequential(standardising(scale), copy.deepcopy(layers.module).requires_grad_(True))
    return None


def with_number_layers(head: Regressor, layers: nn.Sequential) -> Regressor:
    """The regressor with what became of `number_layers_of` it."""
    tuned = cast("Any", copy.copy(head))
    scale, trained = _steps(layers)
    own = next((step for step in tuned.steps_ if isinstance(step, FactoryLayers)), None)
    kept = trained if own is None else replace(own, weights=weights(trained.module))
    tuned.steps_ = [scale, kept, tuned.steps_[-1]]
    return cast("Regressor", tuned)


def answering_layers_of(head: QuestionHead, X: np.ndarray) -> nn.Sequential | None:
    """Layers (n, d) -> log-odds of yes (n, q) that do what fitted linear binary heads do; None for others."""
    if head.steps_:
        scale, trained = head.steps_[0], cast("Any", head.steps_[1])
        module = copy.deepcopy(trained.module).requires_grad_(True)
        return nn.Sequential(standardising(cast("Standardise", scale)), module)
    found = [_odds(list(getattr(part, "steps_", ())), X.shape[1]) for part in head.parts_]
    if any(own is None for own in found):
        return None
    weight = np.stack([own[0] for own in found if own is not None], axis=1)
    bias = np.array([own[1] for own in found if own is not None])
    scale = standardisation(X, length=X.shape[1] ** 0.5)
    return nn.Sequential(standardising(scale), dense(weight, bias, scale))


def with_answering_layers(head: QuestionHead, layers: nn.Sequential, warmth: np.ndarray) -> QuestionHead:
    """The head with what became of `answering_layers_of` it, and each question's temperature (q,)."""
    tuned = copy.copy(head)
    tuned.parts_, tuned.steps_ = [], [*_steps(layers), Sigmoid(np.asarray(warmth, np.float64))]
    return tuned


def _steps(layers: nn.Sequential) -> tuple[Standardise, Trained]:
    scale, module = copy.deepcopy(layers).cpu().eval()
    mean, variance = (getattr(scale, name).double().numpy() for name in ("running_mean", "running_var"))
    return Standardise(mean, 1 / np.sqrt(variance)), Trained(module)


def _odds(steps: list[Any], d: int) -> tuple[np.ndarray, float] | None:
    """Weight (d,) and bias of the log-odds of yes of one binary head."""
    match steps:
        case [Linear() as linear, Softmax() as softmax]:
            t = softmax.temperature
            return (linear.weight[:, 1] - linear.weight[:, 0]) / t, float(linear.bias[1] - linear.bias[0]) / t
        case [Constant(), Columns() as columns]:
            return np.zeros(d), _NEVER_SEEN if int(columns.present[0]) else -_NEVER_SEEN
    return None
