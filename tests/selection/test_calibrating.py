"""Probabilities are calibrated where that pays, and scored as calibrated without the row."""

import numpy as np
import pytest

from icecore.evaluation import metrics
from icecore.heads import make, restore
from icecore.heads.calibrating import calibrated, isotonic, tempered
from icecore.heads.ensemble import Ensemble, Member
from icecore.selection import calibrate
from tests.evaluation.test_coverage import simulate

SHARES = [0.5, 0.3, 0.2]
BOTH = Ensemble((Member("ridge", 1.0, ((0, 5),), 0.7), Member("knn:k=3", None, ((0, 2),), 0.3)))


def test_an_overconfident_model_gets_a_temperature_and_a_calibrated_one_nothing():
    """The simplest that cannot be told from the best: three times too sure is calibrated to nearly the right loss."""
    rng = np.random.default_rng(0)
    y, proba = simulate(rng, 600, SHARES, 1.2, 3.0)
    found = calibrate(y, proba[None])
    assert found.method == "temperature"
    assert found.step.temperature == pytest.approx(3.0, rel=0.25)
    before, after = (metrics(y, p, 3)["calibration_error"].value for p in (proba, found.proba[0]))
    assert after < before / 2
    y, proba = simulate(rng, 600, SHARES, 1.2, 1.0)
    left = calibrate(y, proba[None])
    assert (left.method, left.step) == ("none", None)
    assert set(left.losses) == {"none", "temperature", "isotonic"}
    np.testing.assert_array_equal(left.proba[0], proba)


def test_what_no_temperature_calibrates_gets_curves():
    """Probabilities bent by class need a curve for each."""
    rng = np.random.default_rng(1)
    y, proba = simulate(rng, 3000, SHARES, 1.2, 1.0)
    bent = proba ** np.array([0.2, 1.0, 4.0])
    bent /= bent.sum(axis=1, keepdims=True)
    found = calibrate(y, bent[None])
    assert found.method == "isotonic"
    assert metrics(y, found.proba[0], 3)["log_loss"].value < metrics(y, bent, 3)["log_loss"].value - 0.1


def test_each_row_is_calibrated_without_itself():
    """With labels drawn by lot, curves that had seen the row would look better than knowing nothing; these do not."""
    rng = np.random.default_rng(2)
    y, proba = rng.integers(0, 2, 60), rng.dirichlet([1, 1], 60)
    found = calibrate(y, proba[None], method="isotonic")
    assert metrics(y, found.proba[0], 2)["log_loss"].value > 0.69


def test_rows_that_are_not_scored_and_few_rows_stay():
    """NaN stays NaN; of fewer than fifty rows nothing is learned."""
    rng = np.random.default_rng(3)
    y, proba = simulate(rng, 200, SHARES, 1.2, 3.0)
    proba[::5] = np.nan
    found = calibrate(y, np.stack([proba, proba]))
    assert np.isnan(found.proba[:, ::5]).all()
    assert np.isfinite(found.proba[:, 1::5]).all()
    assert calibrate(y[:45], proba[None, :45], method="temperature").method == "none"


@pytest.mark.parametrize("head", ["logistic:C=1", "knn:k=3", "centroid", "mlp:4", BOTH])
@pytest.mark.parametrize("learn", [tempered, isotonic])
def test_a_calibrated_head_is_saved_with_its_steps(head, learn):
    """Any head can be calibrated, also with a class that it never saw; what is restored predicts the same."""
    rng = np.random.default_rng(4)
    y = np.arange(60) % 3
    X = (rng.normal(size=(60, 5)) + y[:, None]).astype(np.float32)
    fitted = make(head).fit(X, y, n_classes=4)
    plain = fitted.predict_proba(X)
    step = learn(plain, y)
    after = calibrated(fitted, step)
    np.testing.assert_array_equal(fitted.predict_proba(X), plain)
    np.testing.assert_allclose(after.predict_proba(X), step(plain), atol=1e-9)
    np.testing.assert_allclose(after.predict_proba(X).sum(axis=1), 1)
    np.testing.assert_allclose(restore(*after.state()).predict_proba(X), after.predict_proba(X), atol=1e-6)
