"""A head is saved as JSON and arrays; a damaged or newer state is refused with a reason."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from icecore import heads
from icecore.errors import HeadError
from icecore.testing.heads import example

X, Y = example()
NAMES = ["centroid", "ridge", "logistic", "lda", "svm", "knn", "svm-rbf", "mlp:8"]


@pytest.mark.parametrize("name", NAMES)
def test_a_head_survives_its_file(name, tmp_path):
    """Written as safetensors and JSON and read back, it predicts exactly the same and knows how it was made."""
    head = heads.make(name, class_weight="balanced", seed=3).fit(X, Y, n_classes=4)
    config, arrays = head.state()
    save_file(arrays, tmp_path / "head.safetensors")
    again = heads.restore(json.loads(json.dumps(config)), load_file(tmp_path / "head.safetensors"))
    np.testing.assert_array_equal(again.predict_proba(X), head.predict_proba(X))
    assert again.name == name.split(":")[0]
    np.testing.assert_array_equal(
        again.fit(X, Y, n_classes=4).predict_proba(X), head.predict_proba(X)
    )  # made alike: options, class weight, seed


def test_options_and_penalty_are_part_of_the_state():
    """A head restored and fitted again is the one that was made."""
    for head in (heads.make("svm-rbf:gamma=0.3", penalty=0.1), heads.make("knn:k=3")):
        assert repr(heads.restore(*head.fit(X, Y, n_classes=3).state())) == repr(head)


def test_an_unknown_step_is_from_a_newer_version():
    """A kind of step that this version does not know is named."""
    config, arrays = heads.make("ridge").fit(X, Y, n_classes=3).state()
    config["steps"][0]["kind"] = "linear.v9"
    with pytest.raises(HeadError, match=r"a step of kind 'linear.v9'.*Load it with the version that saved it"):
        heads.restore(config, arrays)


@pytest.mark.parametrize("damage", ["steps", "head", "n_classes"])
def test_a_description_that_lacks_something_is_refused(damage):
    """A missing part is named."""
    config, arrays = heads.make("ridge").fit(X, Y, n_classes=3).state()
    damaged = copy.deepcopy(config)
    del damaged[damage]
    with pytest.raises(HeadError, match=f"The saved head cannot be read: KeyError '{damage}'"):
        heads.restore(damaged, arrays)


def test_missing_arrays_are_refused():
    """So is a state whose arrays went missing."""
    config, arrays = heads.make("ridge").fit(X, Y, n_classes=3).state()
    del arrays["0.weight"]
    with pytest.raises(HeadError, match=r"The saved step 'linear.v1' cannot be read: .*'weight'"):
        heads.restore(config, arrays)


def test_an_unfitted_head_has_no_state():
    """There is nothing to save before `fit`."""
    with pytest.raises(HeadError, match=r"The head 'ridge' has not been fitted. Call fit first"):
        heads.make("ridge").state()


def test_the_state_of_a_linear_head_is_small():
    """Scaling and rotation are folded into one weight matrix, so no training row is kept."""
    wide, y = example(n=12, d=300)
    _, arrays = heads.make("logistic").fit(wide, y, n_classes=3).state()
    assert {name: array.shape for name, array in arrays.items()} == {"0.weight": (300, 3), "0.bias": (3,)}
