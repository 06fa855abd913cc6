"""The numbers of a reliability diagram."""

import numpy as np
import pytest

from icecore.evaluation import metrics, reliability
from tests.evaluation.test_coverage import simulate


def test_bins_hold_what_they_say_and_the_error_is_that_of_the_metrics():
    """Bins of equal mass from low to high; of a calibrated model confidence lies in each interval of accuracy."""
    y, proba = simulate(np.random.default_rng(0), 3000, [0.4, 0.3, 0.3], 1.5, 1.0)
    found = reliability(y, proba, bins=10)
    assert len(found.bins) == 10
    assert all(one.low <= one.confidence <= one.high for one in found.bins)
    assert [one.low for one in found.bins] == sorted(one.low for one in found.bins)
    assert all(one.items == pytest.approx(300, abs=2) for one in found.bins)
    assert sum(one.accuracy.low <= one.confidence <= one.accuracy.high for one in found.bins) >= 8
    assert reliability(y, proba).error == metrics(y, proba, 3)["calibration_error"]


def test_copies_count_once():
    """The interval of a bin counts items, not rows."""
    y, proba = simulate(np.random.default_rng(1), 100, [0.5, 0.5], 1.0, 1.0)
    rows = np.repeat(np.arange(100), 4)
    once, again = reliability(y, proba), reliability(y[rows], proba[rows], rows)
    assert [one.items for one in again.bins] == pytest.approx([one.items for one in once.bins])
    assert [one.accuracy.low for one in again.bins] == pytest.approx([one.accuracy.low for one in once.bins])
