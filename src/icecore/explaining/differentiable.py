"""A fitted head as a function that torch can differentiate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import combinations
from typing import Any

import torch
from torch import Tensor

from icecore.heads.ensemble import EnsembleHead

Function = Callable[[Tensor], Tensor]
_SURE = 1e-9


def as_function(head: Any) -> Function | None:
    """From features (n, d) in float64 to what the head gives, (n, k); None where a step has no slope.

    Nearest neighbours vote smoothly here, so that their decision has one; what calibrates probabilities is left
    out, because it keeps their order.

    Example:
        >>> import numpy as np
        >>> from icecore.heads import make
        >>> rng = np.random.default_rng(0)
        >>> X, y = rng.normal(size=(40, 3)).astype("float32"), np.arange(40) % 2
        >>> head = make("svm-rbf").fit(X, y, n_classes=2)
        >>> bool(np.allclose(as_function(head)(torch.from_numpy(X).double()), head.predict_proba(X), atol=1e-5))
        True
    """
    if isinstance(head, EnsembleHead):
        return _ensemble(head)
    steps = getattr(head, "steps_", None)
    while steps and steps[-1].kind in _MENDING:
        steps = steps[:-1]
    if steps is None or any(step.kind not in _STEPS for step in steps):
        return None
    if any(step.kind == "neighbours.v1" and not (step.metric in _BY_LENGTH and step.p == 2) for step in steps):
        return None
    own = [_STEPS[step.kind](step) for step in steps]

    def run(x: Tensor) -> Tensor:
        for step in own:
            x = step(x)
        return x

    return run


def _ensemble(head: EnsembleHead) -> Function | None:
    """The weighted mean of what its heads give, each from its own features."""
    own = [(as_function(part.head), part) for part in head.parts]
    if any(function is None for function, _ in own):
        return None

    def run(x: Tensor) -> Tensor:
        said = [
            part.weight * function(torch.cat([x[:, slice(*span)] for span in part.spans], dim=1))
            for function, part in own
            if function is not None
        ]
        return torch.stack(said).sum(0)

    return run


def log_odds(proba: Tensor, code: int) -> Tensor:
    """Of a class, (n,), from probabilities (n, k): they go on rising where a probability is already near one."""
    p = proba[:, code].clamp(_SURE, 1 - _SURE)
    return torch.log(p) - torch.log1p(-p)


def _tensor(value: Any) -> Tensor:
    return torch.as_tensor(value).double()


def _standardise(step: Any) -> Function:
    mean, factor = _tensor(step.mean), _tensor(step.factor)
    return lambda x: (x - mean) * factor


def _normalise(step: Any) -> Function:
    order = {"l1": 1.0, "l2": 2.0, "max": torch.inf}[step.norm]
    return lambda x: x / torch.linalg.vector_norm(x, ord=order, dim=1, keepdim=True).clamp_min(1e-30)


def _linear(step: Any) -> Function:
    weight, bias = _tensor(step.weight), _tensor(step.bias)
    return lambda x: x @ weight + bias


def _take(step: Any) -> Function:
    index = torch.as_tensor(step.index).long()
    return lambda x: x[:, index]


def _layer_sum(step: Any) -> Function:
    weights = _tensor(step.weights)
    return lambda x: torch.tensordot(x.reshape(len(x), len(weights), -1), weights, ([1], [0]))


def _budget(step: Any) -> Function:
    starts = torch.as_tensor(step.starts).long()

    def run(x: Tensor) -> Tensor:
        sizes = torch.diff(starts, append=torch.tensor([x.shape[1]]))
        own = torch.repeat_interleave(torch.arange(len(starts)), sizes)
        return x.new_zeros(len(x), len(starts)).index_add(1, own, x) / sizes

    return run


def _softmax(step: Any) -> Function:
    return lambda x: torch.softmax(x / step.temperature, 1)


def _columns(step: Any) -> Function:
    present = torch.as_tensor(step.present).long()
    return lambda x: x.new_zeros(len(x), step.n_classes).index_copy(1, present, x)


def _kernel(step: Any) -> Function:
    support, weight, bias = _tensor(step.support), _tensor(step.weight), _tensor(step.bias)

    def similarity(x: Tensor) -> Tensor:
        if step.kernel == "rbf":
            return torch.exp(-step.gamma * torch.cdist(x, support).square())
        gram = x @ support.T
        if step.kernel == "linear":
            return gram
        shifted: Tensor = step.gamma * gram + step.coef0
        return shifted.pow(step.degree) if step.kernel == "poly" else torch.tanh(shifted)

    return lambda x: similarity(x) @ weight + bias


def _votes(step: Any) -> Function:
    """Votes jump, and have no slope; the sums that break their ties have one, of the same sign."""

    def run(x: Tensor) -> Tensor:
        votes: Tensor = x.new_zeros(len(x), step.n_classes)
        total: Tensor = torch.zeros_like(votes)
        for column, (first, second) in enumerate(combinations(range(step.n_classes), 2)):
            value = x[:, column]
            sign = torch.zeros(step.n_classes, dtype=x.dtype)
            sign[first], sign[second] = 1, -1
            total = total + value[:, None] * sign
            votes = votes + torch.stack([value >= 0, value < 0], 1).to(x) @ torch.diag(sign.abs())[[first, second]]
        return votes + total / (3 * (total.abs() + 1))

    return run


def _layers(step: Any) -> Function:
    return lambda x: step.module(x.float()).double()


def _neighbours(step: Any) -> Function:
    """Votes of a few rows jump. Here all rows vote, by a bell curve as wide as the distance to the last of the few."""
    rows, codes = _tensor(step.rows), torch.as_tensor(step.codes).long()
    votes = torch.nn.functional.one_hot(codes, len(step.class_weights)).double() * _tensor(step.class_weights)
    share = step.prior / len(step.class_weights)

    def run(x: Tensor) -> Tensor:
        distances = torch.cdist(x, rows, compute_mode="donot_use_mm_for_euclid_dist")
        few = min(step.n_neighbors, len(rows))
        width = distances.detach().kthvalue(few, dim=1, keepdim=True).values.clamp_min(1e-12)
        bells = torch.exp(-0.5 * (distances / width).square())
        total: Tensor = few * (bells / bells.sum(1, keepdim=True)) @ votes + share
        return total / total.sum(1, keepdim=True)

    return run


_STEPS: Mapping[str, Callable[[Any], Function]] = {
    "standardise.v1": _standardise,
    "normalise.v1": _normalise,
    "linear.v1": _linear,
    "softmax.v1": _softmax,
    "columns.v1": _columns,
    "take.v1": _take,
    "layer-sum.v1": _layer_sum,
    "budget.v1": _budget,
    "kernel.v1": _kernel,
    "votes.v1": _votes,
    "layers.v1": _layers,
    "factory.v1": _layers,
    "neighbours.v1": _neighbours,
}
_MENDING = {"tempered.v1", "isotonic.v1"}
_BY_LENGTH = {"euclidean", "minkowski"}  # metrics of neighbours, the second with p = 2
