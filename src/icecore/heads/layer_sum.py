"""One weighted sum of all layers, its weights learnt together with the head that reads it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize

from icecore.errors import HeadError
from icecore.heads import specs
from icecore.heads.axes import Axes
from icecore.heads.layered import LayeredHead
from icecore.heads.scaling import standardisation
from icecore.heads.smooth import CrossEntropy, over_rows, path
from icecore.heads.steps import LayerSum, Linear, Standardise, Step
from icecore.heads.weighting import class_weights

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import ClassVar

    from icecore.heads.linear import Solution
    from icecore.heads.named import Penalties
    from icecore.heads.split import Split

_ROUNDS = 6
_SETTLED = 0.005  # a round that moves no layer's weight by more is the last


class LayerSumHead(LayeredHead):
    """Logistic regression on sum_l w_l x_l, where the weights w of the layers l are positive and sum to one.

    Weights and regression minimise one loss: the regression's, penalty included, with the weights written as a softmax.
    The two take turns, each exact while the other stands still. Every layer comes to the same scale first. It is how
    ELMo (Peters et al. 2018) and SUPERB (Yang et al. 2021) read a network of equal layers; that the sum is of pooled
    features changes nothing, because means and sums commute.

    `penalty` is 1 / C, as of `logistic`. After `fit`, `layer_weights` says which layers it reads.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> y = np.repeat([0, 1, 2], 10)
        >>> noise, layer = rng.normal(size=(2, 30, 4)).astype("float32")
        >>> layer[np.arange(30), y] += 3
        >>> head = LayerSumHead().over([4, 4]).fit(np.hstack([noise, layer]), y, n_classes=3)
        >>> bool(head.layer_weights[1] > 0.8)
        True
    """

    name = "layer-sum"
    penalties = (3.0, 1.0, 0.3, 0.1, 0.03, 0.01)
    default_penalty = 0.1
    known_options: ClassVar[Mapping[str, specs.Converter]] = {"C": specs.positive}
    penalty_option = "C"
    gives_logits = True

    def decisions(self, split: Split, penalties: Penalties) -> np.ndarray:
        """See `NamedHead.decisions`."""
        scale, layers = self._scaled(split.X)
        tested = self._stacked(scale(split.X_test))
        held = [self._held(penalty, split.k) for penalty in penalties]
        found = _Alternating(layers, split.codes, self._loss(split.codes, split.k)).solve(held)
        return np.stack([np.tensordot(w, tested, 1) @ weight + bias for w, (weight, bias) in found])

    @property
    def layer_weights(self) -> np.ndarray:
        """(layers,) what each layer weighs in the sum. Raises HeadError before `fit`."""
        found = [step.weights for step in self._fitted().steps_ if isinstance(step, LayerSum)]
        return found[0] if found else np.full(len(self.widths) or 1, 1 / (len(self.widths) or 1))

    def _decision_steps(self, split: Split) -> list[Step]:
        scale, layers = self._scaled(split.X)
        solver = _Alternating(layers, split.codes, self._loss(split.codes, split.k))
        weights, (weight, bias) = next(solver.solve([self._held(self.penalty, split.k)]))
        return [scale, LayerSum(weights), Linear(weight, bias)]

    def _scaled(self, X: np.ndarray) -> tuple[Standardise, np.ndarray]:
        """The scale, and the rows on it, (layers, n, d)."""
        scale = self._scale(X)
        return scale, self._stacked(scale(X))

    def _scale(self, X: np.ndarray) -> Standardise:
        """Every layer on a scale of its own."""
        own = [standardisation(X[:, span]) for span in self._equal_spans(X.shape[1])]
        return Standardise(np.concatenate([one.mean for one in own]), np.concatenate([one.factor for one in own]))

    def _stacked(self, Z: np.ndarray) -> np.ndarray:
        return np.stack([Z[:, span] for span in self._equal_spans(Z.shape[1])]).astype(np.float32)

    def _equal_spans(self, width: int) -> list[slice]:
        """Raises HeadError where layers are not of one width."""
        widths = list(dict.fromkeys(self.widths))
        if len(widths) > 1:
            raise HeadError(
                f"layer-sum adds layers up, and these have {len(widths)} widths: {', '.join(map(str, widths))}.",
                expected="Layers of one width, such as the blocks of a transformer.",
                do="Name some of one width with --layer (layers=), or take head2toe, which reads layers of any width.",
            )
        return self.spans(width)

    def _loss(self, codes: np.ndarray, k: int) -> CrossEntropy:
        return CrossEntropy(class_weights(codes, k, self.class_weight))

    def _held(self, penalty: float | None, k: int) -> float:
        """Two classes have one weight in logistic regression, and here two of opposite sign: see `LogisticHead`."""
        return self._strength(penalty) * (2 if k == 2 else 1)

    def _option_strength(self) -> float:
        return 1 / float(self.settings["C"])


@dataclass(frozen=True, eq=False)
class _Alternating:
    """Layers (layers, n, d), all on one scale, and the class codes (n,) of their rows."""

    layers: np.ndarray
    codes: np.ndarray
    loss: CrossEntropy

    def solve(self, held: Sequence[float]) -> Iterator[tuple[np.ndarray, Solution]]:
        """For each penalty the layers' weights (layers,) and the regression; each begins with the weights before."""
        scores = np.zeros(len(self.layers))
        for penalty in held:
            for _ in range(_ROUNDS if len(self.layers) > 1 else 1):
                weights = _softmax(scores)
                solution = self._regression(weights, penalty)
                if len(self.layers) == 1:
                    break
                scores = self._reweighted(scores, solution)
                if np.abs(_softmax(scores) - weights).max() < _SETTLED:
                    break
            yield weights, solution

    def _regression(self, weights: np.ndarray, penalty: float) -> Solution:
        """The best for these weights of the layers."""
        axes = Axes.of(np.tensordot(weights, self.layers, 1))
        evaluate = over_rows(axes.rows, self.codes, self.loss)
        weight, bias = next(path(evaluate, self.loss, axes.squares, len(self.codes), [penalty]))
        return axes.basis @ weight, bias

    def _reweighted(self, scores: np.ndarray, solution: Solution) -> np.ndarray:
        """The best scores (layers,), whose softmax is the weights, for this regression."""
        each = self.layers @ solution[0].astype(np.float32)  # (layers, n, k)

        def loss(scores: np.ndarray) -> tuple[float, np.ndarray]:
            weights = _softmax(scores)
            value, slopes = self.loss(np.tensordot(weights, each, 1) + solution[1], self.codes)
            by_weight = np.tensordot(each, slopes, 2)
            return value / len(slopes), weights * (by_weight - weights @ by_weight) / len(slopes)

        found = minimize(loss, scores, jac=True, method="L-BFGS-B", options={"maxiter": 50})
        return np.asarray(found.x - found.x.max())


def _softmax(scores: np.ndarray) -> np.ndarray:
    weights = np.exp(scores - scores.max())
    return np.asarray(weights / weights.sum())
