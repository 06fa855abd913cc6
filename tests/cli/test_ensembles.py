"""`icecore ensemble` from the shell, and what the other commands say of what it made."""

from pathlib import Path

import pytest

from tests.cli.shell import Shell
from tests.halves import networks, write_halves


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with pictures and a model on each of two networks that see half of them."""
    folder = tmp_path_factory.mktemp("halves")
    write_halves(folder / "data")
    write_halves(folder / "new", 20, seed=1)
    shell = Shell(folder)
    for name, network in networks(folder).items():
        how = ("--head", "ridge", "--layer", "last", "--folds", 3, "--repeats", 1, "--store", "store", "--json")
        assert shell("fit", "data", "-b", network, "--out", f"{name}.icecore", *how).status == 0
    assert shell("ensemble", "top.icecore", "bottom.icecore", "--out", "both.icecore", "--json").json["pays"]
    return folder


@pytest.fixture
def shell(place: Path) -> Shell:
    """The command line in that folder."""
    return Shell(place)


def test_it_shows_shares_figures_gain_and_cost(shell):
    """For people; without a folder nothing is saved."""
    done = shell("ensemble", "top.icecore", "bottom.icecore")
    assert done.status == 0
    for said in ("share", "ms an item", "top.icecore", "ensemble minus best single model", "Not saved; name a folder"):
        assert said in done.out
    saved = shell("ensemble", "top.icecore", "bottom.icecore", "--out", "also.icecore")
    assert "Saved also.icecore: it is better beyond the interval" in saved.out


def test_with_json_it_prints_one_object(shell):
    """The gain with its interval, and for each member share, figures and cost."""
    found = shell("ensemble", "top.icecore", "bottom.icecore", "--json").json
    assert (found["model"], found["adopted"], found["score"]) == (None, True, "accuracy")
    assert found["gain"]["low"] > 0
    assert {"name", "backbone", "weight", "parameters", "milliseconds", "metrics"} == set(found["members"][0])


def test_one_model_is_better_alone(shell):
    """A model beside itself: nothing to gain, nothing saved, no error."""
    done = shell("ensemble", "top.icecore", "top.icecore", "--out", "no.icecore", "--keep")
    assert done.status == 0
    assert "No mean of these models is better than one of them alone" in done.out
    assert not (shell.folder / "no.icecore").exists()


def test_the_other_commands_take_it(shell):
    """predict, evaluate, inspect, compare, report."""
    first = shell("predict", "both.icecore", "new", "--coverage", 0.9, "--store", "store", "--json").json
    assert set(first["predictions"][0]) == {"input", "label", "probability", "probabilities", "set", "familiarity"}
    assert "accuracy" in shell("evaluate", "both.icecore", "new", "--store", "store").out
    seen = shell("inspect", "both.icecore").out
    assert seen.count("backbone: torch:") == 2
    assert "members/0.icecore" in seen
    assert "best single model" in seen
    assert shell("inspect", "both.icecore", "--json").json["manifest"]["members"][0]["folder"] == "members/0.icecore"
    assert "is better" in shell("compare", "both.icecore", "top.icecore").out
    assert shell("report", "both.icecore", "--no-learning-curve", "--store", "store").status == 0


def test_what_takes_one_network_is_told(shell):
    """In one sentence, with what to do."""
    tuned = shell("fine-tune", "both.icecore", "data")
    assert tuned.status == 2
    assert "An ensemble of 2 models cannot be fine-tuned as a whole" in tuned.err
    why = shell("predict", "both.icecore", "new", "--explain", "why.html", "--store", "store")
    assert why.status == 2
    assert "says most" in why.err
    two = shell("fit", "data", "-b", "icecore:vision-s", "-b", "icecore:vision-s@random")
    assert (two.status, "Got 2 networks" in two.err, "`icecore ensemble` joins" in two.err) == (2, True, True)
    lone = shell("ensemble", "top.icecore")
    assert (lone.status, "Two or more" in lone.err) == (2, True)
