"""The choice of layer, head and penalty: the right one, the simple one, the repeatable one."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier

from icecore.errors import HeadError, UsageError
from icecore.evaluation.folds import folds
from icecore.heads import penalties, sweep
from icecore.selection import AUTO_HEADS, Candidate, ScoredCandidate, choose, features_of, layer_name
from icecore.selection.choosing import decide
from icecore.selection.scoring import score_all
from icecore.tasks import Ordinal
from tests.selection.examples import blobs, noise, rings


def test_the_layer_that_knows_the_classes_is_found():
    """Of six layers one is informative: it is chosen, though the layers are screened."""
    X, y = blobs()
    features = {f"layer.{i}": noise(seed=i + 1) for i in range(4)} | {"layer.4": X, "last": noise(seed=9)}
    choice = choose(features, y, 3)
    assert "layer.4" in np.atleast_1d(choice.candidate.layer)
    assert choice.table[0].score > 0.9


def test_of_equals_the_simplest_is_taken():
    """Where everything is right, the centroid on `last` is, and the reason says so."""
    X, y = blobs(distance=9.0)
    choice = choose({"layer.1": X + 0.01, "last": X}, y, 3)
    assert choice.candidate == Candidate("last", "centroid", None)
    assert choice.reason == "centroid on last has 1.000, the best of all."


def test_a_kernel_is_chosen_where_lines_fail():
    """On rings the linear heads are lost, and their slow cousins are not even tried."""
    X, y = rings()
    choice = choose({"last": X}, y, 2)
    assert choice.candidate.head in {"knn", "svm-rbf"}
    tried = {one.candidate.head for one in choice.table}
    assert tried == {"centroid", "ridge", "lda", "knn", "svm-rbf"}


def test_several_layers_together_are_chosen_where_no_single_one_does():
    """Two layers know one half each: side by side they know all, in the order in which they run."""
    y = np.arange(160) % 4
    one = noise(160, 3, seed=3) + 5 * (y[:, None] % 2).astype(np.float32)
    two = noise(160, 3, seed=4) + 5 * (y[:, None] // 2).astype(np.float32)
    features = {"early": one, "late": two}
    choice = choose(features, y, 4, heads=["ridge"])
    assert choice.candidate.layer == ("early", "late")
    assert features_of(features, choice.candidate.layer).shape == (160, 6)
    assert layer_name(choice.candidate.layer) == "2 layers from early to late"


def test_a_layer_that_repeats_another_is_not_tried_twice():
    """Of two equal layers `last` stays; the other would only double the work."""
    X, y = blobs(distance=2.0)
    choice = choose({"conv": X, "last": X.copy()}, y, 3, heads=["ridge"])
    assert {one.candidate.layer for one in choice.table} == {"last"}


def test_the_rule_of_one_standard_error_holds_for_the_table():
    """The choice is within one error of the best, and nothing simpler is; the table is sorted, best first."""
    X, y = blobs(90, distance=2.0)
    choice = choose({"layer.1": noise(90) + X, "last": X}, y, 3)
    found = {one.candidate: one for one in choice.table}
    rank = [AUTO_HEADS.index(one.candidate.head) for one in choice.table if one.within_one_error]
    assert found[choice.candidate].within_one_error
    assert AUTO_HEADS.index(choice.candidate.head) == min(rank)
    assert [one.score for one in choice.table] == sorted((one.score for one in choice.table), reverse=True)
    for one in choice.table:
        assert one.behind == pytest.approx(choice.table[0].score - one.score)
    assert "the simplest within one standard error" in choice.reason


def test_the_stronger_penalty_wins_a_tie():
    """A head with a grid gets the largest penalty that is within one error of the best."""
    X, y = blobs(distance=9.0)
    choice = choose({"last": X}, y, 3, heads=["ridge"])
    near = [one.candidate.penalty for one in choice.table if one.within_one_error]
    assert choice.candidate.penalty == max(near)
    assert {one.candidate.penalty for one in choice.table} == set(penalties("ridge"))


def test_a_penalty_that_the_user_gave_is_kept():
    """With one layer, one head and its penalty there is nothing to choose, and nothing is tried."""
    X, y = blobs()
    choice = choose({"last": X}, y, 3, heads=["logistic:C=0.1"])
    assert choice.candidate == Candidate("last", "logistic:C=0.1", None)
    assert choice.table == ()
    assert choice.reason == "There was nothing to choose."


def test_an_estimator_of_the_users_is_a_head_like_others():
    """An estimator can be the only head, over several layers, or stand beside named ones."""
    X, y = blobs(60)
    tree = DecisionTreeClassifier(max_depth=3, random_state=0)
    choice = choose({"layer.1": noise(60), "last": X}, y, 3, heads=[tree])
    assert choice.candidate.head is tree
    assert choice.candidate.layer == "last"
    assert str(choice.candidate) == "DecisionTreeClassifier on last"
    assert choose({"last": X}, y, 3, heads=["centroid", tree]).candidate.head == "centroid"


def test_equal_items_never_validate_each_other():
    """Noise with every row twice looks learnable to neighbours unless the copies are kept together."""
    X, y = np.repeat(noise(60), 2, axis=0), np.repeat(np.random.default_rng(0).integers(0, 2, 60), 2)
    apart = choose({"last": X}, y, 2, np.arange(120), heads=["knn"])
    together = choose({"last": X}, y, 2, np.repeat(np.arange(60), 2), heads=["knn"])
    assert apart.table[0].score > 0.9
    assert together.table[0].score < 0.75


def test_balanced_weights_are_judged_by_balanced_accuracy():
    """With class weights, a model that forgets the rare class has half the score."""
    rng = np.random.default_rng(0)
    y = (np.arange(200) % 20 == 0).astype(int)
    X = rng.normal(size=(200, 4)).astype(np.float32) + 0.3 * y[:, None].astype(np.float32)
    plain = choose({"last": X}, y, 2, heads=["svm-rbf"])
    weighted = choose({"last": X}, y, 2, heads=["svm-rbf"], class_weight="balanced")
    assert plain.table[0].score > 0.9
    assert weighted.table[0].score < 0.8


def test_too_few_items_to_try_take_the_simplest():
    """One item a class: nothing can be validated, so the simplest on offer is taken, and said."""
    X, y = blobs(3)
    choice = choose({"layer.1": X, "last": X + 1}, y, 3)
    assert choice.candidate == Candidate("last", "centroid", None)
    assert choice.reason == "There are too few items to try anything; the simplest was taken."


def test_given_folds_are_used():
    """Validation rows that were given decide alone: their labels are followed though the others disagree."""
    X, y = blobs(80, 2)
    swapped = np.where(np.arange(80) < 60, y, 1 - y)
    features = {"honest": X, "last": noise(80)}
    train, val = np.arange(60), np.arange(60, 80)
    choice = choose(features, swapped, 2, heads=["centroid"], folds=[(train, val)])
    assert choice.candidate.layer == "last"  # all that `honest` has learned is wrong on the validation rows


def test_choices_repeat_with_the_seed_and_tell_their_progress():
    """Equal calls choose alike; the callback counts up to its total."""
    X, y = blobs(60, distance=1.5)
    told = []
    first = choose({"last": X}, y, 3, heads=["ridge", "knn"], seed=3, progress=lambda *step: told.append(step))
    assert choose({"last": X}, y, 3, heads=["ridge", "knn"], seed=3) == first
    assert told == [(0, 2, "ridge, knn on last")]


def test_no_head_is_explained():
    """An empty list of heads cannot be chosen from."""
    with pytest.raises(UsageError, match=r"There is no head to choose from\. Expected at least one, or 'auto'\."):
        choose({"last": noise()}, np.arange(120) % 2, 2, heads=[])


def test_a_scored_candidate_knows_whether_it_is_near_the_best():
    """Near is behind by no more than one standard error of the difference."""
    assert ScoredCandidate(Candidate("last", "ridge", 1.0), 0.8, 0.02, 0.010, 0.011).within_one_error
    assert not ScoredCandidate(Candidate("last", "ridge", 1.0), 0.8, 0.02, 0.012, 0.011).within_one_error


def test_blocks_of_each_pooling_stand_side_by_side_by_themselves():
    """`a (max)` joins `b (max)`, not `b (mean)`; what was pooled in one way only joins both."""
    X, y = blobs(60)
    names = ["a (mean)", "a (max)", "b (mean)", "b (max)", "c", "last"]
    features = {name: X + noise(60, seed=seed) for seed, name in enumerate(names)}
    choice = choose(features, y, 3, heads=["ridge"])
    joint = {one.candidate.layer for one in choice.table if isinstance(one.candidate.layer, tuple)}
    assert joint == {("a (mean)", "b (mean)", "c"), ("a (max)", "b (max)", "c")}
    alone = choose(features, y, 3, heads=["ridge"], joint=False)
    assert all(isinstance(one.candidate.layer, str) for one in alone.table)


@pytest.mark.parametrize("seed", range(3))
def test_what_is_left_out_could_not_have_won(seed):
    """On layers of rising information the choice is that of trying every head on every layer."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 4, 400)
    centres = rng.normal(size=(4, 16))
    features = {
        f"layer.{depth}": (rng.normal(size=(400, 16)) + 0.15 * depth * centres[y]).astype(np.float32)
        for depth in range(8)
    }
    plan = folds(y, n_splits=3, seed=0)
    candidates, hits = [], []
    for layer, X in features.items():
        for head in AUTO_HEADS:
            grid = penalties(head)
            candidates += [Candidate(layer, head, penalty) for penalty in grid]
            hits += list(sweep(head, X, y, 4, grid, plan).argmax(axis=2) == y)
    whole = decide(score_all(candidates, np.array(hits), y, np.arange(400), balanced=False))
    chosen = choose(features, y, 4, folds=plan, joint=False)
    assert chosen.candidate == whole.candidate
    assert len(chosen.table) < len(whole.table)


@pytest.mark.parametrize("head", ["logistic", "svm", "svm-rbf", DecisionTreeClassifier(max_depth=2, random_state=0)])
@pytest.mark.parametrize("layers", [1, 6])
def test_a_head_that_takes_long_needs_no_other_beside_it(head, layers):
    """Its quick cousin says which layers are worth it, and is no candidate itself."""
    X, y = blobs(60, distance=5.0)
    features = {f"layer.{i}": noise(60, seed=i) for i in range(layers - 1)} | {"last": X}
    choice = choose(features, y, 3, heads=[head], joint=False)
    assert choice.candidate.layer == "last"
    assert {one.candidate.head for one in choice.table} <= {head}


def test_heads_over_many_layers_read_all_of_them():
    """`head2toe` every layer under every pooling; `layer-sum` those of one pooling, and `last` where it is as wide."""
    X, y = blobs(60)
    names = ["a (mean)", "a (max)", "b (mean)", "b (max)", "last"]
    features = {name: X + noise(60, seed=seed) for seed, name in enumerate(names)}
    everything = choose(features, y, 3, heads=["head2toe"])
    assert {one.candidate.layer for one in everything.table} == {tuple(names)}
    sums = choose(features, y, 3, heads=["layer-sum"])
    assert {one.candidate.layer for one in sums.table} == {
        ("a (mean)", "b (mean)", "last"),
        ("a (max)", "b (max)", "last"),
    }
    wide = features | {"last": np.hstack([X, X])}
    assert {one.candidate.layer for one in choose(wide, y, 3, heads=["layer-sum"]).table} == {
        ("a (mean)", "b (mean)"),
        ("a (max)", "b (max)"),
    }
    assert choose({"a": X}, y, 3, heads=["layer-sum"]).candidate.layer == "a"


def test_heads_over_many_layers_are_for_classes():
    """Another task is refused in a sentence that says what to do."""
    X, y = blobs(60)
    with pytest.raises(HeadError, match="'head2toe' was asked for with the task ordinal"):
        choose({"a": X, "last": noise(60)}, y, Ordinal((0, 1, 2)), heads=["head2toe"])
