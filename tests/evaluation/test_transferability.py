"""LogME, H-score and LEEP against formulas that take another way, and their intervals against leaving rows out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from sklearn.covariance import ledoit_wolf

from icecore.errors import UsageError
from icecore.evaluation import h_score, leep, logme


def example(n=40, d=6, k=3, seed=0, signal=1.5):
    """Features of k classes with their means apart, and their codes."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % k
    X = rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + signal * rng.normal(size=(k, d))[y]
    return X, y


def best_log_density(X, target):
    """The evidence by its definition: y ~ N(0, I / noise + X X' / prior), at the best precisions."""

    def negative(logs):
        prior, noise = np.exp(logs)
        covariance = np.eye(len(X)) / noise + X @ X.T / prior
        determinant = np.linalg.slogdet(covariance)[1]
        return (target @ np.linalg.solve(covariance, target) + determinant + len(X) * np.log(2 * np.pi)) / 2

    starts = [(0.0, 0.0), (3.0, 1.0), (-3.0, 3.0)]
    return -min(minimize(negative, start, method="Nelder-Mead", tol=1e-10).fun for start in starts)


@pytest.mark.parametrize(("n", "d"), [(40, 6), (12, 30), (20, 20)])
def test_logme_is_the_best_evidence(n, d):
    """The mean over classes of the largest log density of their indicators under the model, divided by the rows."""
    X, y = example(n, d)
    expected = np.mean([best_log_density(X, (y == c).astype(float)) for c in range(3)]) / n
    assert logme(X, y, 3).value == pytest.approx(expected, abs=2e-5)


def test_logme_of_quantities_is_the_best_evidence_too():
    """Without classes, y holds quantities, and several are averaged."""
    X, _ = example()
    Y = X[:, :2] + np.random.default_rng(1).normal(size=(40, 2))
    expected = np.mean([best_log_density(X, column) for column in Y.T]) / 40
    assert logme(X, Y).value == pytest.approx(expected, abs=2e-5)


def test_logme_of_features_that_say_nothing_is_that_of_noise_alone():
    """Features that are all 0 leave the variance of the labels, about zero, as the only thing to explain."""
    y = np.arange(30) % 2
    expected = -(np.log(2 * np.pi * 0.5) + 1) / 2
    assert logme(np.zeros((30, 4)), y, 2).value == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("shrinkage", [0.0, 0.3])
@pytest.mark.parametrize(("n", "d"), [(60, 5), (15, 25)])
def test_h_score_is_the_trace_of_its_definition(n, d, shrinkage):
    """Trace of the inverse of the (shrunk) covariance times the covariance of the class means of all rows."""
    X, y = example(n, d)
    covariance = np.cov(X.T, bias=True)
    means = np.stack([X[y == c].mean(axis=0) for c in range(3)])[y]
    target = np.trace(covariance) / d * np.eye(d)
    inverse = np.linalg.pinv((1 - shrinkage) * covariance + shrinkage * target, rcond=1e-10)
    expected = np.trace(inverse @ ((1 - shrinkage) * np.cov(means.T, bias=True)))
    assert h_score(X, y, 3, shrinkage=shrinkage).value == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("n", "d"), [(60, 5), (15, 25)])
def test_h_score_shrinks_as_ledoit_and_wolf_say(n, d):
    """Without a given shrinkage it is the one that scikit-learn finds."""
    X, y = example(n, d)
    assert h_score(X, y, 3).value == pytest.approx(h_score(X, y, 3, shrinkage=ledoit_wolf(X)[1]).value, rel=1e-9)


def test_leep_is_the_mean_log_of_its_definition():
    """Sum over the former classes of P(y | z) P(z | x), row by row in plain loops."""
    rng = np.random.default_rng(0)
    proba, y = rng.dirichlet(np.ones(5), size=30), np.arange(30) % 3
    joint = np.zeros((3, 5))
    for row, label in zip(proba, y, strict=True):
        joint[label] += row / 30
    given_former = joint / joint.sum(axis=0)
    expected = np.mean([np.log(given_former[label] @ row) for row, label in zip(proba, y, strict=True)])
    assert leep(proba, y, 3).value == pytest.approx(expected)


def of_proba(X, y, k):
    """LEEP of probabilities that are made of features."""
    proba = np.exp(X - X.max(axis=1, keepdims=True))
    return leep(proba / proba.sum(axis=1, keepdims=True), y, k)


@pytest.mark.parametrize("score", [logme, h_score, of_proba])
def test_intervals_agree_with_leaving_rows_out(score):
    """Their widths are within a fifth of those of the jackknife, which computes the score anew without each row."""
    assert half_width(score, *example(150, 5)) == pytest.approx(jackknife(score, *example(150, 5)), rel=0.2)


def test_so_does_that_of_logme_with_more_features_than_rows():
    """Where features could explain everything."""
    X, y = example(40, 80)
    assert half_width(logme, X, y) == pytest.approx(jackknife(logme, X, y), rel=0.3)


def half_width(score, X, y):
    found = score(X, y, 3)
    return (found.high - found.low) / 2


def jackknife(score, X, y):
    n = len(y)
    without = [score(np.delete(X, i, axis=0), np.delete(y, i), 3).value for i in range(n)]
    return 1.96 * np.sqrt((n - 1) / n * np.sum((np.array(without) - np.mean(without)) ** 2))


@pytest.mark.parametrize("score", [logme, h_score])
def test_equal_items_narrow_no_interval(score):
    """Every row twice, in groups of two, has the interval of every row once; as rows of their own a narrower one."""
    X, y = example(150, 5)
    twice, groups = np.repeat(X, 2, axis=0), np.repeat(np.arange(150), 2)
    once, grouped, apart = (
        score(X, y, 3),
        score(twice, np.repeat(y, 2), 3, groups=groups),
        score(twice, np.repeat(y, 2), 3),
    )
    width = once.high - once.low
    assert grouped.high - grouped.low == pytest.approx(width, rel=0.1)
    assert apart.high - apart.low < 0.8 * width


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), scale=st.floats(1e-3, 1e3), d=st.integers(1, 40))
def test_neither_scale_nor_rotation_matter(seed, scale, d):
    """A network whose features are larger, or another network's turned, has the same scores."""
    X, y = example(30, d, seed=seed)
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(d, d)))[0]
    for score in (logme, h_score):
        assert score(scale * X @ turn, y, 3).value == pytest.approx(score(X, y, 3).value, abs=1e-3)


def test_features_that_know_the_classes_score_higher():
    """All three put features that separate the classes before features that do not, beyond their intervals."""
    X, y = example(200, 6, signal=3.0)
    noise = np.random.default_rng(2).normal(size=X.shape)
    for score in (logme, h_score, of_proba):
        assert score(X, y, 3).low > score(noise, y, 3).high


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: logme(np.zeros(3), [0, 1, 0], 2), "Features came with shape (3,)."),
        (lambda: logme(np.full((3, 2), np.nan), [0, 1, 0], 2), "missing values"),
        (lambda: logme(np.zeros((3, 2)), [0, 1], 2), "Labels of shape (2,) came with 3 rows"),
        (lambda: h_score(np.zeros((3, 2)), [0, 2, 0], 2), "integers from 0 to 1"),
        (lambda: h_score(np.zeros((3, 2)), [1, 1, 1], 2), "The labels are all alike."),
        (lambda: h_score(np.eye(2), [0, 1], 2, shrinkage=2), "The shrinkage is 2."),
        (lambda: logme(np.zeros((3, 2)), [0.5, np.inf, 0.1]), "Quantities of shape (3,)"),
        (lambda: logme(np.zeros((3, 2)), [0.0, 0.0, 0.0]), "A quantity is 0 in every row."),
        (lambda: leep(np.ones((3, 2)), [0, 1, 0], 2), "rows that are no probabilities"),
    ],
)
def test_what_cannot_be_right_is_said(call, said):
    """Shapes, codes and values that cannot be right raise a UsageError that says what came."""
    with pytest.raises(UsageError) as caught:
        call()
    assert said in str(caught.value)
