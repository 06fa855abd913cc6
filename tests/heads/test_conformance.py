"""Every head keeps the contract that plug-in heads are held to, and the checks notice heads that do not."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from torch import nn

from icecore import heads, plugins
from icecore.heads.centroid import CentroidHead
from icecore.testing.heads import check_head, check_learns, check_state

NAMED = [
    "centroid",
    "ridge",
    "ridge:alpha=0.5",
    "logistic",
    "logistic:C=3",
    "lda",
    "lda:shrinkage=0.5",
    "svm",
    "svm:C=0.5",
    "knn",
    "knn:k=3",
    "svm-rbf",
    "svm-rbf:C=10,gamma=0.5",
]


@pytest.mark.parametrize("class_weight", [None, "balanced"])
@pytest.mark.parametrize("spec", NAMED)
def test_named_heads_keep_the_contract(spec, class_weight):
    """Each head by name passes `check_head`, with and without class weights."""
    check_head(lambda: heads.make(spec, class_weight=class_weight))


@pytest.mark.slow
@pytest.mark.parametrize("spec", ["mlp:16", "mlp:16,batchnorm,gelu,dropout0.1,8,layernorm,silu"])
def test_mlps_keep_the_contract(spec):
    """So does a stack of dense layers."""
    check_head(lambda: heads.make(spec, class_weight="balanced"))


@pytest.mark.parametrize(
    "estimator",
    [
        make_pipeline(StandardScaler(), LogisticRegression()),
        make_pipeline(StandardScaler(), RidgeClassifier()),
        make_pipeline(StandardScaler(), SVC()),
        make_pipeline(StandardScaler(), KNeighborsClassifier(1)),
    ],
    ids=lambda pipeline: type(pipeline[-1]).__name__,
)
def test_the_users_estimators_keep_the_contract(estimator):
    """So does a scikit-learn classifier of the user's."""
    check_head(lambda: heads.make(estimator))


@pytest.mark.slow
def test_the_users_layers_keep_the_contract():
    """So does a factory of layers. (A module in memory has a fixed width, so it cannot be tried on every shape.)"""
    check_head(lambda: heads.make("torch:tests.heads.own_layers:two_layers"))


def test_every_entry_point_is_a_head():
    """Every name that pyproject.toml gives makes a head that says this name."""
    for name in plugins.names("heads"):
        head = heads.make(name)
        assert head.name == name
        assert isinstance(head, heads.Head)


def test_a_plug_in_is_made_and_restored_by_its_name():
    """A factory that is registered is a head like any other: made by its spec, restored from its state."""

    class Nearest(CentroidHead):
        name = "nearest"

    plugins.register("heads", "nearest", Nearest)
    X, y = np.eye(4, dtype=np.float32), np.array([0, 0, 1, 1])
    head = heads.make("nearest").fit(X, y, n_classes=2)
    assert isinstance(heads.restore(*head.state()), Nearest)


def test_the_checks_notice_a_head_that_does_not_learn():
    """A head that gives every row the same probabilities fails, in words."""

    class Lazy(CentroidHead):
        def predict_proba(self, X):
            return np.full((len(X), self.n_classes_), 1 / self.n_classes_)

    with pytest.raises(AssertionError, match="only 33% of well separated training rows are right"):
        check_learns(Lazy)


def test_the_checks_notice_a_state_that_lacks_something():
    """A head whose state is not all that it predicts by fails, in words."""

    class Forgetful(CentroidHead):
        def state(self):
            config, arrays = super().state()
            return config, {name: array * 1.01 if array.dtype == float else array for name, array in arrays.items()}

    with pytest.raises(AssertionError, match=r"differ by .* after its state was saved and loaded"):
        check_state(Forgetful)


def test_a_module_in_memory_is_saved_and_restored():
    """Layers given as a module pass the state check once their width fits."""
    check_state(lambda: heads.make(nn.Sequential(nn.LazyLinear(16), nn.ReLU(), nn.Linear(16, 4))))
