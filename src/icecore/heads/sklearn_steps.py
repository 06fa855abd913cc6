"""scikit-learn's fitted classifiers and transformers as steps."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, Normalizer, RobustScaler, StandardScaler
from sklearn.svm import SVC

from icecore.heads.kernels import Kernel, Votes
from icecore.heads.neighbours import Neighbours
from icecore.heads.steps import Linear, Normalise, Softmax, Standardise, Step

METRICS = frozenset({"euclidean", "manhattan", "chebyshev", "cosine", "minkowski"})
KERNELS = frozenset({"rbf", "linear", "poly", "sigmoid"})


def to_steps(fitted: Any) -> list[Step] | None:
    """The steps to decision values or probabilities that do what a fitted estimator does; None where unknown."""
    if isinstance(fitted, Pipeline):
        return _pipeline(fitted)
    if hasattr(fitted, "best_estimator_"):
        return to_steps(fitted.best_estimator_)
    for kind, convert in _KNOWN.items():
        if type(fitted) is kind:
            return convert(fitted)
    return _linear(fitted) if hasattr(fitted, "coef_") and hasattr(fitted, "decision_function") else None


def transformer_steps(fitted: Pipeline) -> list[Step] | None:
    """The steps of a pipeline of transformers; None where one of them is unknown."""
    return _pipeline(fitted)


def _pipeline(fitted: Pipeline) -> list[Step] | None:
    steps: list[Step] = []
    for _, part in fitted.steps:
        converted = [] if part is None or part == "passthrough" else to_steps(part)
        if converted is None:
            return None
        steps += converted
    return steps


def _linear(fitted: Any) -> list[Step]:
    return [Linear(*_columns(np.atleast_2d(fitted.coef_), np.atleast_1d(fitted.intercept_)))]


def _logits(fitted: Any) -> list[Step]:
    return [*_linear(fitted), Softmax()]


def _standard(fitted: StandardScaler) -> list[Step]:
    d = fitted.n_features_in_
    return [_affine(d, fitted.mean_ if fitted.with_mean else None, fitted.scale_)]


def _robust(fitted: RobustScaler) -> list[Step]:
    return [_affine(fitted.n_features_in_, fitted.center_, fitted.scale_)]


def _max_abs(fitted: MaxAbsScaler) -> list[Step]:
    return [_affine(fitted.n_features_in_, None, fitted.scale_)]


def _affine(d: int, mean: np.ndarray | None, scale: np.ndarray | None) -> Standardise:
    return Standardise(np.zeros(d) if mean is None else mean, np.ones(d) if scale is None else 1 / scale)


def _min_max(fitted: MinMaxScaler) -> list[Step] | None:
    return None if fitted.clip else [Standardise(-fitted.min_ / fitted.scale_, fitted.scale_)]


def _normalizer(fitted: Normalizer) -> list[Step]:
    return [Normalise(fitted.norm)]


def _pca(fitted: PCA) -> list[Step]:
    weight = fitted.components_.T
    if fitted.whiten:
        weight = weight / np.sqrt(fitted.explained_variance_)
    return [Linear(weight, -fitted.mean_ @ weight)]


def _svd(fitted: TruncatedSVD) -> list[Step]:
    return [Linear(fitted.components_.T, np.zeros(len(fitted.components_)))]


def _centroid(fitted: NearestCentroid) -> list[Step] | None:
    """Its probabilities are those of a discriminant with one spread a feature (and may differ from its `predict`)."""
    if fitted.metric != "euclidean":
        return None
    spread = np.where(fitted.within_class_std_dev_ != 0, fitted.within_class_std_dev_, 1)
    weight = (fitted.centroids_ / spread**2).T
    bias = 2 * np.log(fitted.class_prior_) - np.einsum("kd,dk->k", fitted.centroids_, weight)
    return [Linear(2 * weight, bias), Softmax()]


def _knn(fitted: KNeighborsClassifier) -> list[Step] | None:
    if fitted.effective_metric_ not in METRICS or callable(fitted.weights):
        return None
    ones, p = np.ones(len(fitted.classes_)), fitted.effective_metric_params_.get("p", 2)
    rows, codes = np.asarray(fitted._fit_X), np.asarray(fitted._y)  # noqa: SLF001  # kept nowhere else
    return [
        Neighbours(rows, codes, ones, fitted.n_neighbors, 0.0, fitted.weights or "uniform", fitted.effective_metric_, p)
    ]


def _svc(fitted: SVC) -> list[Step] | None:
    if fitted.kernel not in KERNELS:
        return None
    k = len(fitted.classes_)
    weight = _pair_weights(fitted.dual_coef_, fitted.n_support_, k)
    bias = np.asarray(fitted.intercept_, dtype=np.float64)
    if k == 2:  # libsvm's two-class value is positive for the second class
        weight, bias = np.hstack([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    gamma = float(fitted._gamma)  # noqa: SLF001  # the number that "scale" or "auto" came to
    kernel = Kernel(fitted.support_vectors_, weight, bias, gamma, fitted.kernel, fitted.degree, fitted.coef0)
    return [kernel] if k == 2 else [kernel, Votes(k)]


def _pair_weights(dual: np.ndarray, counts: np.ndarray, k: int) -> np.ndarray:
    """libsvm's compact dual coefficients (k - 1, m) as a weight for each pair of classes, (m, k (k - 1) / 2)."""
    if k == 2:
        return np.asarray(dual.T)
    own = np.repeat(np.arange(k), counts)
    pairs = [
        np.where(own == first, dual[second - 1], 0) + np.where(own == second, dual[first], 0)
        for first, second in combinations(range(k), 2)
    ]
    return np.stack(pairs, axis=1)


_KNOWN: dict[type, Callable[[Any], list[Step] | None]] = {
    StandardScaler: _standard,
    RobustScaler: _robust,
    MaxAbsScaler: _max_abs,
    MinMaxScaler: _min_max,
    Normalizer: _normalizer,
    PCA: _pca,
    TruncatedSVD: _svd,
    LogisticRegression: _logits,
    LinearDiscriminantAnalysis: _logits,
    NearestCentroid: _centroid,
    KNeighborsClassifier: _knn,
    SVC: _svc,
}


def _columns(coef: np.ndarray, intercept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients as weight (d, k) and bias (k,); the one row for two classes becomes two columns."""
    if len(coef) == 1:
        coef, intercept = np.concatenate([-coef, coef]) / 2, np.concatenate([-intercept, intercept]) / 2
    return np.asarray(coef.T, dtype=np.float64), np.asarray(intercept, dtype=np.float64)
