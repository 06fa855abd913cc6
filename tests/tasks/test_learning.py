"""From what a column holds to the task that it is."""

from __future__ import annotations

import numpy as np
import pytest

from icecore.errors import DataError, UsageError
from icecore.tasks import Multilabel, Ordinal, Regression, guessed, labels_in, learned, remarks, task_of


def column(values):
    out = np.empty(len(values), object)
    out[:] = list(values)
    return out


@pytest.mark.parametrize(
    ("values", "task"),
    [
        (["cat", "dog"], "classification"),
        (["1", "2", "2"], "classification"),
        (["1.0", "2.0"], "classification"),
        ([True, False], "classification"),
        (["0.5", "1", "7"], "regression"),
        (["1e-3", "2.5e4"], "regression"),
        (["nan", "0.5"], "classification"),
        (list(map(str, range(60))), "regression"),
        (list(map(str, range(60))) * 5, "classification"),
        (['["a"]', "[]", '["a", "b"]'], "multilabel"),
        (["[a]", "b"], "classification"),
        ([], "classification"),
    ],
)
def test_the_task_is_guessed(values, task):
    """Fractional numbers, and whole ones of which nearly every row has its own, are quantities; lists are labels."""
    assert guessed(values) == task


def test_what_was_guessed_is_said_aloud():
    """And nothing is said of what was asked for."""
    values = column(["0.5", "1.5", "2.5"])
    task = learned("weight", values)
    assert "'weight' holds numbers, so a number is predicted" in remarks("weight", task, values, asked=False)[0]
    assert remarks("weight", task, values, asked=True) == []
    ages = column(list(map(str, range(30))) * 20)
    said = remarks("age", learned("age", ages), ages, asked=False)
    assert "'age' holds 30 different whole numbers, taken as classes (--task regression" in said[0]


def test_rare_classes_are_said_aloud():
    """The rarest class, how rare it is, and what can be done; of labels too, and not of numbers."""
    values = column(["common"] * 50 + ["rare"] * 3 + ["rarer"] * 2)
    task = learned("kind", values)
    (said,) = remarks("kind", task, values, asked=True)
    assert said.startswith("'kind': rarer has only 2 items, and 1 more of its 3 have fewer than 10; the most frequent")
    assert "--balanced" in said
    tags = column(["a;b"] + ["a"] * 20)
    assert "b has only 1 item;" in remarks("tags", learned("tags", tags, "multilabel"), tags, asked=True)[0]
    few = column(["x", "y"] * 4)
    said = remarks("few", learned("few", few), few, asked=True)
    assert said == ["'few': 2 classes of 4 items; little can be known of any."]
    even = column(["x", "y"] * 10)
    assert remarks("even", learned("even", even), even, asked=True) == []


@pytest.mark.parametrize(
    ("value", "labels"),
    [
        ("cat;dog", ["cat", "dog"]),
        (" cat | dog ", ["cat", "dog"]),
        ("cat", ["cat"]),
        (";", []),
        ("[]", []),
        ('["a;b"]', ["a;b"]),
        ("[1, 2]", [1, 2]),
        (["x", "y"], ["x", "y"]),
        ("[open", ["[open"]),
    ],
)
def test_labels_of_a_row(value, labels):
    """Lists, lists in JSON, texts with separators; an empty list and a lone separator are none."""
    assert labels_in(value) == labels


def test_labels_become_zeros_and_ones_and_unknown_ones_are_told():
    """Whole numbers are found by their texts too."""
    task = learned("tags", column(["[2, 10]", "[10]"]), "multilabel")
    assert task.classes == (2, 10)
    assert task.encode(["10;2", "2"], "tags").tolist() == [[1, 1], [1, 0]]
    with pytest.raises(DataError, match=r"labels of 'tags' that the model does not know: 3\. Its labels are 2, 10"):
        task.encode(["3"], "tags")
    with pytest.raises(DataError, match="no row has a label"):
        learned("tags", column([";", "[]"]), "multilabel")


def test_an_order_is_given_or_that_of_numbers():
    """A class that no row has keeps its place; one that is left out, or said twice, is told."""
    assert learned("size", column(["mid", "low"]), order=["low", "mid", "high"]).classes == ("low", "mid", "high")
    assert learned("grade", column(["10", "9", "2"]), "ordinal").classes == ("2", "9", "10")
    assert learned("grade", column([10, 9, 2]), "ordinal", order=["10", "9", "2"]).classes == (10, 9, 2)
    with pytest.raises(DataError, match=r"no numbers, so their order is not known: low, mid\. .*--order low,mid,high"):
        learned("size", column(["mid", "low"]), "ordinal")
    with pytest.raises(DataError, match=r"The order of 'size' leaves out mid\..*there are low, mid"):
        learned("size", column(["mid", "low"]), order=["low", "high"])
    with pytest.raises(DataError, match="says a class twice"):
        learned("size", column(["mid", "low"]), order=["low", "mid", "low"])
    with pytest.raises(UsageError, match=r"whose task is regression\. Use task ordinal"):
        learned("size", column(["1", "2"]), "regression", order=["1", "2"])


def test_numbers_that_are_none_are_told():
    """With the value, and what to do; a single number cannot be learned."""
    with pytest.raises(DataError, match=r"'w' is to be predicted as a number, and holds 'tall'.*leave them empty"):
        learned("w", column(["1", "tall"]), "regression")
    with pytest.raises(DataError, match="the only value is 2"):
        learned("w", column(["2", "2"]), "regression")
    with pytest.raises(
        UsageError, match=r"no task 'regresion'\. One of classification, multilabel, ordinal, regression"
    ):
        learned("w", column(["1", "2"]), "regresion")


def test_a_manifest_names_its_task():
    """Each comes back with its classes."""
    assert task_of("ordinal", ["a", "b"]) == Ordinal(("a", "b"))
    assert task_of("multilabel", ["a", "b"]).width == 4
    assert task_of("regression", []) == Regression()
    assert Multilabel(("a",)).described == "1 label, several a row"


def test_labels_that_may_be_none_or_the_same_are_named():
    """A class called NaN, and classes that differ in capitals alone, are said aloud; others are not."""
    values = column(["NaN"] * 12 + ["Cat"] * 12 + ["cat"] * 12 + ["dog"] * 12)
    said = remarks("pet", learned("pet", values), values, asked=False)
    assert said == [
        "'pet': 12 items are of the class 'NaN'; if that means that there is no label, leave it empty.",
        "'pet': 'Cat' and 'cat' differ in capitals or blanks alone and are taken as different classes. "
        "Write them alike if they are one.",
    ]
    values = column(["cat"] * 12 + ["dog"] * 12)
    assert remarks("pet", learned("pet", values), values, asked=False) == []


@pytest.mark.parametrize("values", [["1,5", "2,25", "3,0"], ["1.234,5", "-2,1"]])
def test_decimal_commas_are_told(values):
    """Numbers of other countries are no classes, unless that is said."""
    with pytest.raises(DataError, match="'price' holds numbers with a decimal comma") as caught:
        learned("price", column(values))
    assert "--task classification" in str(caught.value)
    assert learned("price", column(values), "classification").name == "classification"
    assert learned("tags", column(["1,2", "a"])).name == "classification"
