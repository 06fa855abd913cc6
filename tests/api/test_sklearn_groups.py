"""`groups` in the scikit-learn estimators: rows that belong together stay on one side of every inner fold."""

import numpy as np
import pytest
from sklearn import config_context
from sklearn.calibration import CalibratedClassifierCV
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score

from icecore import TransferClassifier, TransferRegressor
from icecore.errors import UsageError
from tests.small import BACKBONE, labelled
from tests.tuning import network, orders


def patients(n=40, each=5, noise=2.0):
    """Features of `n` patients, `each` rows of one nearly the same, with a label that is the patient's by lot: nearest
    neighbours look perfect where a patient straddles. One feature says a little of the label.
    """
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=n)
    own = rng.normal(0, noise, (n, 12))
    own[:, 0] += 2 * y
    group = np.repeat(np.arange(n), each)
    X = own[group] + rng.normal(0, 0.01, (n * each, 12))
    return X.astype(np.float32), y[group], group


def test_groups_keep_the_choice_honest():
    """With groups a smoother head is chosen than the one nearest neighbour that knows the patient again."""
    X, y, group = patients()
    blind, seeing = (
        TransferClassifier(head="auto").fit(X, y, **how).head_ for how in ({}, {"groups": [f"p{g}" for g in group]})
    )
    assert blind.name in {"knn", "svm-rbf"}
    assert seeing.name not in {"knn", "svm-rbf"}


def test_groups_come_through_cross_validation_and_searches():
    """As a parameter of fit, cut to the training rows of each fold; and by scikit-learn's metadata routing."""
    X, y, group = patients()
    model = TransferClassifier(head="auto")
    plain = cross_val_score(model, X, y, groups=group, cv=GroupKFold(3), params={"groups": group}, error_score="raise")
    with config_context(enable_metadata_routing=True):
        asking = TransferClassifier(head="auto").set_fit_request(groups=True)
        routed = cross_val_score(asking, X, y, cv=GroupKFold(3), params={"groups": group}, error_score="raise")
        search = GridSearchCV(asking, {"balanced": [False, True]}, cv=GroupKFold(3), error_score="raise")
        search.fit(X, y, groups=group)
    np.testing.assert_array_equal(plain, routed)
    assert search.best_score_ >= min(plain)


def test_groups_of_numbers_and_of_pictures(colours, store):
    """The regressor takes them too; with inputs they join what equal inputs have in common."""
    paths, names = labelled(colours)
    groups = np.arange(24) // 2
    y = np.array([{"blue": 0.0, "green": 1.0, "red": 5.0}[name] for name in names])
    numbers = TransferRegressor(BACKBONE, head="auto", store=store).fit(paths, y, groups=groups)
    assert numbers.score(paths, y) > 0.8
    model = TransferClassifier(BACKBONE, layer="all", head="auto", store=store)
    assert model.fit(paths, names, groups=groups).score(paths, names) == 1.0
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.fit(paths, names, groups=groups[1:])


def test_probabilities_are_calibrated_by_scikit_learn(colours, store):
    """What `fit --calibrate` does is there as `CalibratedClassifierCV`, around inputs as around features."""
    paths, names = labelled(colours)
    model = CalibratedClassifierCV(TransferClassifier(BACKBONE, head="ridge", store=store), cv=3)
    np.testing.assert_allclose(model.fit(paths, names).predict_proba(paths).sum(axis=1), 1)


def test_fine_tune_searches_and_keeps_groups_together(tmp_path):
    """`search` tries settings first, as `icecore fine-tune --search` does; groups never straddle its rows."""
    X, y = orders(40)
    X = np.stack([np.asarray(picture) for picture in X])
    model = TransferClassifier(network(), store=tmp_path).fit(X, y)
    how = {"epochs": 2, "learning_rate": 1e-2, "batch_size": 16, "mixup": 0.0, "unfreeze": 1}
    model.fine_tune(X, y, search=2, groups=np.arange(len(X)) // 2, **how)
    assert model.tuning_.search.trials == 2
    with pytest.raises(UsageError, match="comparison in 5 folds"):
        model.fine_tune(X, y, search=2, folds=5, **how)
