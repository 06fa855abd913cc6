"""The scikit-learn estimators for numbers, several labels and classes in an order."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.metrics import f1_score, r2_score
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from torch import nn

from icecore import TransferClassifier, TransferRegressor
from icecore.errors import DataError, HeadError, UsageError
from tests.small import BACKBONE, labelled


def plane(n=120):
    """Features, and numbers near a plane."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 5)).astype(np.float32)
    return X, 1000 + 3 * X[:, 0] - X[:, 1] + 0.1 * rng.normal(size=n)


@pytest.mark.parametrize("head", ["ridge", "svm", "svm-rbf", "knn", "auto", Ridge(), RandomForestRegressor(20)])
def test_a_regressor_is_scored_and_searched(head):
    """By cross-validation as any other; clones keep their parameters."""
    X, y = plane()
    model = TransferRegressor(head=head)
    assert cross_val_score(clone(model), X, y, cv=3).mean() > 0.5
    assert clone(model).get_params()["head"] is not None


def test_torch_layers_with_one_output():
    """The user's own layers; more outputs are told."""
    torch.manual_seed(0)
    X, y = plane()
    assert r2_score(y, TransferRegressor(head=nn.Linear(5, 1)).fit(X, y).predict(X)) > 0.95
    with pytest.raises(HeadError, match=r"The shape \(2, 1\): the number that is predicted"):
        TransferRegressor(head=nn.Linear(5, 3)).fit(X, y)


def test_a_regressor_from_pictures(colours, store):
    """Numbers of pictures; a grid search over penalties; what is no number is told."""
    paths, names = labelled(colours)
    y = np.array([{"blue": 0.0, "green": 1.0, "red": 5.0}[name] for name in names])
    search = GridSearchCV(TransferRegressor(BACKBONE, store=store), {"penalty": [0.1, 1.0]}, cv=KFold(3, shuffle=True))
    assert search.fit(paths, y).best_score_ > 0.5
    with pytest.raises(DataError, match="is to be predicted as a number, and holds 'blue'"):
        TransferRegressor(BACKBONE, store=store).fit(paths, names)
    with pytest.raises(UsageError, match="requires y to be passed"):
        TransferRegressor(BACKBONE, store=store).fit(paths, None)


@pytest.mark.parametrize("head", ["logistic", "ridge", "auto"])
def test_a_classifier_of_several_labels(head):
    """A matrix of 0 and 1 in, the same out."""
    X, _ = plane()
    Y = (X[:, :3] > [0, 0.5, 1]).astype(int)
    model = TransferClassifier(head=head).fit(X, Y)
    assert model.predict_proba(X).shape == (120, 3)
    assert f1_score(Y, model.predict(X), average="macro") > 0.7
    assert model.classes_.tolist() == [0, 1, 2]


def test_a_classifier_with_an_order(colours, store):
    """Classes in the order given, and the median of their probabilities."""
    paths, names = labelled(colours)
    order = ["red", "blue", "green"]
    model = TransferClassifier(BACKBONE, head="logistic", order=order, store=store).fit(paths, names)
    assert model.classes_.tolist() == order
    assert model.predict(paths[:1]).tolist() == ["blue"]
    assert model.score(paths, names) > 0.9
    with pytest.raises(DataError, match=r"leaves out green"):
        TransferClassifier(BACKBONE, order=["red", "blue"], store=store).fit(paths, names)
