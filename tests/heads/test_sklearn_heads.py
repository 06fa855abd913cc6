"""The user's scikit-learn classifiers: what they predict, and which can be saved."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, Normalizer, RobustScaler, StandardScaler
from sklearn.svm import SVC, LinearSVC

from icecore import heads
from icecore.errors import HeadError

WITH_PROBABILITIES = [
    LogisticRegression(),
    LinearDiscriminantAnalysis(),
    KNeighborsClassifier(5),
    NearestCentroid(),
    KNeighborsClassifier(7, weights="distance", metric="manhattan"),
    KNeighborsClassifier(3, p=3),
]
WITH_DECISIONS = [
    RidgeClassifier(),
    LinearSVC(),
    SGDClassifier(),
    SVC(),
    SVC(kernel="linear"),
    SVC(kernel="poly", degree=2, coef0=1.0),
    SVC(kernel="sigmoid", gamma=0.01),
    GridSearchCV(SVC(), {"C": [1, 10]}, cv=2),
]
SCALERS = [
    StandardScaler(),
    StandardScaler(with_mean=False),
    MinMaxScaler(),
    MaxAbsScaler(),
    RobustScaler(),
    make_pipeline(StandardScaler(), Normalizer()),
    make_pipeline(StandardScaler(), PCA(5, whiten=True)),
    make_pipeline(StandardScaler(), TruncatedSVD(5)),
    make_pipeline("passthrough", StandardScaler()),
]


def data(k):
    """Two or three classes of real data: rows to learn and rows to predict."""
    X, y = (load_breast_cancer if k == 2 else load_wine)(return_X_y=True)
    rows = np.random.default_rng(0).permutation(len(y))
    return X[rows[:100]], y[rows[:100]], X[rows[100:170]]


def saved_and_restored(head):
    config, arrays = head.state()
    return heads.restore(json.loads(json.dumps(config)), arrays)


def name_of(estimator):
    return type(estimator).__name__


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("estimator", WITH_PROBABILITIES, ids=name_of)
def test_its_own_probabilities_are_kept(estimator, k):
    """An estimator with probabilities gives its own, after a save and a restore too."""
    X, y, new = data(k)
    pipeline = make_pipeline(StandardScaler(), estimator)
    head = heads.make(pipeline).fit(X, y, n_classes=k)
    expected = pipeline.fit(X, y).predict_proba(new)
    np.testing.assert_allclose(head.predict_proba(new), expected, atol=1e-6)
    np.testing.assert_allclose(saved_and_restored(head).predict_proba(new), expected, atol=1e-6)


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("estimator", WITH_DECISIONS, ids=name_of)
def test_decisions_become_probabilities(estimator, k):
    """One without probabilities gets them, with the class that it decides for on top, and can be saved."""
    X, y, new = data(k)
    head = heads.make(make_pipeline(StandardScaler(), estimator), seed=3).fit(X, y, n_classes=k)
    proba = head.predict_proba(new)
    scaled = make_pipeline(StandardScaler(), estimator)
    if "random_state" in estimator.get_params():
        scaled[-1].set_params(random_state=3)
    decided = scaled.fit(X, y).predict(new)
    assert (proba.argmax(axis=1) == decided).mean() >= 0.98  # pairwise votes may tie
    np.testing.assert_allclose(saved_and_restored(head).predict_proba(new), proba, atol=1e-6)


@pytest.mark.parametrize("scaler", SCALERS, ids=lambda scaler: name_of(getattr(scaler, "steps", [[0, scaler]])[-1][1]))
def test_transformers_in_a_pipeline_are_saved(scaler):
    """A pipeline of known transformers and a known classifier is saved and restored whole."""
    X, y, new = data(3)
    pipeline = make_pipeline(scaler, LogisticRegression(max_iter=5000))
    head = heads.make(pipeline).fit(X, y, n_classes=3)
    expected = pipeline.fit(X, y).predict_proba(new)
    np.testing.assert_allclose(saved_and_restored(head).predict_proba(new), expected, atol=1e-5)


@pytest.mark.parametrize("estimator", [RandomForestClassifier(20), GaussianNB()], ids=name_of)
def test_others_work_in_memory_and_say_that_they_cannot_be_saved(estimator):
    """An estimator that there are no arrays for predicts; asking for its state says what to do."""
    X, y, new = data(3)
    head = heads.make(estimator).fit(X, y, n_classes=3)
    assert head.predict_proba(new).shape == (70, 3)
    with pytest.raises(HeadError, match=r"cannot be saved without pickle.*Choose one of those or a head by its name"):
        head.state()


def test_the_estimator_given_stays_unfitted_and_its_seed_is_ours():
    """The head works on a clone, so that two folds never share one, and the same seed gives the same head."""
    X, y, new = data(3)
    forest = RandomForestClassifier(10)
    one, same, other = (heads.make(forest, seed=s).fit(X, y, n_classes=3).predict_proba(new) for s in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)
    assert not hasattr(forest, "classes_")


def test_what_cannot_give_probabilities_is_refused():
    """A classifier that only says classes is answered with a way out."""

    class Only(GaussianNB):
        predict_proba = property()

    X, y, _ = data(3)
    with pytest.raises(HeadError, match=r"neither predict_proba nor decision_function.*CalibratedClassifierCV"):
        heads.make(Only()).fit(X, y, n_classes=3)


def test_an_estimators_own_refusal_is_passed_on():
    """Where the estimator cannot be fitted, its reason is in the message."""
    X, _, _ = data(3)
    with pytest.raises(
        HeadError, match="LinearDiscriminantAnalysis could not be fitted on 3 rows of 13 features: The nu"
    ):
        heads.make(LinearDiscriminantAnalysis()).fit(X[:3], np.arange(3), n_classes=3)


def test_heads_that_hold_training_rows_say_so():
    """k-NN and SVC do, a linear classifier does not; heads by name likewise."""
    X, y, _ = data(3)
    found = {
        name_of(e): heads.make(e).fit(X, y, n_classes=3).stores_training_rows
        for e in (SVC(), KNeighborsClassifier(), RidgeClassifier())
    }
    assert found == {"SVC": True, "KNeighborsClassifier": True, "RidgeClassifier": False}
    assert [n for n in ("ridge", "knn", "svm-rbf", "svm", "mlp") if heads.make(n).stores_training_rows] == [
        "knn",
        "svm-rbf",
    ]


def test_a_restored_estimator_only_predicts():
    """Fitting it again asks for the estimator."""
    X, y, _ = data(3)
    restored = saved_and_restored(heads.make(LinearDiscriminantAnalysis()).fit(X, y, n_classes=3))
    with pytest.raises(HeadError, match=r"can only predict. To fit again, give the estimator again"):
        restored.fit(X, y, n_classes=3)
