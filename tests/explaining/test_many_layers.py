"""Heads over many layers and ensembles have a slope, so predictions of theirs are explained like others."""

import numpy as np
import pytest
import torch

from icecore import heads
from icecore.explaining.differentiable import as_function
from icecore.heads.ensemble import Ensemble, Member
from icecore.heads.layered import Over
from icecore.testing.heads import example

BOTH = Ensemble((Member("ridge", 0.3, ((0, 4), (8, 12)), 0.75), Member("svm-rbf:C=3", None, ((2, 8),), 0.25)))


@pytest.mark.parametrize(
    "spec", [Over("layer-sum", [6, 6, 6, 6]), Over("head2toe:keep=0.5", [12, 12]), "head2toe:budget=10,keep=1", BOTH]
)
def test_the_function_is_the_head(spec):
    """What torch differentiates gives the head's own probabilities, and has a slope."""
    X, y = example(d=24)
    head = heads.make(spec).fit(X, y, n_classes=3)
    function = as_function(head)
    x = torch.from_numpy(X).double().requires_grad_(True)
    proba = function(x)
    np.testing.assert_allclose(proba.detach().numpy(), head.predict_proba(X), atol=1e-5)
    proba[:, 0].sum().backward()
    assert x.grad.abs().sum() > 0


def test_an_ensemble_with_a_head_without_a_slope_has_none():
    """Such a head is explained in the way that needs no slope."""
    X, y = example(d=24)
    spec = Ensemble((Member("ridge", 0.3, ((0, 4),), 0.5), Member("knn:k=3", None, ((4, 8),), 0.5)))
    function = as_function(heads.make(spec).fit(X, y, n_classes=3))
    assert (function is None) == (as_function(heads.make("knn:k=3").fit(X, y, n_classes=3)) is None)
