"""Numbers and names as people say them."""

from __future__ import annotations

from collections.abc import Sequence

MEANINGS = {
    "accuracy": "share of items that it gets right",
    "balanced_accuracy": "the same, with every class counting alike, however rare",
    "macro_f1": "balance of misses and false alarms, averaged over the classes",
    "log_loss": "how much the truth surprises it; lower is better",
    "roc_auc": "how well it ranks the right class above the others; 0.5 is chance",
    "calibration_error": "how far its stated confidence is from the truth; lower is better",
    "mean_average_precision": "how well items that have a label are ranked above those that have not; 1 is perfect",
    "micro_f1": "balance of misses and false alarms over all labels",
    "exact_match": "share of items whose labels are all right",
    "quadratic_weighted_kappa": "agreement beyond chance, near misses counting less; 1 is perfect",
    "r2": "share of the differences between items that it explains; 0 is a guess of the mean",
    "mae": "how far off it is on average, in the unit of the target; lower is better",
    "rmse": "the same, with large misses counting more; lower is better",
}
SHARES = ("accuracy", "balanced_accuracy", "macro_f1", "roc_auc", "exact_match")
_PERCENT = "\N{NO-BREAK SPACE}%"
COLUMNS = {
    "raw_input": "raw input", "majority_class": "most common class", "median_class": "middle class",
    "label_shares": "shares of the labels", "mean_value": "the mean",
}  # fmt: skip


def percent(share: float, digits: int = 0) -> str:
    r"""A share in percent, with a space that does not break.

    Example:
        >>> percent(0.8934), percent(0.005, 1), percent(1.0)
        ('89\xa0%', '0.5\xa0%', '100\xa0%')
    """
    rounded = round(100 * share, digits)
    if digits == 0 and rounded == 100 and share < 1:
        return f"over 99{_PERCENT}"
    return f"{rounded:.{digits}f}{_PERCENT}"


def of_hundred(share: float) -> str:
    """A share as a count out of a hundred, which most readers grasp sooner than a percentage.

    Example:
        >>> of_hundred(0.8934)
        '89 of 100'
    """
    return f"{min(round(100 * share), 99) if share < 1 else 100} of 100"


def count(number: int, one: str, many: str = "") -> str:
    """A number with its noun.

    Example:
        >>> count(1, "item"), count(2527, "item"), count(2, "copy", "copies")
        ('1 item', '2,527 items', '2 copies')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def listed(names: Sequence[str], most: int = 6) -> str:
    """Names in a sentence, the first of many.

    Example:
        >>> listed(["a", "b", "c"]), listed(["a", "b", "c"], 2)
        ('a, b and c', 'a, b and 1 more')
    """
    shown = list(names[:most])
    if len(names) > most:
        return f"{', '.join(shown)} and {len(names) - most} more"
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}" if shown else ""


def seconds(value: float) -> str:
    """A length of time.

    Example:
        >>> seconds(0.5), seconds(75), seconds(4000)
        ('0.5 s', '1 min 15 s', '1 h 6 min')
    """
    if value < 60:
        return f"{value:.1f} s" if value < 10 else f"{value:.0f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def metric(name: str) -> str:
    """A metric's name for people.

    Example:
        >>> metric("roc_auc"), metric("balanced_accuracy")
        ('ROC AUC', 'balanced accuracy')
    """
    special = {"roc_auc": "ROC AUC", "macro_f1": "macro F1", "r2": "R²", "mae": "mean absolute error", "rmse": "RMSE"}
    return special.get(name, name.replace("_", " "))
