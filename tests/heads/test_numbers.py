"""Heads for numbers: their contract, and that the closed forms are what scikit-learn, or the long way round, gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR, LinearSVR
from torch import nn

from icecore import heads
from icecore.errors import HeadError
from icecore.heads.scaling import standardisation
from icecore.testing import check_regressor
from icecore.testing.regressors import numbers
from tests.heads.test_pieces import Elsewhere

NAMED = [
    "ridge",
    "ridge:alpha=0.5",
    "svm",
    "svm:C=3,epsilon=0.01",
    "svm-rbf",
    "svm-rbf:C=10,gamma=0.5",
    "knn",
    "knn:k=3",
]
OWN = {
    "linear": LinearRegression(),
    "scaled SVR": make_pipeline(StandardScaler(), SVR(C=10)),
    "neighbours": KNeighborsRegressor(3, weights="distance"),
}


@pytest.mark.parametrize("spec", NAMED)
def test_named_regressors_keep_the_contract(spec):
    """Each passes `check_regressor`."""
    check_regressor(lambda: heads.make_regressor(spec))


@pytest.mark.slow
@pytest.mark.parametrize("spec", ["mlp:16,gelu", nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 1))])
def test_layers_learn_numbers(spec):
    """A stack of dense layers, and the user's own, in any unit; saved and loaded they predict the same."""
    X, y = numbers(200)
    head = heads.make_regressor(spec).fit(X, 1000 * y + 5e4)
    assert np.square(head.predict(X) - 1000 * y - 5e4).mean() < 0.1 * (1000 * y).var()
    np.testing.assert_allclose(heads.restore_regressor(*head.state()).predict(X), head.predict(X), rtol=1e-5)


@pytest.mark.parametrize("title", OWN)
def test_scikit_learn_regressors_are_heads(title):
    """They predict as they do by themselves, and are saved without pickle where there are arrays for them."""
    X, y = numbers()
    head = heads.make_regressor(OWN[title]).fit(X, y)
    np.testing.assert_allclose(head.predict(X), OWN[title].fit(X, y).predict(X), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(heads.restore_regressor(*head.state()).predict(X), head.predict(X), rtol=1e-6)


def test_what_cannot_be_saved_or_predict_numbers_is_told():
    """A forest predicts in memory only; lda and a classifier know classes only; a penalty is not said twice."""
    X, y = numbers()
    forest = heads.make_regressor(RandomForestRegressor(5)).fit(X, y)
    assert forest.predict(X).shape == (80,)
    with pytest.raises(HeadError, match=r"RandomForestRegressor cannot be saved without pickle.*SVR"):
        forest.state()
    with pytest.raises(HeadError, match=r"'lda' predicts classes.*For numbers there are knn, mlp, ridge, svm, svm-rbf"):
        heads.make_regressor("lda")
    with pytest.raises(HeadError, match="is not a regressor"):
        heads.make_regressor(make_pipeline(StandardScaler()))
    with pytest.raises(HeadError, match="says its penalty"):
        heads.make_regressor("ridge:alpha=1", penalty=2.0)
    with pytest.raises(HeadError, match=r"numbers to predict are float64\. Finite numbers"):
        heads.make_regressor("ridge").fit(X, np.full(80, np.nan))


@pytest.mark.parametrize("d", [6, 120])
def test_ridge_is_scikit_learns(d):
    """On the same scale, wide rows included."""
    X, y = numbers(d=d)
    Z = standardisation(X)(X)
    theirs = Ridge(alpha=0.3).fit(Z, y).predict(Z)
    np.testing.assert_allclose(heads.make_regressor("ridge", penalty=0.3).fit(X, y).predict(X), theirs, atol=1e-8)


def test_support_vector_regressions_are_scikit_learns():
    """The linear one by our own solver, and the one with a Gaussian kernel, in units of mean zero and spread one."""
    X, y = numbers()
    Z, unit = standardisation(X)(X), (y - y.mean()) / y.std()
    linear = LinearSVR(
        C=2, epsilon=0.1, loss="squared_epsilon_insensitive", dual=False, tol=1e-8, intercept_scaling=1e3
    )
    found = heads.make_regressor("svm:C=2").fit(X, y).predict(X)
    np.testing.assert_allclose(found, linear.fit(Z, unit).predict(Z) * y.std() + y.mean(), atol=1e-2)
    kernel = SVR(C=2, gamma=0.5, epsilon=0.1).fit(Z, unit)
    found = heads.make_regressor("svm-rbf:C=2,gamma=0.5").fit(X, y).predict(X)
    np.testing.assert_allclose(found, kernel.predict(Z) * y.std() + y.mean(), atol=1e-2)


@given(seed=st.integers(0, 1000), n=st.integers(8, 30), d=st.integers(1, 40), penalty=st.floats(0.01, 10))
@settings(max_examples=25)
def test_leaving_one_out_is_the_long_way_round(seed, n, d, penalty):
    """The closed form is what n fits give that each leave a row out; rows of one group are left out together."""
    X, y = numbers(n, d, seed=seed)
    groups = np.arange(n) // 2
    Z = standardisation(X)(X)
    for own in (np.arange(n), groups):
        expected = np.empty(n)
        for group in np.unique(own):
            rows = own == group
            expected[rows] = Ridge(alpha=penalty).fit(Z[~rows], y[~rows]).predict(Z[rows])
        found = heads.ridge_loo_numbers(X, y, [penalty], groups=own)[0]
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_ridge_takes_the_penalty_that_leaves_the_least_error():
    """Noise asks for a strong one, a plane for a weak one; equal rows do not vouch for each other."""
    rng = np.random.default_rng(0)
    X, y = numbers(60, 40)
    noise = rng.normal(size=60)
    grid = [p for p in heads.regressor_penalties("ridge") if p is not None]

    def chosen(X, y):
        fitted = heads.make_regressor("ridge").fit(X, y).predict(X)
        return min(
            grid, key=lambda p: np.abs(heads.make_regressor("ridge", penalty=p).fit(X, y).predict(X) - fitted).max()
        )

    assert chosen(X, noise) >= 10
    assert chosen(X, y) <= 0.1
    assert chosen(np.concatenate([X, X]), np.concatenate([noise, noise])) >= 10


@pytest.mark.parametrize("spec", ["ridge", "svm", "svm-rbf", "knn", "knn:k=3", LinearRegression()])
def test_a_sweep_is_a_fit_each(spec):
    """Values of all penalties at once are those of one fit for each."""
    X, y = numbers(60)
    folds = [(np.arange(40), np.arange(40, 60)), (np.arange(20, 60), np.arange(20))]
    grid = heads.regressor_penalties(spec)
    found = heads.sweep_numbers([(spec, grid)], X, y, folds)[0]
    assert np.isnan(found[:, 20:40]).all()
    for values, penalty in zip(found, grid, strict=True):
        for train, test in folds:
            fitted = heads.make_regressor(spec, penalty=penalty).fit(X[train], y[train])
            np.testing.assert_allclose(values[test], fitted.predict(X[test]), atol=2e-2 if spec == "svm" else 1e-6)


@pytest.mark.parametrize("spec", ["ridge:alpha=0.1", "svm"])
def test_linear_regressors_are_fitted_in_pieces(spec):
    """On rows that are read piece by piece they are the same as in memory."""
    X, y = numbers(5000)
    whole = heads.make_regressor(spec).fit(X, y).predict(X[:100])
    pieces = heads.make_regressor(spec).fit_in_pieces(Elsewhere(X), y).predict(X[:100])
    np.testing.assert_allclose(pieces, whole, atol=5e-3)
    assert np.abs(heads.make_regressor("ridge").fit_in_pieces(Elsewhere(X), y).predict(X) - y).mean() < 0.2
