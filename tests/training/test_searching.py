"""A search for settings: pruned, gone on with, and judged on rows that the comparison does not use."""

from __future__ import annotations

import json

import pytest

import icecore
from icecore import TransferModel
from icecore.errors import UsageError
from tests.training.test_interrupted import StopAt, StopError
from tests.tuning import fitted, network, orders

SEARCH = {"epochs": 3, "learning_rate": 1e-2, "batch_size": 16, "mixup": 0.0, "progress": False, "unfreeze": 2}


def journal(store):
    return [file for file in (store / "searches").iterdir() if file.suffix == ".log"]


def test_a_search_tries_so_many_settings_and_takes_the_best(pictures, store, model):
    """The given settings are the first trial; what is found is no worse, and is what the tuned model was made with."""
    report = model.fine_tune(pictures, search=4, **SEARCH)
    found = report.search
    assert (found.trials, found.earlier) == (4, 0)
    assert found.loss <= found.given_loss
    assert set(found.chosen) >= {"learning_rate", "layer_decay", "weight_decay", "label_smoothing", "mixup", "unfreeze"}
    assert found.settings.learning_rate == found.chosen["learning_rate"]
    assert len(report.unfrozen) == found.chosen["unfreeze"]
    assert report.compared == "compared on 20 items that neither model has seen (rows held out)"
    assert found.file in journal(store)
    assert json.loads(json.dumps(report.to_json()))["search"]["trials"] == 4


def test_the_same_search_goes_on_where_it_was(pictures, tmp_path):
    """Trials are kept beside the store's tables: asked for more it makes those that are missing, for as many none."""
    first, again, more = (
        fitted(pictures, store=tmp_path).fine_tune(pictures, search=number, **SEARCH).search for number in (2, 2, 3)
    )
    assert (again.trials, again.earlier) == (2, 2)
    assert (more.trials, more.earlier) == (3, 2)
    assert more.given_loss == again.given_loss == first.given_loss
    assert len(journal(tmp_path)) == 1
    other = fitted(pictures, store=tmp_path).fine_tune(pictures, search=1, **SEARCH | {"seed": 1}).search
    assert (other.earlier, len(journal(tmp_path))) == (0, 2)


def test_an_interrupted_trial_is_taken_up(pictures, tmp_path):
    """It goes on from its last epoch, and the search comes to what it would have come to."""
    whole = fitted(pictures, store=tmp_path / "whole").fine_tune(pictures, search=2, **SEARCH).search
    model = fitted(pictures, store=tmp_path / "store")
    with pytest.raises(StopError):
        model.fine_tune(pictures, search=2, **SEARCH | {"progress": StopAt("trial 2, epoch 3")})
    told = StopAt()
    found = model.fine_tune(pictures, search=2, **SEARCH | {"progress": told}).search
    assert told.begun[0] == "trial 2, epoch 3 of 3"
    assert (found.trials, found.earlier) == (2, 1)
    assert found.chosen == whole.chosen
    assert found.loss == pytest.approx(whole.loss, abs=1e-5)


def test_all_trials_share_what_is_below_the_cut(tmp_path):
    """As many pictures go through the frozen part for six trials of two depths as for one."""
    forwards = []
    for trials in (1, 6):
        log, (images, labels) = tmp_path / f"log.{trials}", orders(40)
        model = fitted(images, labels, store=tmp_path / f"store.{trials}", net=network(log))
        log.write_text("", "ascii")
        model.fine_tune(images, labels, search=trials, **SEARCH)
        forwards.append(sum(map(int, log.read_text("ascii").split())))
    assert forwards[0] == forwards[1]


def test_rows_that_are_compared_on_decide_nothing(pictures, tmp_path):
    """With other labels of the compared rows the same trials come to the same losses."""
    images, labels = orders(40)
    splits = ["train"] * 40 + ["val"] * 20 + ["test"] * 20
    found = []
    for swapped in (False, True):
        own = labels[:60] + (labels[60:][::-1] if swapped else labels[60:])
        rows = {"image": images, "label": own, "split": splits}
        model = fitted(images, labels, store=tmp_path / str(swapped))
        found.append(model.fine_tune(_frame(rows, tmp_path), search=2, **SEARCH).search)
    assert found[0].loss == found[1].loss
    assert found[0].chosen == found[1].chosen


def _frame(rows, folder):
    """A table of picture files."""
    import pandas as pd

    paths = []
    for number, image in enumerate(rows["image"]):
        paths.append(folder / f"{number}.png")
        image.save(paths[-1])
    return pd.DataFrame({"path": paths, "label": rows["label"], "split": rows["split"]})


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"folds": 3}, "with a comparison in 3 folds. One: rows that are compared on must have been seen by no trial"),
        ({"patience": 0}, "with epochs 3 and patience 0. Both above 0"),
    ],
)
def test_what_leaves_nothing_to_judge_by_is_refused(pictures, model, settings, said):
    """Before any work is done, in a sentence."""
    with pytest.raises(UsageError) as told:
        model.fine_tune(pictures, search=2, **SEARCH | settings)
    assert said in str(told.value)


def test_too_few_rows_are_refused(model):
    """Where no rows can be held out there is nothing to judge trials by."""
    images, labels = orders(10)
    with pytest.raises(UsageError, match="too few rows to hold some out"):
        model.fine_tune(images, labels, search=2, **SEARCH)


def test_the_command_line_searches(shell, saved, pictures, store):
    """`--search` says what was tried; `--json` has it as an object."""
    words = ("fine-tune", saved, pictures, "--search", 2, "--epochs", 1, "--unfreeze", 1, "--store", store, "--keep")
    out = shell(*words).out
    assert "searched: 2 trials, 0 given up" in out
    assert "best held-out loss" in out
    found = shell(*words, "--json").json
    assert found["search"]["trials"] == 2
    assert TransferModel.load(saved).predict([next(pictures.rglob("*.png"))]).labels.shape == (1,)
    assert icecore.__version__
