"""Several yes-or-no questions about each row, each answered by a binary head of the same kind on shared rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np

from icecore.errors import HeadError
from icecore.heads import checks
from icecore.heads.inner_folds import inner_folds
from icecore.heads.making import make, restore
from icecore.heads.named import CERTAIN, NamedHead
from icecore.heads.piecewise import PiecewiseHead
from icecore.heads.rows import some_rows
from icecore.heads.saving import load_steps, save_steps
from icecore.heads.split import Sides
from icecore.heads.sweeping_answers import Tries, strata_of, sweep_answers
from icecore.heads.temperature import temperature

if TYPE_CHECKING:
    from icecore.heads.protocol import Arrays, Config, Head
    from icecore.heads.rows import Rows
    from icecore.heads.steps import Step
    from icecore.heads.weighting import ClassWeight


class QuestionHead:
    """A head made of binary ones, one a question. Subclasses say what is asked, and what the answers come to.

    What the questions share is computed once: the scale, the principal axes, the kernel.

    Args:
        spec: of the binary heads, as for `make`.
        penalty: of all of them.
        class_weight: `balanced` to let yes and no count the same in every question.
        seed: of whatever is drawn.
    """

    kind: str

    def __init__(
        self, spec: Any, *, penalty: float | None = None, class_weight: ClassWeight = None, seed: int = 0
    ) -> None:
        self.spec, self.penalty, self.class_weight, self.seed = spec, penalty, class_weight, seed
        self.steps_: list[
            Step
        ] = []  # of a head that was fine-tuned: to the probabilities of yes, in the place of parts
        self._name = "" if spec is None else self._made().name

    @property
    def name(self) -> str:
        """The name of the binary heads."""
        return self._name

    @property
    def stores_training_rows(self) -> bool:
        """Whether any of them does."""
        return any(part.stores_training_rows for part in getattr(self, "parts_", ()))

    def fit(self, X: np.ndarray, y: np.ndarray, *, n_classes: int) -> Self:
        """Learn from features X (n, d) and what subclasses take for y. Raises HeadError where they do not fit."""
        X, answers = checks.features(X), self.questions(y, n_classes)
        self.n_features_ = X.shape[1]
        if len(answers) != len(X) or not len(X):
            raise HeadError(f"{len(X)} rows of features came with {len(answers)} of labels.", expected="One each.")
        self.n_classes_, self.steps_ = n_classes, []
        odds = self._odds_out_of_fold(X, answers)
        head = self._made()
        if isinstance(head, NamedHead):
            sides = Sides(X)
            warmth = [1.0 if head.gives_logits else _warmth(odds[:, q], answers[:, q]) for q in range(odds.shape[1])]
            self.parts_: list[Head] = [
                self._named(head).fit_on(sides, own.astype(np.int64), 2, t)
                for own, t in zip(answers.T, warmth, strict=True)
            ]
            odds = odds / np.array(warmth)
        else:
            self.parts_ = [self._made().fit(X, own.astype(np.int64), n_classes=2) for own in answers.T]
        self._learn(np.where(np.isnan(odds), np.nan, _sigmoid(odds)), answers)
        return self

    def fit_in_pieces(self, X: Rows, y: np.ndarray, *, n_classes: int) -> Self | None:
        """Fit on rows that are read piece by piece; None where the binary heads have to have theirs in memory.

        What is learnt from rows left out is learnt from 4,000 rows. Raises HeadError like `fit`.
        """
        if not isinstance(self._made(), PiecewiseHead):
            return None
        answers, some = self.questions(y, n_classes), some_rows(len(X), self.seed)
        self.fit(X[some], np.asarray(y)[some], n_classes=n_classes)
        parts = [cast("PiecewiseHead", self._made()) for _ in answers.T]
        pairs = zip(parts, answers.T, strict=True)
        self.parts_ = [part.fit_in_pieces(X, own.astype(np.int64), n_classes=2) for part, own in pairs]
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Probabilities (n, n_classes), float64. Raises HeadError before `fit`."""
        if not hasattr(self, "parts_"):
            raise HeadError(f"The head {self.name!r} has not been fitted.", do="Call fit first.")
        if self.steps_:
            yes = checks.features(X, self.n_features_)
            for step in self.steps_:
                yes = step(yes)
            return self.combined(yes)
        yes = np.empty((len(X), len(self.parts_)))
        for q, part in enumerate(self.parts_):
            yes[:, q] = part.predict_proba(X)[:, 1]
        return self.combined(yes)

    def questions(self, y: np.ndarray, n_classes: int) -> np.ndarray:
        """The answers (n, q), True for yes, that labels y come to. Raises HeadError for labels that cannot be right."""
        raise NotImplementedError(self.kind)

    def combined(self, yes: np.ndarray) -> np.ndarray:
        """Probabilities (n, n_classes) from those of yes, (n, q)."""
        raise NotImplementedError(self.kind)

    def state(self) -> tuple[Config, Arrays]:
        """See `Head.state`."""
        if not hasattr(self, "parts_"):
            raise HeadError(f"The head {self.name!r} has not been fitted.", do="Call fit first.")
        states = [part.state() for part in self.parts_]
        arrays = {f"{q}.{name}": array for q, (_, own) in enumerate(states) for name, array in own.items()}
        config = {"head": self.kind, "name": self.name, "n_classes": self.n_classes_, "penalty": self.penalty}
        config |= {"spec": self.spec if isinstance(self.spec, str) else None}
        config |= {"class_weight": self.class_weight, "seed": self.seed, "parts": [own for own, _ in states]}
        if self.steps_:
            steps, arrays = save_steps(self.steps_)
            config |= {"steps": steps, "n_features": self.n_features_}
        return config | self._extra(), arrays

    def load_state(self, config: Config, arrays: Arrays) -> Self:
        """See `Head.load_state`."""
        self._name, self.n_classes_ = str(config["name"]), int(config["n_classes"])
        self.parts_ = [
            restore(own, {n.removeprefix(f"{q}."): a for n, a in arrays.items() if n.startswith(f"{q}.")})
            for q, own in enumerate(config["parts"])
        ]
        if "steps" in config:
            self.steps_, self.n_features_ = load_steps(config["steps"], arrays), int(config["n_features"])
        return self

    def __repr__(self) -> str:
        given = f"{self.spec!r}, penalty={self.penalty!r}, class_weight={self.class_weight!r}, seed={self.seed!r}"
        return f"{type(self).__name__}({given})"

    def _learn(self, yes: np.ndarray, answers: np.ndarray) -> None:
        """Learn more from out-of-fold probabilities of yes (n, q), NaN where there is none."""
        del yes, answers

    def _extra(self) -> Config:
        return {}

    def _made(self) -> Head:
        if self.spec is None:
            raise HeadError("This head was restored from its state and can only predict.", do="Give its spec again.")
        return make(self.spec, penalty=self.penalty, class_weight=self.class_weight, seed=self.seed)

    def _named(self, like: NamedHead) -> NamedHead:
        return type(like)(like.options, penalty=like.penalty, class_weight=like.class_weight, seed=like.seed)

    def _odds_out_of_fold(self, X: np.ndarray, answers: np.ndarray) -> np.ndarray:
        folds = inner_folds(X, strata_of(answers), self.seed)
        tries: Tries = [(self.spec, [self.penalty])]
        found = sweep_answers(tries, X, answers, folds, class_weight=self.class_weight, seed=self.seed)[0]
        return np.asarray(found[0])


def _warmth(odds: np.ndarray, yes: np.ndarray) -> float:
    """The temperature of one question's log-odds (n,), from rows that were left out; 1 where all say the same."""
    rows = np.isfinite(odds) & (np.abs(odds) < CERTAIN)
    if not rows.any() or yes[rows].all() or not yes[rows].any():
        return 1.0
    return temperature(np.stack([-odds[rows], odds[rows]], axis=1) / 2, yes[rows].astype(np.int64))


def _sigmoid(odds: np.ndarray) -> np.ndarray:
    return np.asarray(0.5 * (1 + np.tanh(odds / 2)))
