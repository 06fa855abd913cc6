"""Prediction sets hold the truth as often as they say."""

import numpy as np
import pytest

from icecore.errors import UsageError
from icecore.evaluation import conformal, cross_validate
from tests.evaluation.test_coverage import centroids, gaussians, simulate


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
@pytest.mark.parametrize("sureness", [1.0, 2.0])
def test_coverage_is_as_chosen(coverage, sureness):
    """Over 200 data sets, of a calibrated and of an overconfident model: within a point of nominal on new items."""
    rng = np.random.default_rng(int(coverage * 100))
    scene = ([0.5, 0.3, 0.2], 1.3, sureness)
    held = []
    for _ in range(200):
        y, proba = simulate(rng, 300, *scene)
        new, p = simulate(rng, 1000, *scene)
        held.append(conformal(y, proba, coverage).sets(p)[np.arange(1000), new].mean())
    assert np.mean(held) == pytest.approx(coverage, abs=0.01)


def test_coverage_of_a_model_fitted_on_all_rows_is_as_chosen():
    """Thresholds of out-of-fold predictions serve the model of all rows: within a point over 200 data sets."""
    rng = np.random.default_rng(1)
    X_new, y_new = gaussians(rng, 4000)
    held = []
    for _ in range(200):
        X, y = gaussians(rng, 150)
        result = cross_validate(lambda train, test, X=X, y=y: centroids(X[train], y[train], X[test]), y, 3)
        sets = conformal(y, result.mean_proba, 0.9).sets(centroids(X, y, X_new))
        held.append(sets[np.arange(len(y_new)), y_new].mean())
    assert np.mean(held) == pytest.approx(0.9, abs=0.01)


def test_items_that_come_several_times_count_once():
    """Ten copies of one item are one item: the threshold is that of the items, not of the rows."""
    rng = np.random.default_rng(2)
    y, proba = simulate(rng, 100, [0.5, 0.5], 1.0, 1.0)
    rows = np.concatenate([np.arange(100), np.zeros(900, int)])
    found = conformal(y[rows], proba[rows], 0.9, groups=rows)
    assert (found.threshold, found.items) == (conformal(y, proba, 0.9).threshold, 100)


def test_aps_sets_are_larger_where_it_is_hard():
    """The sets of `aps` hold the truth at least as often as chosen, are never empty, and grow with doubt."""
    rng = np.random.default_rng(3)
    y, proba = simulate(rng, 2000, [0.4, 0.3, 0.3], 1.2, 1.0)
    new, p = simulate(rng, 5000, [0.4, 0.3, 0.3], 1.2, 1.0)
    sets = conformal(y, proba, 0.9, method="aps").sets(p)
    assert sets[np.arange(5000), new].mean() > 0.89
    hard = p.max(axis=1) < 0.6
    assert sets[hard].sum(axis=1).mean() > sets[~hard].sum(axis=1).mean()


def test_what_cannot_be_had_is_told():
    """A coverage beyond the number of items, or that is no share, or without any item."""
    y, proba = np.array([0, 1] * 5), np.full((10, 2), 0.5)
    with pytest.raises(UsageError, match=r"at least 19 such items\. Choose a coverage of at most 0\.91"):
        conformal(y, proba, 0.95)
    with pytest.raises(UsageError, match="A share between 0 and 1"):
        conformal(y, proba, 1.0)
    with pytest.raises(UsageError, match="no item with a prediction"):
        conformal(y[:0], proba[:0], 0.9)
