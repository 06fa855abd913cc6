"""Dense layers and the user's own: trained, seeded, saved as JSON and weights."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from icecore import heads
from icecore.errors import HeadError
from icecore.testing.heads import example
from tests.heads.own_layers import Scale

X, Y = example()


def restored(head):
    config, arrays = head.state()
    return heads.restore(json.loads(json.dumps(config)), arrays)


def layer_types(spec):
    config, _ = heads.make(spec).fit(X, Y, n_classes=3).state()
    return [layer["type"] for layer in config["steps"][1]["layers"]["layers"]]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("mlp:16", ["Linear", "ReLU", "Linear"]),
        ("mlp:16,8", ["Linear", "ReLU", "Linear", "ReLU", "Linear"]),
        ("mlp:16,gelu,dropout0.3", ["Linear", "GELU", "Dropout", "Linear"]),
        ("mlp:16,batchnorm,dropout=0.5", ["Linear", "BatchNorm1d", "ReLU", "Dropout", "Linear"]),
        ("mlp:layernorm,16,tanh", ["LayerNorm", "Linear", "Tanh", "Linear"]),
        ("mlp", ["Dropout", "Linear", "ReLU", "Dropout", "Linear"]),
    ],
)
def test_words_become_layers(spec, expected):
    """One word a layer; a width without activation gets ReLU after its norm; the last layer goes to the classes."""
    assert layer_types(spec) == expected


def test_own_layers_are_saved_as_json_and_weights():
    """A nested Sequential of torch's own layers comes back and predicts the same."""
    layers = nn.Sequential(
        nn.LayerNorm(8),
        nn.Sequential(nn.LazyLinear(16, bias=False), nn.BatchNorm1d(16), nn.LeakyReLU(0.2)),
        nn.Dropout(0.2),
        nn.Linear(16, 3),
    )
    head = heads.make(layers).fit(X, Y, n_classes=3)
    np.testing.assert_array_equal(restored(head).predict_proba(X), head.predict_proba(X))
    assert (head.predict_proba(X).argmax(axis=1) == Y).mean() > 0.9


def test_a_restored_head_of_layers_can_be_fitted_again():
    """The layers are built anew from their description, and learn."""
    again = restored(heads.make(nn.Linear(8, 3)).fit(X, Y, n_classes=3)).fit(X, Y, n_classes=3)
    assert (again.predict_proba(X).argmax(axis=1) == Y).mean() > 0.9


def test_the_layers_given_stay_as_they_are():
    """Training works on a copy: weights, mode and the caller's random state stay."""
    layers = nn.Linear(8, 3).train()
    before, state = layers.weight.detach().clone(), torch.get_rng_state()
    heads.make(layers).fit(X, Y, n_classes=3)
    assert torch.equal(layers.weight, before)
    assert layers.training
    assert torch.equal(torch.get_rng_state(), state)


def test_the_seed_decides():
    """The same seed gives the same weights, another seed others."""
    one, same, other = (heads.make("mlp:8", seed=s).fit(X, Y, n_classes=3).predict_proba(X) for s in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_layers_of_ones_own_are_found_by_name():
    """`torch:module:factory` is built for the features and classes at hand, saved as its name and weights."""
    head = heads.make("torch:tests.heads.own_layers:two_layers").fit(X, Y, n_classes=3)
    config, _ = head.state()
    assert config["factory"] == "tests.heads.own_layers:two_layers"
    np.testing.assert_array_equal(restored(head).predict_proba(X), head.predict_proba(X))


def test_layers_that_are_no_torch_layers_work_in_memory_only():
    """A module of one's own predicts; its state asks for a factory."""
    head = heads.make(nn.Sequential(nn.Linear(8, 3), Scale())).fit(X, Y, n_classes=3)
    assert head.predict_proba(X).shape == (60, 3)
    with pytest.raises(
        HeadError, match=r"The layer Scale cannot be written down as JSON.*torch:your_module:your_factory"
    ):
        head.state()


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (nn.Linear(8, 5), r"output of shape \(2, 5\). The shape \(2, 3\): a logit for each of the 3 classes"),
        (nn.Linear(7, 3), "The layers do not take 8 features.*Make the first layer 8 wide"),
        (nn.Sequential(nn.Linear(8, 3), nn.Softmax(1)), "The last of the layers is Softmax, which gives probabilities"),
        ("torch:tests.heads.own_layers:missing", "There is no 'tests.heads.own_layers:missing'"),
        ("torch:no_such_module:f", "There is no 'no_such_module:f'"),
        ("torch:tests.heads.own_layers:no_module", r"no_module\(8, 3\) returned list. It returns a torch.nn.Module"),
    ],
)
def test_layers_that_do_not_fit_are_refused(layers, message):
    """What is wrong with the layers is said before any training."""
    with pytest.raises(HeadError, match=message):
        heads.make(layers).fit(X, Y, n_classes=3)


def test_an_mlp_is_quick_and_good_on_real_data():
    """1,200 digits take seconds, and nearly all new ones are right."""
    data, y = load_digits(return_X_y=True)
    start = time.perf_counter()
    head = heads.make("mlp").fit(data[:1200], y[:1200], n_classes=10)
    assert time.perf_counter() - start < 60  # a second or two on a quiet machine
    assert (head.predict_proba(data[1200:]).argmax(axis=1) == y[1200:]).mean() > 0.9
