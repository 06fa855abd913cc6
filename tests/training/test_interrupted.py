"""A training that was cut off goes on from its last epoch, and comes to the same."""

import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from icecore import TransferModel
from icecore.features import Silent
from tests.cli.shell import command
from tests.tuning import FAST, fitted, network, orders

LONG = {**FAST, "epochs": 6, "keep": True, "patience": 0}


class StopError(Exception):
    """Cuts a training off."""


class StopAt(Silent):
    """Progress that notes the epochs that begin, and stops at one of them."""

    def __init__(self, label: str = "") -> None:
        self.stop, self.begun = label, list[str]()

    def task(self, label: str, total: int):
        if "epoch" in label:
            if self.stop and self.stop in label:
                raise StopError
            self.begun.append(label.partition(" (")[0])
        return super().task(label, total)


@pytest.fixture
def small(tmp_path):
    """A frozen model, and its data."""
    X, y = orders(15)
    return fitted(X, y, store=tmp_path / "store", net=network()), X, y


def checkpoints(store: Path) -> list[Path]:
    return sorted((store / "training").rglob("*.pt"))


@pytest.mark.parametrize("folds", [1, 2])
def test_it_goes_on_from_the_last_epoch(small, tmp_path, folds):
    """What was finished is not done again, the result is that of a training without a break, and nothing is left."""
    model, X, y = small
    whole = fitted(X, y, store=tmp_path / "other", net=network())
    whole.fine_tune(X, y, unfreeze=1, **{**LONG, "folds": folds})
    with pytest.raises(StopError):
        model.fine_tune(X, y, unfreeze=1, **{**LONG, "folds": folds, "progress": StopAt("epoch 5 of")})
    assert checkpoints(tmp_path / "store")
    told = StopAt()
    report = model.fine_tune(X, y, unfreeze=1, **{**LONG, "folds": folds, "progress": told})
    assert [label.rpartition(", ")[2] for label in told.begun[:2]] == ["epoch 5 of 6", "epoch 6 of 6"]
    assert len(told.begun) == (2 if folds == 1 else 2 + 6 + 6)
    assert [epoch.number for epoch in report.log] == [1, 2, 3, 4, 5, 6]
    np.testing.assert_allclose(model.predict(X).probabilities, whole.predict(X).probabilities, atol=1e-5)
    assert not checkpoints(tmp_path / "store")


def test_a_gradual_training_goes_on(small, tmp_path):
    """Also where the cut has moved down in between."""
    model, X, y = small
    whole = fitted(X, y, store=tmp_path / "other", net=network())
    options = {**LONG, "gradual": True, "unfreeze": 2}
    whole.fine_tune(X, y, **options)
    told = StopAt("(loss")
    with pytest.raises(StopError):  # in the second epoch of the first stage
        model.fine_tune(X, y, **{**options, "progress": told})
    with pytest.raises(StopError):
        model.fine_tune(X, y, **{**options, "progress": StopAt("epoch 3 of")})
    model.fine_tune(X, y, **options)
    np.testing.assert_allclose(model.predict(X).probabilities, whole.predict(X).probabilities, atol=1e-5)


@pytest.mark.parametrize("other", [{"seed": 1}, {"learning_rate": 3e-3}, {"unfreeze": 2}, {"label_smoothing": 0.0}])
def test_another_training_begins_anew(small, other):
    """A checkpoint belongs to the very same command: other settings begin at the first epoch."""
    model, X, y = small
    with pytest.raises(StopError):
        model.fine_tune(X, y, **{"unfreeze": 1, **LONG, "progress": StopAt("epoch 4 of")})
    told = StopAt()
    model.fine_tune(X, y, **{"unfreeze": 1, **LONG, **other, "progress": told})
    assert told.begun[0].endswith("epoch 1 of 6")


def test_other_labels_or_another_head_begin_anew(small, tmp_path):
    """So do other labels, and a model with another head."""
    model, X, y = small
    with pytest.raises(StopError):
        model.fine_tune(X, y, unfreeze=1, **{**LONG, "progress": StopAt("epoch 4 of")})
    ridge = fitted(X, y, store=tmp_path / "store", net=network(), head="ridge")
    for other, labels in ((model, y[::-1]), (ridge, y)):
        told = StopAt()
        other.fine_tune(X, labels, unfreeze=1, **{**LONG, "progress": told})
        assert told.begun[0].endswith("epoch 1 of 6")


def test_a_damaged_checkpoint_is_not_believed(small, tmp_path):
    """A file that cannot be read: the training begins anew and comes to the same."""
    model, X, y = small
    with pytest.raises(StopError):
        model.fine_tune(X, y, unfreeze=1, **{**LONG, "progress": StopAt("epoch 4 of")})
    for file in checkpoints(tmp_path / "store"):
        file.write_bytes(file.read_bytes()[:100])
    told = StopAt()
    model.fine_tune(X, y, unfreeze=1, **{**LONG, "progress": told})
    assert told.begun[0].endswith("epoch 1 of 6")


def test_a_store_with_checkpoints_is_looked_after(small, tmp_path, shell):
    """`icecore store` minds the features, and is not put off by the folder beside them."""
    model, X, y = small
    with pytest.raises(StopError):
        model.fine_tune(X, y, unfreeze=1, **{**LONG, "progress": StopAt("epoch 4 of")})
    for verb in ("ls", "verify", "compact"):
        done = shell("store", verb, "--store", tmp_path / "store")
        assert done.status == 0, done.err
        assert "training" not in done.out


@pytest.mark.slow  # real processes
@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_process_goes_on(saved, pictures, tmp_path, kill):
    """kill -9, or Ctrl-C, during an epoch: the same command goes on, and ends where it would have ended."""
    words = [
        "fine-tune", saved, pictures, "--unfreeze", 1, "--epochs", 40, "--patience", 0, "--folds", 1, "--keep",
        "--batch-size", 4, "--learning-rate", 0.003,
    ]  # fmt: skip
    alone = [*words, "--store", tmp_path / "alone", "--out", tmp_path / "whole", "--json"]
    assert subprocess.run(command(*alone), check=False, capture_output=True, timeout=300).returncode == 0
    again = [*words, "--store", tmp_path / "broken", "--out", tmp_path / "again", "--json"]
    with subprocess.Popen(command(*again), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while process.poll() is None and not checkpoints(tmp_path / "broken"):
            time.sleep(0.005)
        process.send_signal(kill)
        _, err = process.communicate(timeout=120)
    assert process.returncode != 0, "it was done before it could be killed"
    assert kill == signal.SIGKILL or "Interrupted. What was computed is kept" in err
    (left,) = checkpoints(tmp_path / "broken")
    done_before = torch.load(left, weights_only=True)["state"]["log"]
    done = subprocess.run(command(*again), check=False, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert not checkpoints(tmp_path / "broken")
    one, other = (TransferModel.load(tmp_path / name, store=tmp_path / "broken") for name in ("whole", "again"))
    assert list(other.manifest.changes[0].log[: len(done_before)]) == done_before  # to the very seconds
    assert len(other.manifest.changes[0].log) == 40
    np.testing.assert_allclose(other.predict(pictures).probabilities, one.predict(pictures).probabilities, atol=1e-5)
