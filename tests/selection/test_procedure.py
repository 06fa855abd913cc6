"""The whole procedure is scored on rows that took no part in choice and fit."""

from __future__ import annotations

import numpy as np
import pytest

from icecore.errors import DataError
from icecore.selection import Candidate, features_of, fit_candidate, held_out, nested
from tests.selection.examples import blobs, noise


def test_nested_figures_of_noise_are_chance():
    """Many layers of noise, many heads: the best of them looks good in its own table, not in the nested figure."""
    y = np.random.default_rng(0).integers(0, 2, 60)
    features = {f"layer.{i}": noise(60, 30, seed=i) for i in range(10)}
    result = nested(features, y, 2, heads=["ridge", "knn", "svm-rbf"])
    assert result.choice.table[0].score > 0.6
    assert result.metrics()["accuracy"].low < 0.5 < result.metrics()["accuracy"].high


def test_nested_figures_of_classes_are_good():
    """Classes that can be told apart are: every fold chooses for itself, and the choice on all rows is reported."""
    X, y = blobs(distance=5.0)
    result = nested({"layer.1": noise(), "last": X}, y, 3, repeats=2)
    assert result.metrics()["accuracy"].low > 0.9
    assert result.out_of_fold.proba.shape == (2, 120, 3)
    assert len(result.choices) == 10
    assert result.choice.candidate.layer == "last"
    assert np.array_equal(result.fit_rows, np.arange(120))


def test_a_fixed_head_chooses_its_penalty_within_each_fold():
    """A name without a penalty has it searched, nested; a penalty that was given is kept, and nothing is searched."""
    X, y = blobs(distance=1.5)
    searched = nested({"last": X}, y, 3, heads=["ridge"])
    assert all(choice.candidate.penalty is not None for choice in searched.choices)
    kept = nested({"last": X}, y, 3, heads=["ridge:alpha=1"])
    assert {choice.candidate for choice in kept.choices} == {Candidate("last", "ridge:alpha=1", None)}


def test_equal_items_are_on_one_side_of_outer_folds():
    """Noise with every row twice is not learned when the copies are known."""
    X, y = np.repeat(noise(60), 2, axis=0), np.repeat(np.random.default_rng(0).integers(0, 2, 60), 2)
    groups = np.repeat(np.arange(60), 2)
    assert nested({"last": X}, y, 2, groups, heads=["knn:k=1"]).metrics()["accuracy"].value < 0.75
    assert nested({"last": X}, y, 2, heads=["knn:k=1"]).metrics()["accuracy"].value > 0.75


def test_tiny_and_single_item_classes_are_survived():
    """Classes of one and two items: every fold is fitted, columns stay in place, single items are not scored."""
    X, y = blobs(40, 2)
    y = np.concatenate([y, [2, 2, 3]])
    X = np.concatenate([X, noise(3) + 20])
    result = nested({"last": X}, y, 4, heads=["auto"])
    assert result.out_of_fold.proba.shape == (1, 43, 4)
    assert result.out_of_fold.tested.sum() == 42
    assert np.allclose(result.out_of_fold.proba[0, :42].sum(axis=1), 1)


def test_progress_counts_on_one_scale():
    """All choices share one scale, which never goes back and ends at its total."""
    X, y = blobs(45)
    told = []
    nested({"last": X}, y, 3, heads=["ridge"], n_splits=3, progress=lambda *step: told.append(step))
    done = [step[0] for step in told]
    assert done == sorted(done)
    assert told[0][2] == "fold 1 of 3: ridge on last"
    assert told[-1] == (400, 400, "done")
    assert any(label == "all rows: ridge on last" for _, _, label in told)


def splits_of(*counts):
    return np.repeat(["train", "val", "test"], counts)


def test_given_splits_choose_on_val_and_score_on_test():
    """With all three parts: the figures are of the test rows, the final model is fitted on the others."""
    X, y = blobs(distance=5.0)
    result = held_out({"layer.1": noise(), "last": X}, y, 3, splits_of(60, 30, 30))
    assert result.test_rows.tolist() == list(range(90, 120))
    assert result.fit_rows.tolist() == list(range(90))
    assert result.proba.shape == (30, 3)
    assert result.choice.candidate.layer == "last"
    assert result.metrics()["accuracy"].value > 0.9


def test_the_labels_of_test_rows_change_nothing_but_the_figures():
    """Choice and predictions are the same with other test labels."""
    X, y = blobs(distance=2.0)
    other = np.where(np.arange(120) < 90, y, (y + 1) % 3)
    features = {"layer.1": noise() + X, "last": X}
    first, second = (held_out(features, labels, 3, splits_of(60, 30, 30)) for labels in (y, other))
    assert first.choice == second.choice
    assert np.array_equal(first.proba, second.proba)
    assert first.metrics()["accuracy"].value > second.metrics()["accuracy"].value


@pytest.mark.parametrize("counts", [(90, 0, 30), (90, 30, 0)])
def test_without_val_or_without_test_folds_of_train_choose(counts):
    """Only two parts: the other one is scored, and the choice is made within `train`."""
    X, y = blobs(distance=5.0)
    result = held_out({"last": X}, y, 3, splits_of(*counts), heads=["ridge"])
    assert result.fit_rows.tolist() == list(range(90))
    assert len(result.y) == 30
    assert len(result.choice.table) > 1


def test_items_of_the_test_part_are_not_trained_on():
    """A photograph that is in train and in test counts as a test item only; one in train and val is validated once."""
    X, y = blobs(60)
    groups = np.arange(60)
    groups[[0, 1]] = groups[[50, 51]]
    result = held_out({"last": X}, y, 3, splits_of(30, 15, 15), groups, heads=["ridge"])
    assert result.fit_rows.tolist() == list(range(2, 45))


def test_nothing_to_train_on_is_explained():
    """A split that leaves one side empty says what it left."""
    X, y = blobs(30)
    with pytest.raises(DataError, match=r"leaves 0 rows to train on and 30 to score.*leave the split out"):
        held_out({"last": X}, y, 3, np.repeat("test", 30))
    with pytest.raises(DataError, match="leaves 30 rows to train on and 0 to score"):
        held_out({"last": X}, y, 3, np.repeat("train", 30))


def test_a_candidate_is_fitted_on_its_layers():
    """The fitted head of a candidate predicts from the features of its layers."""
    X, y = blobs(distance=5.0)
    features = {"early": noise(), "late": X}
    candidate = Candidate(("early", "late"), "ridge", 0.3)
    head = fit_candidate(candidate, features, y, 3)
    proba = head.predict_proba(features_of(features, candidate.layer))
    assert (proba.argmax(axis=1) == y).mean() > 0.95
