"""Two processes train as one: `accelerate launch` and torchrun, on CPUs."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from icecore import TransferModel
from tests.cli.shell import command
from tests.tuning import fitted, network, write_network, write_orders

pytestmark = pytest.mark.slow  # processes that each load torch

LAUNCHERS = {
    "torchrun": ["-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", "29517"],
    "accelerate": ["-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2", "--main_process_port", "29518"],
}


def launched(launcher: str, *words: object) -> subprocess.CompletedProcess[str]:
    own = [sys.executable, *LAUNCHERS[launcher], "-m", "icecore", *map(str, words)]
    return subprocess.run(own, capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture(scope="module")
def open_eyed(tmp_path_factory) -> str:
    """The id of the network whose frozen features see something."""
    folder = tmp_path_factory.mktemp("network")
    name = write_network(folder)
    save_file(network(blind=False).backbone.module.state_dict(), folder / "orders.safetensors")
    return name


@pytest.fixture
def words(tmp_path, open_eyed) -> list[object]:
    """A tuning of 28 pictures, of which nothing is drawn but the order; batches of 7 are shared unevenly."""
    data = write_orders(tmp_path / "data", 14)
    saved = fitted(data, store=tmp_path / "frozen", net=open_eyed).save(tmp_path / "m")
    return [
        "fine-tune", saved, data, "--unfreeze", 1, "--epochs", 3, "--mixup", 0, "--dropout", 0, "--folds", 1,
        "--batch-size", 8, "--keep", "--learning-rate", 0.001,
    ]  # fmt: skip


@pytest.mark.parametrize("launcher", sorted(LAUNCHERS))
def test_two_processes_come_to_what_one_comes_to(words, tmp_path, launcher):
    """The same weights as one process with the same batches, to 1e-4; one of them speaks and writes."""
    one = subprocess.run(
        command(*words, "--store", tmp_path / "one", "--out", tmp_path / "alone", "--json"),
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert one.returncode == 0, one.stderr
    two = launched(launcher, *words, "--store", tmp_path / "two", "--out", tmp_path / "shared", "--json")
    assert two.returncode == 0, two.stderr
    lines = [line for line in two.stdout.splitlines() if line.startswith("{")]
    assert len(lines) == 1, two.stdout
    ours, theirs = json.loads(lines[0]), json.loads(one.stdout)
    assert (ours["adopted"], ours["epochs"]) == (True, theirs["epochs"])
    assert ours["metrics"]["accuracy"]["value"] == theirs["metrics"]["accuracy"]["value"]
    alone, shared = (load_file(tmp_path / name / "changes" / "000.safetensors") for name in ("alone", "shared"))
    differ = np.concatenate([(alone[name] - shared[name]).abs().ravel() for name in alone])
    assert np.quantile(differ, 0.99) < 1e-4
    data = tmp_path / "data"
    found = [TransferModel.load(tmp_path / name).predict(data).probabilities for name in ("alone", "shared")]
    np.testing.assert_allclose(found[0], found[1], atol=1e-3)
    assert not list((tmp_path / "two" / "training").rglob("*.pt"))


def test_people_are_told_once(words, tmp_path):
    """Without --json: the table and the verdict stand on standard output once."""
    done = launched("torchrun", *words, "--store", tmp_path / "two", "--out", tmp_path / "shared")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("accuracy, fine-tuned minus frozen") == 1
    assert done.stdout.count("The tuned network was adopted") == 1


def test_what_cannot_be_trained_ends_all(words, tmp_path):
    """A loss that is not finite is an error of the launch, told in a sentence, and no process is left waiting."""
    bad = [*words, "--learning-rate", 9.9, "--epochs", 60, "--weight-decay", 100, "--average", 0, "--patience", 0]
    done = launched("torchrun", *bad, "--store", tmp_path / "two", "--out", tmp_path / "shared")
    assert done.returncode != 0
    assert "Try a tenth of the learning rate" in done.stderr
    assert not Path(tmp_path / "shared").exists()
