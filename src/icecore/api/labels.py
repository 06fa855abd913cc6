"""Labels and class codes: what a target can be learned from, and how a saved model recognises its classes again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from icecore.errors import DataError
from icecore.features import Features


@dataclass(frozen=True, slots=True)
class Labels:
    """One target's labels: names of the classes and a code for each item."""

    name: str
    classes: tuple[Any, ...]
    codes: np.ndarray


def encode(name: str, values: np.ndarray) -> Labels:
    """Class codes of labels, classes sorted. Raises DataError where there are not at least two classes.

    Example:
        >>> encode("species", np.array(["cat", "dog", "cat"], dtype=object)).codes.tolist()
        [0, 1, 0]
    """
    plain = values.tolist()
    _require_classes(name, plain)
    try:
        classes = sorted(set(plain))
    except TypeError:  # labels of different types have no order of their own
        classes = sorted(set(plain), key=lambda label: (type(label).__name__, str(label)))
    if len(classes) < 2:
        came = f"the only label is {classes[0]!r}" if classes else "there are no labelled items"
        raise DataError(f"The target {name!r} cannot be learned: {came}.", expected="At least two classes.")
    code = {label: number for number, label in enumerate(classes)}
    return Labels(name, tuple(classes), np.array([code[label] for label in plain], dtype=np.int64))


def codes_of(values: Sequence[Any], name: str, classes: Sequence[Any]) -> np.ndarray:
    """Class codes of labels, (n,). A table of texts says "3" for the class 3. Raises DataError for unknown labels."""
    code = {label: number for number, label in enumerate(classes)}
    spelled = {text: number for label, number in code.items() for text in _spellings(label)}
    found = [code.get(value, next((spelled[t] for t in _spellings(value) if t in spelled), -1)) for value in values]
    unknown = sorted({str(value) for value, number in zip(values, found, strict=True) if number < 0})
    if unknown:
        raise DataError(
            f"The data has labels of {name!r} that the model does not know: {', '.join(unknown[:5])}.",
            expected=f"Its classes are {', '.join(map(str, classes))}.",
            do="Evaluate on data with these classes, or fit again with the new ones.",
        )
    return np.array(found, dtype=np.int64)


def require_items(features: Features) -> None:
    """Raise DataError, with a reason, where not one item could be read."""
    if len(features):
        return
    first = features.bad[0] if features.bad else None
    raise DataError(
        f"None of the {len(features.bad):,} items can be used." if first else "There are no items.",
        expected=f"The first, {first.input}: {first.reason}." if first else "",
    )


def _require_classes(name: str, values: Sequence[Any]) -> None:
    numbers = [value for value in values if isinstance(value, float) and not value.is_integer()]
    if numbers:
        raise DataError(
            f"The target {name!r} holds fractional numbers, such as {numbers[0]:g}.",
            expected="Classes: texts, whole numbers or truth values. This version does not predict quantities.",
            do="Give ranges names, or choose another column with --target (target=).",
        )


def _spellings(label: Any) -> tuple[str, ...]:
    """How a label may be written: a number that is whole also without a fraction."""
    whole = isinstance(label, float) and label.is_integer()
    return (str(label), str(int(label))) if whole else (str(label),)
