"""Heads as layers to train on, and back."""

import numpy as np
import pytest
import torch
from torch import nn

from icecore.heads import make, restore
from icecore.heads.tuning import layers_of, with_layers

CONVERTIBLE = [
    "logistic",
    "ridge",
    "svm",
    "lda",
    "mlp:8",
    "mlp:16,relu,8,relu",
    nn.Linear(6, 3),
    "torch:tests.heads.own_layers:two_layers",
]


def examples(n: int = 60, classes: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features of uneven scale, one of which never varies, and codes."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % classes
    X = rng.normal(y[:, None] * [1, 0.5, -1, 0, 0, 0], 1.0, (n, 6)) * [1, 10, 0.1, 1, 3, 0] + [0, 5, 0, -2, 0, 4]
    return X.astype(np.float32), y


def probabilities(layers: nn.Module, X: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return torch.softmax(layers(torch.from_numpy(X)).double(), 1).numpy()


@pytest.mark.parametrize("spec", CONVERTIBLE)
def test_the_layers_do_what_the_head_does(spec):
    """For every head that can be layers: the same probabilities, on rows that it was not fitted on too."""
    X, y = examples()
    head = make(spec).fit(X, y, n_classes=3)
    layers = layers_of(head, X)
    assert layers[0].eps > 0  # torch 2.11 refuses 0
    new = examples(seed=1)[0]
    temperature = getattr(head.steps_[-1], "temperature", 1.0) if not isinstance(spec, str) or ":" in spec else 1.0
    with torch.no_grad():
        logits = layers(torch.from_numpy(new)).double() / temperature
    np.testing.assert_allclose(torch.softmax(logits, 1).numpy(), head.predict_proba(new), atol=2e-5)


@pytest.mark.parametrize("spec", CONVERTIBLE)
def test_a_head_with_layers_is_saved_and_restored(spec):
    """What became of the layers is a head like any: saved, restored, the same probabilities; and it is fitted anew."""
    X, y = examples()
    head = make(spec).fit(X, y, n_classes=3)
    layers = layers_of(head, X)
    with torch.no_grad():
        for value in layers.parameters():
            value.add_(0.05 * torch.randn(value.shape, generator=torch.Generator().manual_seed(0)))
    tuned = with_layers(head, layers, 1.7)
    with torch.no_grad():
        expected = torch.softmax(layers(torch.from_numpy(X)).double() / 1.7, 1).numpy()
    np.testing.assert_allclose(tuned.predict_proba(X), expected, atol=1e-6)
    np.testing.assert_allclose(restore(*tuned.state()).predict_proba(X), expected, atol=1e-6)
    again = restore(*tuned.state()).fit(X, y, n_classes=3)
    assert (again.predict_proba(X).argmax(1) == y).mean() > 0.45


@pytest.mark.parametrize("spec", ["logistic", "ridge", "svm", "lda"])
def test_a_class_that_was_not_there_keeps_its_column(spec):
    """Its logit is low and can be trained; the others are as the head has them."""
    X, y = examples(classes=2)
    head = make(spec).fit(X, np.where(y == 1, 3, 0), n_classes=4)
    found = probabilities(layers_of(head, X), X)
    np.testing.assert_allclose(found[:, [0, 3]], head.predict_proba(X)[:, [0, 3]], atol=1e-3)
    assert found[:, [1, 2]].max() < 1e-3


@pytest.mark.parametrize("spec", ["knn", "svm-rbf", "centroid"])
def test_other_heads_are_no_layers(spec):
    """Neighbours, kernels and centroids."""
    X, y = examples()
    assert layers_of(make(spec).fit(X, y, n_classes=3), X) is None


def test_the_layers_are_apart_from_the_head():
    """Training them leaves the head as it was; its first layer stays as it is."""
    X, y = examples()
    for spec in ("logistic", "mlp:8"):
        head = make(spec).fit(X, y, n_classes=3)
        before = head.predict_proba(X)
        layers = layers_of(head, X)
        assert all(value.requires_grad for value in layers.parameters())
        with torch.no_grad():
            for value in layers.parameters():
                value.zero_()
        np.testing.assert_array_equal(head.predict_proba(X), before)
        assert not list(layers[0].parameters())


def test_features_too_small_for_float32_give_nothing():
    """A network of random weights may fade out: what its features say cannot be told in float32, and is not NaN."""
    X = np.float32(np.random.default_rng(0).normal(size=(12, 4)) * 1e-30)
    layers = layers_of(make("logistic").fit(X, np.arange(12) % 2, n_classes=2), X)
    assert layers is not None
    assert torch.isfinite(layers.eval()(torch.from_numpy(X))).all()
