"""The frozen part is run once for each item and view, whatever is trained above it."""

import pytest

from icecore import TransferModel
from tests.networks import forwarded
from tests.tuning import FAST, fitted, network, orders

MANY = {**FAST, "folds": 3, "epochs": 3, "precision": "float32"}
CHECKED = 3 * 4 + 3  # items that show how long a pass takes, and whether bfloat16 may be used


@pytest.fixture
def counted(tmp_path):
    """A frozen model of 24 pictures, whose features lie in another store; and the log of the stem's forwards."""
    log, (X, y) = tmp_path / "forwards", orders(12)
    model = fitted(X, y, store=tmp_path / "first", net=network(log))
    model.store = tmp_path / "store"
    return model, X, y, log


def looking(model: TransferModel, log) -> int:
    """Items that looking at the network takes, at every tuning: probes."""
    from icecore.prefix import Cutter

    before = forwarded(log)
    cutter = Cutter(model.net.backbone)
    place, _ = cutter.before("blocks.2")
    cutter.prefix([place])
    return forwarded(log) - before


@pytest.mark.parametrize("views", [1, 3])
def test_each_item_and_view_is_forwarded_once(counted, views):
    """Epochs and folds read what one pass stored: with nothing stored yet the boundary and the model's own features
    come from that same pass.
    """
    model, X, y, log = counted
    probes = looking(model, log)
    before = forwarded(log)
    model.fine_tune(X, y, unfreeze=1, views=views, **MANY)
    assert forwarded(log) - before - probes == 24 * views


def test_boundaries_in_bfloat16_are_a_pass_of_their_own(counted):
    """What the frozen model reads stays as it was fitted on; once that is stored, the boundary alone is computed."""
    model, X, y, log = counted
    model.predict(X, progress=False)
    probes, before = looking(model, log), forwarded(log)
    model.fine_tune(X, y, unfreeze=1, **{**MANY, "precision": "bfloat16"})
    assert forwarded(log) - before - probes <= 24 + CHECKED
    probes, before = looking(model, log), forwarded(log)
    model.fine_tune(X, y, unfreeze=1, seed=7, **{**MANY, "precision": "bfloat16"})
    assert forwarded(log) - before == probes


@pytest.mark.parametrize("options", [{"learning_rate": 1e-3, "seed": 5}, {"mixup": 0.4, "folds": 2}])
def test_other_settings_forward_nothing(counted, options):
    """A second tuning with other settings reads the boundaries of the first."""
    model, X, y, log = counted
    model.fine_tune(X, y, unfreeze=1, **MANY)
    probes, before = looking(model, log), forwarded(log)
    model.fine_tune(X, y, unfreeze=1, **{**MANY, **options})
    assert forwarded(log) - before == probes


def test_equal_items_are_forwarded_once(counted):
    """A picture that comes twice is one item."""
    model, X, y, log = counted
    probes, before = looking(model, log), forwarded(log)
    model.fine_tune(X + X[:6], y + y[:6], unfreeze=1, **MANY)
    assert forwarded(log) - before - probes == 24


def test_a_deeper_cut_adds_only_its_boundary(counted):
    """One more block: the pictures go through the frozen part once more, as far as the new cut, and not for epochs."""
    model, X, y, log = counted
    model.fine_tune(X, y, unfreeze=1, **MANY)
    probes, before = looking(model, log), forwarded(log)
    model.fine_tune(X, y, unfreeze=2, **MANY)
    assert forwarded(log) - before - probes == 24
