"""A sweep of layers x poolings x heads x penalties: icecore against scikit-learn's GridSearchCV, on the same features.

The first figure is one extraction pass, eager in float32, which everything is measured by. Then both sides choose among
the same candidates on the same folds: icecore by `icecore.selection.choose`, scikit-learn by a GridSearchCV for each
layer, pooling and head, of a pipeline of the same scale and its own estimator (one SVC a class for svm-rbf, as here).
From both tables of scores the choice is made by the same rule: of candidates within one standard error of the best,
the simplest. Blocks side by side are left out, for scikit-learn would take hours over them. One candidate a layer is
not the same on both sides: lda's automatic shrinkage, which is counted by another formula.

    python benchmarks/sweep.py --full      MobileNetV2 and a ViT-S (random weights) on TrashNet, 1,000 photographs
"""

from __future__ import annotations

import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that `python benchmarks/sweep.py` works from anywhere

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer
from sklearn.svm import SVC, LinearSVC

from benchmarks.common import finish, mobilenet_folder, options, photographs, show  # first: it pins the threads
from icecore import heads
from icecore.api.options import columns_for
from icecore.backbones import load
from icecore.data import read
from icecore.evaluation.folds import Fold, folds
from icecore.features import extract
from icecore.heads.scaling import standardisation
from icecore.selection import AUTO_HEADS, Candidate, Choice, ScoredCandidate, choose
from icecore.selection.choosing import decide
from icecore.selection.scoring import score_all
from icecore.store import Store

SEED = 0
TOLERANCE = 5e-6  # on rows of length one what the default, 1e-4, is on some 400 features of spread one


class Scale(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """The scale of icecore's heads, so that penalties mean the same on both sides."""

    def fit(self, X: np.ndarray, y: Any = None) -> Scale:  # noqa: ARG002  # scikit-learn gives labels to all
        """Learn it."""
        self.scale_ = standardisation(X)
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Rows of mean squared length one."""
        return self.scale_(X)


# Of each head the estimator that is scikit-learn's own, and its parameters for a penalty.
SKLEARN: dict[str, tuple[Callable[[], Any], Callable[[float | None], dict[str, Any]]]] = {
    "centroid": (lambda: make_pipeline(Scale(), Normalizer(), NearestCentroid()), lambda _: {}),
    "ridge": (lambda: make_pipeline(Scale(), RidgeClassifier()), lambda p: {"ridgeclassifier__alpha": p}),
    "logistic": (
        lambda: make_pipeline(Scale(), LogisticRegression(tol=TOLERANCE, max_iter=1000)),
        lambda p: {"logisticregression__C": 1 / p if p else 1.0},
    ),
    "lda": (
        lambda: make_pipeline(Scale(), LinearDiscriminantAnalysis(solver="lsqr")),
        lambda p: {"lineardiscriminantanalysis__shrinkage": "auto" if p is None else p},
    ),
    "svm": (
        lambda: make_pipeline(Scale(), LinearSVC(random_state=SEED)), lambda p: {"linearsvc__C": 1 / p if p else 1.0}
    ),
    "knn": (
        lambda: make_pipeline(Scale(), Normalizer(), KNeighborsClassifier()),
        lambda p: {"kneighborsclassifier__n_neighbors": round(p or 5)},
    ),
    "svm-rbf": (
        lambda: make_pipeline(Scale(), OneVsRestClassifier(SVC(gamma=1.0))),
        lambda p: {"onevsrestclassifier__estimator__C": 1 / p if p else 1.0},
    ),
}  # fmt: skip


def searched(features: Mapping[str, np.ndarray], y: np.ndarray, plan: Sequence[Fold]) -> list[ScoredCandidate]:
    """All candidates, by a GridSearchCV for each layer and head."""
    candidates: list[Candidate] = []
    hits: list[np.ndarray] = []
    for layer, X in features.items():
        for head in AUTO_HEADS:
            own = _search(head, X, y, plan)
            candidates += [Candidate(layer, head, penalty) for penalty in heads.penalties(head)]
            hits += list(own)
    return score_all(candidates, np.array(hits), y, np.arange(len(y)), balanced=False)


def _search(head: str, X: np.ndarray, y: np.ndarray, plan: Sequence[Fold]) -> np.ndarray:
    """Which rows are right, for each penalty, (penalties, n). The scorer keeps what it is shown, in order."""
    make, parameters = SKLEARN[head]
    grid = heads.penalties(head)
    seen: list[np.ndarray] = []

    def score(model: Any, X: np.ndarray, y: np.ndarray) -> float:
        seen.append(model.predict(X) == y)
        return float(seen[-1].mean())

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # weak penalties converge slowly
        search = GridSearchCV(
            make(), [{name: [value] for name, value in parameters(p).items()} for p in grid], scoring=score,
            cv=list(plan), refit=False, n_jobs=1,
        )  # fmt: skip
        search.fit(X, y)
    hits = np.zeros((len(grid), len(y)), bool)
    for number, right in enumerate(seen):
        hits[number // len(plan), plan[number % len(plan)][1]] = right
    return hits


def compare(ours: Choice, theirs: Choice) -> dict[str, Any]:
    """Whether both chose the same, and how far apart they are where they did not, by scikit-learn's own scores."""
    table = {one.candidate: one for one in theirs.table}
    chosen = table.get(ours.candidate)
    return {
        "ours": str(ours.candidate), "theirs": str(theirs.candidate), "same": ours.candidate == theirs.candidate,
        "same_best": ours.table[0].candidate == theirs.table[0].candidate,
        "ours_tried": len(ours.table), "theirs_tried": len(theirs.table),
        "behind_best": None if chosen is None else chosen.behind,
        "standard_error": None if chosen is None else chosen.behind_error,
        "their_behind_best": table[theirs.candidate].behind,
    }  # fmt: skip


def one_network(name: str, network: str, poolings: Sequence[str], files: Sequence[Path]) -> dict[str, Any]:
    """The pass, both sweeps, and what they chose."""
    net = load(network, device="cpu")
    dataset = read(list(files), y=[file.parent.name for file in files], labelled=True)
    with tempfile.TemporaryDirectory() as place:
        columns = columns_for(net, "all", poolings)
        features, passed = timed(lambda: extract(net, dataset, columns, store=Store(place)))
        matrices = {name: features.matrix(column) for name, column in features.named().items()}
    y = np.unique(next(iter(features.dataset.targets.values())).astype(str), return_inverse=True)[1]
    return {"network": name, "columns": len(matrices), "poolings": list(poolings), "pass": passed} | sweep(matrices, y)


def sweep(matrices: Mapping[str, np.ndarray], y: np.ndarray) -> dict[str, Any]:
    """Both sides on features that are there."""
    plan = folds(y, n_splits=3, seed=SEED)
    ours, own = timed(lambda: choose(matrices, y, int(y.max()) + 1, seed=SEED, folds=plan, joint=False))
    theirs, other = timed(lambda: decide(searched(matrices, y, plan)))
    return {"items": len(y), "icecore": own, "sklearn": other} | compare(ours, theirs)


def timed(work: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """What a function gives, and its seconds: of the clock, and of processors, which other jobs hardly touch."""
    clock, processors = time.perf_counter(), time.process_time()
    found = work()
    return found, {"wall": time.perf_counter() - clock, "cpu": time.process_time() - processors}


def main() -> None:
    chosen = options(__doc__.partition("\n")[0])
    with photographs(chosen.data, 1000 if chosen.full else 120) as files, mobilenet_folder() as folder:
        found = [one_network("MobileNetV2", f"hf:{folder}", ["mean", "max"] if chosen.full else ["mean"], files)]
        if chosen.full:
            vit = "timm:vit_small_patch16_224@random"
            found.append(one_network("ViT-S, random", vit, ["mean", "max", "cls"], files))
    lines = [
        (one["network"], one["columns"], one["theirs_tried"],
         *(f"{one[side]['cpu']:.1f}" for side in ("pass", "icecore", "sklearn")),
         f"{one['sklearn']['cpu'] / one['icecore']['cpu']:.1f}", "yes" if one["same"] else "no")
        for one in found
    ]  # fmt: skip
    show(
        f"{found[0]['items']:,} photographs, seconds of processor time",
        ("network", "columns", "candidates", "pass", "icecore", "sklearn", "times as fast", "same choice"), lines,
    )  # fmt: skip
    for one in found:
        print(f"  {one['network']}: icecore {one['ours']}; scikit-learn {one['theirs']}")
    finish(chosen, {"sweeps": found})


if __name__ == "__main__":
    main()
