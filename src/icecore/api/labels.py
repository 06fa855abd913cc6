"""Targets as heads learn from them: which task each is, and its labels as arrays."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from icecore.artifact import TargetRef
from icecore.errors import DataError, HeadError, UsageError
from icecore.features import Features
from icecore.selection import LAYERED, head_name
from icecore.tasks import TASKS, Multilabel, Task, answer, learned, remarks

JOINED = "labels"  # the target that several columns of 0 and 1 make
MULTILABEL = Multilabel.name


@dataclass(frozen=True, slots=True)
class Labels:
    """One target.

    Attributes:
        name: of the target.
        task: what is learned, with its classes.
        y: what heads learn from, (n, ...): class codes, numbers, or 0 and 1 for each label.
        sources: the columns that it was made of, where these are several.
        notes: what is to be said of it aloud.
    """

    name: str
    task: Task
    y: np.ndarray
    sources: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def classes(self) -> tuple[Any, ...]:
        """Labels, in the order of the probabilities; none of numbers."""
        return self.task.classes

    @property
    def codes(self) -> np.ndarray:
        """Class codes, (n,); `y` under the name that it has for classes."""
        return self.y


class Wanted:
    """Which task each target is to be, as users say it.

    Args:
        task: one name for all targets, or one by target, also as `TARGET=TASK`; None to guess.
        order: of ordinal classes, the lowest first: a sequence, a text with commas, or one by target, also as
            `TARGET=low,high`.

    Raises UsageError for a task that there is not.

    Example:
        >>> wanted = Wanted(["size=ordinal"], ["size=small,big"])
        >>> wanted.task_of("size"), wanted.order_of("size"), wanted.task_of("price")
        ('ordinal', ['small', 'big'], None)
    """

    def __init__(self, task: Any = None, order: Any = None) -> None:
        self._tasks, self._orders = _by_target(task), _orders(order)
        for name in self._tasks.values():
            if name not in TASKS:
                raise UsageError(f"There is no task {name!r}.", expected=f"One of {', '.join(TASKS)}.")

    def task_of(self, target: str) -> str | None:
        """The task asked for; None to guess."""
        return self._tasks.get(target, self._tasks.get(""))

    def order_of(self, target: str) -> list[Any] | None:
        """The order asked for."""
        return self._orders.get(target, self._orders.get(""))

    @property
    def joins(self) -> bool:
        """Whether several columns are to make one target of several labels."""
        return self._tasks.get("") == MULTILABEL

    def require_known(self, targets: Sequence[str]) -> None:
        """Raise UsageError where something is said of a target that there is not."""
        strange = [name for name in (*self._tasks, *self._orders) if name and name not in targets]
        if strange:
            raise UsageError(
                f"A task or an order is given for {strange[0]!r}.", expected=f"The targets are {', '.join(targets)}."
            )


def encode(name: str, values: np.ndarray, task: str | None = None, order: Sequence[Any] | None = None) -> Labels:
    """One target's labels. Raises DataError where they cannot be learned, UsageError where that makes no sense.

    Example:
        >>> encode("species", np.array(["cat", "dog", "cat"], dtype=object)).codes.tolist()
        [0, 1, 0]
    """
    made = learned(name, values, task, order)
    said = remarks(name, made, values, asked=task is not None)
    return Labels(name, made, made.encode(values.tolist(), name), notes=tuple(said))


def encoded(targets: Mapping[str, np.ndarray], wanted: Wanted) -> list[Labels]:
    """Every target's labels; several columns that are to make labels together make one target."""
    wanted.require_known(list(targets))
    if wanted.joins and len(targets) > 1:
        y = joined(targets)
        if not y.any():
            raise DataError("No row has any of the labels.", expected=f"A 1 in one of {', '.join(targets)}.")
        return [Labels(JOINED, Multilabel(tuple(targets)), y, tuple(targets))]
    return [encode(name, values, wanted.task_of(name), wanted.order_of(name)) for name, values in targets.items()]


def joined(columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """(n, k), 1 where a column says yes. Raises DataError for a column that holds anything but 0 and 1."""
    return np.array([[answer(value, name) for value in values] for name, values in columns.items()], np.int64).T


def table_columns(targets: Sequence[TargetRef]) -> list[str]:
    """The columns of a table that a model's targets are made of."""
    return [column for target in targets for column in (target.sources or (target.name,))]


def values_of(given: Mapping[str, np.ndarray], targets: Sequence[TargetRef]) -> dict[str, np.ndarray]:
    """Labels as data hold them by the model's own target names; with one of each, the names need not agree.

    Columns that make one target together come as lists of its labels. Raises DataError where one is missing.
    """
    if len(given) == len(targets) == 1:
        return {targets[0].name: next(iter(given.values()))}
    missing = [name for name in table_columns(targets) if name not in given]
    if missing:
        raise DataError(
            f"The data has no column {', '.join(missing)}.",
            expected=f"The model's targets are {', '.join(target.name for target in targets)}.",
            do="Name the columns of labels with --target.",
        )
    return {target.name: _listed_labels(given, target) for target in targets}


def _listed_labels(given: Mapping[str, np.ndarray], target: TargetRef) -> np.ndarray:
    if not target.sources:
        return given[target.name]
    found = np.empty(len(next(iter(given.values()))), object)
    there = joined({name: given[name] for name in target.sources}).astype(bool)
    found[:] = [[name for name, own in zip(target.sources, row, strict=True) if own] for row in there]
    return found


def columns_of(y: Any, wanted: Wanted | Sequence[TargetRef]) -> Any:
    """Targets as they were given; a matrix (n, k) of 0 and 1 for several labels as columns `0`, `1`, ...

    Args:
        y: whatever came.
        wanted: what is to be learned, or a model's targets.
    """
    joins = wanted.joins if isinstance(wanted, Wanted) else any(target.sources for target in wanted)
    if joins and isinstance(y, np.ndarray) and y.ndim == 2:
        return {str(number): column for number, column in enumerate(y.T)}
    return y


def require_classes(head: Any, labels: Sequence[Labels], *, ensemble: bool) -> None:
    """Raise HeadError where something that tells classes apart, one a row, meets a target of another task."""
    what = "An ensemble" if ensemble else f"The head {head!r}"
    for own in labels if ensemble or head_name(head) in LAYERED else ():
        if own.task.name != "classification":
            raise HeadError(
                f"{what} was asked for, and the task of {own.name!r} is {own.task.name}.",
                expected="Ensembles, head2toe and layer-sum tell classes apart, one a row.",
                do="Leave it out: auto compares single layers and all of them side by side for any task.",
            )


def require_balance(class_weight: Any, labels: Sequence[Labels]) -> None:
    """Raise UsageError where classes are to be balanced and there are none."""
    if class_weight is not None and all(not label.classes for label in labels):
        raise UsageError("There are no classes to balance: the target is a number.", do="Leave --balanced out.")


def require_items(features: Features) -> None:
    """Raise DataError, with a reason, where not one item could be read."""
    if len(features):
        return
    first = features.bad[0] if features.bad else None
    raise DataError(
        f"None of the {len(features.bad):,} items can be used." if first else "There are no items.",
        expected=f"The first, {first.input}: {first.reason}." if first else "",
    )


def _by_target(given: Any) -> dict[str, str]:
    """By target, "" for all of them."""
    if given is None:
        return {}
    if isinstance(given, Mapping):
        return {str(name): str(value) for name, value in given.items()}
    parts = [given] if isinstance(given, str) else list(given)
    pairs = [part.rpartition("=") for part in parts]
    return {target: name for target, _, name in pairs}


def _orders(given: Any) -> dict[str, list[Any]]:
    if given is None:
        return {}
    if isinstance(given, Mapping):
        return {str(name): _listed(value) for name, value in given.items()}
    if isinstance(given, str):
        given = [given]
    if all(isinstance(part, str) and ("," in part or "=" in part) for part in given):
        pairs = [part.partition("=") if "=" in part else ("", "", part) for part in given]
        return {target: _listed(order) for target, _, order in pairs}
    return {"": list(given)}


def _listed(order: Any) -> list[Any]:
    if isinstance(order, str):
        return json.loads(order) if order.startswith("[") else [part.strip() for part in order.split(",")]
    return list(order)
