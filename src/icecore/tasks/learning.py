"""From what a column holds to the task that it is: as it was asked for, or guessed and said aloud."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from icecore.data import NO_LABEL
from icecore.errors import DataError, UsageError
from icecore.tasks.base import Task, TaskName
from icecore.tasks.classification import Classification
from icecore.tasks.multilabel import Multilabel, is_list
from icecore.tasks.ordinal import Ordinal
from icecore.tasks.regression import Regression

TASKS: dict[str, type[Task]] = {task.name: task for task in (Classification, Multilabel, Ordinal, Regression)}
_FEW_VALUES = 20  # different whole numbers up to which they are classes without a word
_ROWS_A_VALUE = 5  # fewer rows than this for each different whole number make it a quantity
_RARE = 10  # items of the rarest class, under which little can be known of it
_COMMA = re.compile(r"\s*[+-]?(\d{1,3}(\.\d{3})+|\d+),\d+\s*")
_WORD = 100  # as many times rarer than the most frequent class is rare too


def task_of(name: TaskName, classes: Sequence[Any]) -> Task:
    """The task that a manifest names."""
    return TASKS[name](tuple(classes))


def learned(name: str, values: np.ndarray, task: str | None = None, order: Sequence[Any] | None = None) -> Task:
    """The task of a target, with its classes, from the labels of all items.

    Args:
        name: of the target.
        values: labels (n,), as a data set holds them.
        task: its name; None to guess.
        order: of classes, the lowest first.

    Raises:
        UsageError: there is no such task, or an order without one that has it.
        DataError: the labels cannot be learned so, or are numbers with a decimal comma.

    Example:
        >>> learned("weight", np.array([0.5, 1.5, 2.5])).name
        'regression'
    """
    plain = values.tolist()
    chosen = task or ("ordinal" if order is not None else guessed(plain))
    if task is None and chosen == "classification":
        _require_points(name, plain)
    if chosen not in TASKS:
        raise UsageError(f"There is no task {chosen!r}.", expected=f"One of {', '.join(TASKS)}.")
    if order is not None and chosen != "ordinal":
        raise UsageError(f"An order was given for {name!r}, whose task is {chosen}.", do="Use task ordinal with it.")
    if chosen == "ordinal":
        return Ordinal.of(name, plain, order)
    made: Task = TASKS[chosen].of(name, plain)  # type: ignore[attr-defined]  # every task but ordinal has this one
    return made


def guessed(values: Sequence[Any]) -> TaskName:
    """`regression` for fractional numbers, and for whole ones where nearly every row has its own; `multilabel` for
    lists; else `classification`.

    Example:
        >>> guessed(["0.5", "1.25"]), guessed(["1", "2", "2"]), guessed(["1", "b"]), guessed(['["a", "b"]', "[]"])
        ('regression', 'classification', 'classification', 'multilabel')
    """
    numbers = _numbers(values)
    if numbers is None:
        return "multilabel" if values and all(is_list(value) for value in values) else "classification"
    different = len(set(numbers))
    if any(not number.is_integer() for number in numbers):
        return "regression"
    many = different > _FEW_VALUES and len(numbers) < _ROWS_A_VALUE * different
    return "regression" if many else "classification"


def _require_points(name: str, values: Sequence[Any]) -> None:
    """Raise DataError for numbers with a decimal comma, which would each become a class."""
    if values and all(isinstance(value, str) and _COMMA.fullmatch(value) for value in values):
        raise DataError(
            f"{name!r} holds numbers with a decimal comma, such as {values[0]!r}.",
            expected="A point before decimals, as in 0.25.",
            do="Write it so, or say --task classification to take each as a class.",
        )


def remarks(name: str, task: Task, values: np.ndarray, *, asked: bool) -> list[str]:
    """What is to be said aloud of a target: what was guessed, and classes that are rare."""
    said: list[str] = []
    if not asked and isinstance(task, Regression):
        said.append(f"{name!r} holds numbers, so a number is predicted (--task classification takes them as classes).")
    if not asked and isinstance(task, Classification) and len(task.classes) > _FEW_VALUES and _numbers(task.classes):
        said.append(
            f"{name!r} holds {len(task.classes)} different whole numbers, taken as classes "
            "(--task regression predicts a number)."
        )
    if not asked and isinstance(task, Multilabel):
        said.append(f"{name!r} holds lists, so several labels a row are predicted.")
    if isinstance(task, Classification):
        said += _doubtful(name, values)
    return said + _rare(name, task, task.encode(values.tolist(), name))


def _doubtful(name: str, values: np.ndarray) -> list[str]:
    """Sentences where a class may be no label at all, or the same as another in other letters."""
    counts = Counter(value for value in values.tolist() if isinstance(value, str))
    said = [
        f"{name!r}: {count:,} items are of the class {word!r}; if that means that there is no label, leave it empty."
        for word, count in sorted(counts.items())
        if word.lower() in NO_LABEL
    ]
    spellings: dict[str, list[str]] = {}
    for word in sorted(counts):
        spellings.setdefault(" ".join(word.split()).casefold(), []).append(word)
    twice = [" and ".join(map(repr, words)) for words in spellings.values() if len(words) > 1]
    if twice:
        said.append(
            f"{name!r}: {twice[0]} differ in capitals or blanks alone and are taken as different classes"
            f"{f'; so are {len(twice) - 1} more' if len(twice) > 1 else ''}. Write them alike if they are one."
        )
    return said


def _rare(name: str, task: Task, y: np.ndarray) -> list[str]:
    """A sentence where a class has few items, or very much fewer than another."""
    if not task.classes or not len(y):
        return []
    counts = y.sum(axis=0) if y.ndim == 2 else np.bincount(y, minlength=len(task.classes))
    rarest, few = int(counts.argmin()), int(counts.min())
    if few >= _RARE and counts.max() < _WORD * few:
        return []
    if counts.max() < 2 * few:
        size = f"{few}" if counts.max() == few else f"{few} to {counts.max()}"
        return [f"{name!r}: {len(counts)} classes of {size} items; little can be known of any."]
    others = int((counts < _RARE).sum()) - 1
    more = f", and {others} more of its {len(counts)} have fewer than {_RARE}" if others > 0 else ""
    most = f"the most frequent, {task.classes[int(counts.argmax())]}, has {counts.max():,}"
    return [
        f"{name!r}: {task.classes[rarest]} has only {few} item{'s' * (few != 1)}{more}; {most}. "
        "Little can be known of rare ones; --balanced lets every class count the same."
    ]


def _numbers(values: Sequence[Any]) -> list[float] | None:
    """All values as finite numbers; None where any is none. Truth values are classes."""
    found: list[float] = []
    for value in values:
        if isinstance(value, bool):
            return None
        try:
            number = float(value)
        except (TypeError, ValueError):
            return None
        if not np.isfinite(number):
            return None
        found.append(number)
    return found or None
