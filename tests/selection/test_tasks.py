"""Choosing layer, head and penalty for numbers, several labels and classes in an order."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, r2_score

from icecore import heads
from icecore.evaluation import folds
from icecore.selection import choose, held_out, nested
from icecore.tasks import Multilabel, Ordinal, Regression
from tests.selection.examples import noise


def planted(task, n=200, seed=0):
    """Features whose second layer knows the target, a first that does not, and the target."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 8)).astype(np.float32)
    if isinstance(task, Regression):
        y = X[:, 0] + 0.5 * X[:, 1] + 0.2 * rng.normal(size=n)
    elif isinstance(task, Multilabel):
        y = (X[:, :3] + 0.2 * rng.normal(size=(n, 3)) > [0, 0.5, 1]).astype(int)
    else:
        y = np.digitize(X[:, 0] + 0.2 * rng.normal(size=n), [-0.7, 0, 0.7])
    return {"blocks.0": noise(n, 8), "blocks.1": X}, y


TASKS = [Regression(), Multilabel(("a", "b", "c")), Ordinal(("1", "2", "3", "4"))]


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_the_layer_that_knows_is_chosen(task):
    """Of one that knows the target and one of noise, with every head open."""
    features, y = planted(task)
    choice = choose(features, y, task, joint=False)
    assert choice.candidate.layer == "blocks.1"
    assert choice.table[0].score > 0.7


def test_scores_of_numbers_are_r2_and_those_of_labels_mean_average_precision():
    """The score of a candidate is that of scikit-learn on its out-of-fold values."""
    features, y = planted(TASKS[0])
    strata = TASKS[0].strata(y)
    plan = folds(strata, seed=0)
    choice = choose({"last": features["blocks.1"]}, y, TASKS[0], heads=["ridge"])
    swept = heads.sweep_numbers([("ridge", [0.1])], features["blocks.1"], y, plan)[0][0]
    own = next(one for one in choice.table if one.candidate.penalty == 0.1)
    assert own.score == pytest.approx(r2_score(y, swept))
    features, y = planted(TASKS[1])
    odds = heads.sweep_answers([("ridge", [0.1])], features["blocks.1"], y.astype(bool), plan)[0]
    gains = TASKS[1].gains(y, odds, None)
    assert gains.mean() == pytest.approx(average_precision_score(y, odds[0], average="macro"))


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_noise_is_not_rewarded(task):
    """On features that know nothing the nested figures say so, whatever was chosen."""
    _, y = planted(task, 120)
    found = nested({"last": noise(120, 30)}, y, task, heads=["ridge", "knn"]).metrics()
    name = {"regression": "r2", "ordinal": "quadratic_weighted_kappa"}.get(task.name)
    if name:
        assert found[name].low < 0.1
    else:
        assert found["mean_average_precision"].value < y.mean() + 0.15


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_a_given_split_is_kept(task):
    """Chosen on `val`, scored on `test`; the head is fitted on the rest."""
    features, y = planted(task)
    splits = np.array(["train"] * 120 + ["val"] * 40 + ["test"] * 40)
    found = held_out(features, y, task, splits, heads=["ridge"])
    assert found.test_rows.tolist() == list(range(160, 200))
    assert found.proba.shape == (40, task.width)
    assert found.choice.candidate.layer == "blocks.1"


def test_thresholds_of_labels_come_from_each_folds_own_training_rows():
    """What a fold says of its rows carries the thresholds that were tuned without them."""
    features, y = planted(TASKS[1], 100)
    said = nested({"last": features["blocks.1"]}, y, TASKS[1], heads=["ridge"]).out_of_fold.proba[0]
    assert 1 < len(np.unique(said[:, 3:], axis=0)) <= 5
