"""Boundaries that are too big for the disk: the frozen part runs live, said aloud, with the same result."""

import numpy as np
import pytest

from tests.networks import forwarded
from tests.prefix.cuts import network as cut_network
from tests.sounds import encoded, tone, write_tones
from tests.tuning import FAST, fitted, network, orders

SAME = {**FAST, "epochs": 3, "keep": True, "unfreeze": 1}
NOTE = (
    "the boundaries would take 0.0184 MB and there is room for 0.001 MB, so the frozen part runs anew in every epoch."
)


@pytest.fixture
def both(tmp_path):
    """Two frozen models of the same 24 pictures."""
    X, y = orders(12)
    return [fitted(X, y, store=tmp_path / "store", net=network(blind=False)) for _ in range(2)], X, y


@pytest.mark.parametrize("views", [1, 3])
def test_live_is_as_good_as_stored(both, views):
    """The same weights as from the store to 1e-4, with views too, and a note that says why."""
    (stored, live), X, y = both
    one = stored.fine_tune(X, y, views=views, **SAME)
    other = live.fine_tune(X, y, views=views, store_limit=1000, **SAME)
    assert one.notes == ()
    assert other.notes[0] == NOTE.replace("0.0184", {1: "0.0184", 3: "0.0553"}[views])
    assert other.metrics[0]["accuracy"].value == one.metrics[0]["accuracy"].value
    ours, theirs = (model.net.backbone.module.state_dict() for model in (stored, live))
    for name in ours:
        np.testing.assert_allclose(ours[name], theirs[name], atol=1e-4, err_msg=name)


def test_it_is_decided_by_what_boundaries_take(both):
    """One byte of room more or less than 24 boundaries of 12 x 4 x 4 floats."""
    (model, _), X, y = both
    size = 24 * 12 * 4 * 4 * 4
    assert not model.fine_tune(X, y, store_limit=size, **{**SAME, "keep": False, "epochs": 1}).notes
    assert model.fine_tune(X, y, store_limit=size - 1, **{**SAME, "keep": False, "epochs": 1}).notes


def test_it_is_said_before_the_training(shell, saved, pictures, store):
    """On standard error, above the first line of the result; with --json too, and never on standard output."""
    words = ["fine-tune", saved, pictures, "--unfreeze", 1, "--epochs", 1, "--folds", 1, "--store-limit", "1k"]
    done = shell(*words, "--store", store)
    note = "Note: the boundaries would take 0.0614 MB and there is room for 0.00102 MB, so the frozen part runs anew"
    assert done.err.count(note) == 1
    found = shell(*words, "--store", store, "--json")
    assert found.err.count(note) == 1
    assert set(found.json) >= {"model", "adopted"}


def test_live_leaves_nothing_in_the_store(tmp_path):
    """The prefix runs in every epoch, and its outputs are not written."""
    log, (X, y) = tmp_path / "forwards", orders(12)
    model = fitted(X, y, store=tmp_path / "store", net=network(log))
    before = sum(file.stat().st_size for file in (tmp_path / "store").rglob("*.arrow"))
    passed = forwarded(log)
    model.fine_tune(X, y, store_limit=0, **{**SAME, "keep": False})
    assert sum(file.stat().st_size for file in (tmp_path / "store").rglob("*.arrow")) == before
    assert forwarded(log) - passed > 3 * 18  # the training rows of every epoch


def test_all_says_that_nothing_is_frozen(both):
    """`all` trains the stem too, and says what that costs."""
    (model, _), X, y = both
    base = model.net.backbone.module.state_dict()
    report = model.fine_tune(X, y, **{**SAME, "unfreeze": "all"})
    assert report.notes == ("nothing is frozen, so every epoch runs the whole network.",)
    moved = model.net.backbone.module.state_dict()["stem.weight"] - base["stem.weight"]
    assert float(moved.abs().max()) > 1e-4


def _wav2vec2(folder):
    cut_network("wav2vec2", folder)
    return f"hf:{folder / 'wav2vec2'}"


@pytest.mark.parametrize("unfreeze", [1, "all"])
def test_live_sounds_of_several_lengths(tmp_path, unfreeze):
    """A Wav2Vec2 mixes padding in, so clips of one length share a batch: live as from the store, and alone."""
    data = write_tones(tmp_path / "tones", each=4, seconds=0.3)
    for kind in ("low", "high"):
        for i in range(4):
            (data / kind / f"long{i}.wav").write_bytes(encoded(tone(0.5, 300 if kind == "low" else 2500, seed=50 + i)))
    frozen = fitted(data, store=tmp_path / "store", net=_wav2vec2(tmp_path))
    options = {**FAST, "epochs": 1, "unfreeze": unfreeze, "keep": True, "dropout": 0.0, "learning_rate": 1e-4}
    found = []
    for limit in (None, 0):
        model = fitted(data, store=tmp_path / "store", net=frozen.net)
        report = model.fine_tune(data, store_limit=limit, **options)
        assert bool(report.notes) == (limit == 0 or unfreeze == "all")
        found.append(model.predict(data).probabilities)
    np.testing.assert_allclose(found[0], found[1], atol=1e-3)
    assert np.abs(found[0] - frozen.predict(data).probabilities).max() > 1e-4
