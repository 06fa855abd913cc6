"""Statistical honesty: the nominal 95 % intervals are tried on data whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from icecore.evaluation import cross_validate, metrics, wilson

NAMES = ("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "roc_auc")
SCENES = {  # class shares, distance of the classes, how much too sure the model is
    "two balanced": ([0.5, 0.5], 1.2, 1.0),
    "six balanced": ([1 / 6] * 6, 2.0, 1.0),
    "three imbalanced": ([0.7, 0.2, 0.1], 1.5, 1.0),
    "two imbalanced, overconfident": ([0.85, 0.15], 1.5, 1.4),
    "six, nearly perfect": ([1 / 6] * 6, 4.0, 1.0),
    "three imbalanced, nearly perfect": ([0.7, 0.2, 0.1], 3.5, 1.0),
}


def simulate(rng, n, shares, distance, sureness):
    """Labels and the probabilities of a model that knows the classes' densities."""
    y = rng.choice(len(shares), n, p=shares)
    noise = rng.normal(size=(n, len(shares)))
    noise[np.arange(n), y] += distance
    logits = sureness * (distance * noise + np.log(shares))
    proba = np.exp(logits - logits.max(axis=1, keepdims=True))
    return y, proba / proba.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("n", [30, 100, 500])
@pytest.mark.parametrize("scene", SCENES)
def test_intervals_cover_the_truth(scene, n):
    """In 250 samples of each kind and size, every interval covers the truth about as often as it says."""
    shares, distance, sureness = SCENES[scene]
    rng = np.random.default_rng(n)
    truth = metrics(*simulate(rng, 100_000, shares, distance, sureness), len(shares))
    hits = {name: [] for name in NAMES}
    for _ in range(250):
        found = metrics(*simulate(rng, n, shares, distance, sureness), len(shares))
        for name in NAMES:
            if found[name] is not None:
                hits[name].append(found[name].low <= truth[name].value <= found[name].high)
    cover = {name: float(np.mean(hit)) for name, hit in hits.items()}
    assert min(cover.values()) >= 0.90, cover  # 0.92, less the luck of 250 draws


@pytest.mark.parametrize("n", [60, 200])
def test_intervals_of_duplicated_rows_still_cover(n):
    """Every item five times, as groups: the intervals cover as with single items; as rows on their own they do not."""
    shares, distance = [0.5, 0.3, 0.2], 1.5
    rng = np.random.default_rng(n)
    truth = metrics(*simulate(rng, 100_000, shares, distance, 1.0), 3)
    as_groups = {name: [] for name in NAMES}
    as_rows = []
    for _ in range(150):
        y, proba = (np.repeat(part, 5, axis=0) for part in simulate(rng, n, shares, distance, 1.0))
        found = metrics(y, proba, 3, groups=np.repeat(np.arange(n), 5))
        for name in NAMES:
            as_groups[name].append(found[name].low <= truth[name].value <= found[name].high)
        rows = metrics(y, proba, 3)["accuracy"]
        as_rows.append(rows.low <= truth["accuracy"].value <= rows.high)
    assert min(np.mean(hit) for hit in as_groups.values()) >= 0.88
    assert np.mean(as_rows) < 0.75


def test_calibration_interval_holds_zero_for_a_calibrated_model_and_the_truth_for_another():
    """The calibration error of a small sample is too large by chance; the interval takes that into account."""
    rng = np.random.default_rng(3)
    calibrated, overconfident = [], []
    truth = metrics(*simulate(rng, 300_000, [0.5, 0.5], 1.2, 2.0), 2)["calibration_error"].value
    for _ in range(150):
        calibrated.append(metrics(*simulate(rng, 200, [0.5, 0.5], 1.2, 1.0), 2)["calibration_error"].low == 0)
        found = metrics(*simulate(rng, 200, [0.5, 0.5], 1.2, 2.0), 2)["calibration_error"]
        overconfident.append(found.low <= truth <= found.high)
    assert np.mean(calibrated) >= 0.92
    assert np.mean(overconfident) >= 0.92


def test_cross_validated_intervals_cover_accuracy_on_new_data():
    """In 500 data sets the interval of out-of-fold accuracy covers that of the model of all rows on new data."""
    rng = np.random.default_rng(5)
    X_new, y_new = gaussians(rng, 20_000)
    cover = []
    for _ in range(500):
        X, y = gaussians(rng, 80)
        result = cross_validate(lambda train, test, X=X, y=y: centroids(X[train], y[train], X[test]), y, 3, repeats=2)
        found = result.metrics()["accuracy"]
        truth = (centroids(X, y, X_new).argmax(axis=1) == y_new).mean()
        cover.append(found.low <= truth <= found.high)
    assert 0.92 <= np.mean(cover) <= 0.99


def gaussians(rng, n):
    y = rng.choice(3, n, p=[0.5, 0.3, 0.2])
    X = rng.normal(size=(n, 5))
    X[np.arange(n), y] += 1.8
    return X, y


def centroids(X, y, X_test):
    """Probabilities of a nearest-centroid model."""
    centres = np.array([X[y == c].mean(axis=0) if (y == c).any() else np.full(X.shape[1], 9.0) for c in range(3)])
    logits = -((X_test[:, None] - centres) ** 2).sum(axis=2) / 2
    proba = np.exp(logits - logits.max(axis=1, keepdims=True))
    return proba / proba.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("n", [20, 100])
def test_wilson_covers_at_every_share(n):
    """The exact coverage of the interval of a share is 0.90 or more for every true share, and 0.95 on average."""
    seen = np.arange(n + 1)
    found = [wilson(k / n, n) for k in seen]
    shares = np.linspace(0.002, 0.998, 499)
    log_choose = np.concatenate([[0], np.cumsum(np.log((n - seen[:-1]) / (seen[:-1] + 1)))])
    density = np.exp(log_choose + np.outer(np.log(shares), seen) + np.outer(np.log(1 - shares), n - seen))
    inside = np.array([[e.low <= share <= e.high for e in found] for share in shares])
    cover = (density * inside).sum(axis=1)
    assert cover.min() >= 0.90
    assert 0.945 <= cover.mean() <= 0.975
