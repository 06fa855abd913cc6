"""Specs are read, and what is wrong with one is said."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsClassifier

from icecore import heads
from icecore.errors import HeadError, UsageError
from icecore.testing.heads import example

X, Y = example()


def test_an_unknown_name_is_answered_with_the_nearest():
    """A misspelt head names what was meant."""
    with pytest.raises(UsageError, match=r"There is no head called 'logstic'.*Did you mean logistic"):
        heads.make("logstic")


def test_auto_is_a_choice_and_no_head():
    """`auto` is explained, not made."""
    with pytest.raises(HeadError, match="'auto' is not a head: it is a choice among heads"):
        heads.make("auto")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("svm:c=1", r"Head 'svm' has no option 'c=1'. Its options are C. Write svm:C=..."),
        ("ridge:3", r"Head 'ridge' has no option '3'. Its options are alpha. Write ridge:alpha=..."),
        ("centroid:k=3", r"Head 'centroid' has no option 'k=3'. It has no options. Write 'centroid' alone."),
        ("logistic:C=-1", r"The option C of head 'logistic' is '-1'. It is a number above 0."),
        ("lda:shrinkage=2", r"The option shrinkage of head 'lda' is '2'. It is a number above 0, at most 1."),
        ("knn:k=1.5", r"The option k of head 'knn' is '1.5'. It is a whole number above 0."),
        ("mlp:256,rulu", r"Head 'mlp' has no layer 'rulu'. A layer is a width such as 256, one of relu, gelu, tanh"),
        ("mlp:0", r"Head 'mlp' has no layer '0'"),
    ],
)
def test_a_wrong_option_is_explained(spec, message):
    """The message says what came, what is known, and how to write it."""
    with pytest.raises(HeadError) as caught:
        heads.make(spec)
    assert message in str(caught.value)


def test_a_penalty_is_given_once():
    """In the options or as an argument, not both; and only to heads that have one."""
    with pytest.raises(HeadError, match=r"says its penalty, and penalty=2.0 says it again"):
        heads.make("logistic:C=1", penalty=2.0)
    with pytest.raises(HeadError, match=r"KNeighborsClassifier was given penalty=2.0. Only heads by name have one"):
        heads.make(KNeighborsClassifier(), penalty=2.0)
    for name in ("mlp", "centroid"):
        with pytest.raises(HeadError, match=rf"Head '{name}' was given penalty=2.0"):
            heads.make(name, penalty=2.0)


@pytest.mark.parametrize(("spec", "penalty"), [("logistic:C=4", 0.25), ("svm-rbf:C=4", 0.25), ("svm:C=4", 0.25)])
def test_c_is_the_inverse_of_the_penalty(spec, penalty):
    """`C=4` and a penalty of 1/4 are one head."""
    by_option = heads.make(spec).fit(X, Y, n_classes=3).predict_proba(X)
    by_penalty = heads.make(spec.split(":")[0], penalty=penalty).fit(X, Y, n_classes=3).predict_proba(X)
    np.testing.assert_array_equal(by_option, by_penalty)


def test_what_is_no_head_is_said():
    """Something else altogether, and a regressor, are refused."""
    with pytest.raises(HeadError, match="A head cannot be made of int"):
        heads.make(3)
    with pytest.raises(HeadError, match="LinearRegression is not a classifier"):
        heads.make(LinearRegression())


@pytest.mark.parametrize(
    ("features", "codes", "message"),
    [
        (X[0], Y, r"The features have shape \(8,\)"),
        (X, Y[:5], r"There are features of shape \(60, 8\) and class codes of shape \(5,\)"),
        (X[:0], Y[:0], "At least one row"),
        (X, Y + 1, r"The class codes are int64, from 1 to 3. Integers from 0 to 2"),
        (X, Y.astype(float), "The class codes are float64"),
        (np.where(X > 5, np.nan, X), Y, "rows of features hold NaN or infinity"),
    ],
)
def test_features_and_codes_that_do_not_fit_are_refused(features, codes, message):
    """What is wrong with the arrays is said before anything is learnt."""
    with pytest.raises(HeadError, match=message):
        heads.make("ridge").fit(features, codes, n_classes=3)


def test_another_width_at_prediction_is_refused():
    """A fitted head says how many features it knows."""
    with pytest.raises(HeadError, match=r"A row has 3 features. This head was fitted on 8"):
        heads.make("ridge").fit(X, Y, n_classes=3).predict_proba(X[:, :3])


@pytest.mark.parametrize("name", ["logistic", "ridge", "svm", "svm-rbf", "lda", "knn", "mlp:16"])
def test_balanced_classes_help_the_rare_one(name):
    """With 95 % of one class in overlapping data, balanced weights find more of the other."""
    rng = np.random.default_rng(0)
    y = (np.arange(300) % 20 == 0).astype(int)
    data = (rng.normal(size=(300, 4)) + y[:, None]).astype(np.float32)
    found = []
    for class_weight in (None, "balanced"):
        proba = heads.make(name, class_weight=class_weight).fit(data, y, n_classes=2).predict_proba(data)
        found.append((proba[y == 1].argmax(axis=1) == 1).mean())
    assert found[1] > found[0]


def test_class_weights_reach_estimators_that_know_them():
    """`balanced` is handed to the estimator; one that has no such parameter is refused."""
    assert heads.make(RandomForestClassifier(), class_weight="balanced").estimator.class_weight == "balanced"
    with pytest.raises(HeadError, match="KNeighborsClassifier has no parameter class_weight"):
        heads.make(KNeighborsClassifier(), class_weight="balanced")


def test_an_empty_batch_gives_no_rows():
    """Predicting nothing gives an empty array with a column for each class."""
    assert heads.make("ridge").fit(X, Y, n_classes=3).predict_proba(X[:0]).shape == (0, 3)
    assert heads.make("knn").fit(X, Y, n_classes=3).predict_proba(X[:0]).shape == (0, 3)
