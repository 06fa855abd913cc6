"""The estimators inside scikit-learn: its own checks, clones, pipelines and searches."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from PIL import Image
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.parallel import Parallel, delayed

from icecore import FeatureExtractor, PretrainedModel, Store, TransferClassifier, TransferRegressor
from icecore.errors import BadItemsError, HeadError, IcecoreError, UsageError
from tests.networks import PROVIDERS, counted, features_of_one, forwarded, of_torch
from tests.small import BACKBONE, WIDTH, labelled, write_colours


@parametrize_with_checks([FeatureExtractor(), TransferClassifier(), TransferRegressor()])
def test_the_estimators_pass_scikit_learns_own_checks(estimator, check):
    """Every check that scikit-learn has for such estimators passes; none is expected to fail."""
    check(estimator)


def test_a_clone_shares_the_network():
    """Parameters are copied by clone, the frozen network is not: a search would hold one for every trial."""
    net = PretrainedModel.load(BACKBONE)
    for estimator in (FeatureExtractor(net, layer=["last", -1]), TransferClassifier(net, head="ridge", penalty=2.0)):
        copy = clone(estimator)
        assert copy.backbone is net
        assert copy.get_params() == estimator.get_params()


def test_nothing_is_loaded_before_fit():
    """A constructor takes an id that does not exist: it is told when the network is needed."""
    estimator = TransferClassifier("icecore:no-such-network@random")
    with pytest.raises(IcecoreError, match="no-such-network"):
        estimator.fit(["a.png", "b.png"], ["x", "y"])


def test_a_pipeline_from_paths_to_labels(colours, store):
    """`make_pipeline(FeatureExtractor, ..., LogisticRegression)` fits and predicts from paths."""
    paths, labels = labelled(colours)
    pipeline = make_pipeline(FeatureExtractor(BACKBONE, store=store), StandardScaler(), LogisticRegression())
    assert pipeline.fit(paths, labels).score(paths, labels) == 1.0
    assert cross_val_score(pipeline, paths, labels, cv=3).mean() > 0.8


def test_layers_stand_side_by_side(colours, store):
    """Features of several layers come as one matrix, in the order in which the layers finish."""
    paths, _ = labelled(colours)
    one = [FeatureExtractor(BACKBONE, layer=layer, store=store).fit_transform(paths) for layer in ("last", -2)]
    both = FeatureExtractor(BACKBONE, layer=["last", -2], store=store).fit_transform(paths)
    assert both.dtype == np.float32
    assert both.shape[1] == sum(part.shape[1] for part in one)
    np.testing.assert_array_equal(np.sort(both, axis=1), np.sort(np.hstack(one), axis=1))


def test_columns_have_names(colours, store):
    """Those of `set_output` and `get_feature_names_out`: layer and number; of features passed through their own."""
    paths, _ = labelled(colours)
    several = FeatureExtractor(BACKBONE, layer=["stages.0", "last"], pooling=["mean", "grid"], store=store)
    frame = several.set_output(transform="pandas").fit_transform(paths)
    assert list(frame.columns) == list(several.get_feature_names_out())
    assert frame.shape[1] == 40 + 160 + WIDTH
    alone = FeatureExtractor(BACKBONE, "stages.0", "grid", store=store).fit_transform(paths)
    np.testing.assert_array_equal(frame["stages.0 (grid)_7"], alone[:, 7])
    np.testing.assert_array_equal(frame["last_3"], FeatureExtractor(BACKBONE, store=store).fit_transform(paths)[:, 3])
    assert list(FeatureExtractor().fit(np.eye(3)).get_feature_names_out()) == ["x0", "x1", "x2"]


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_grid_search_forwards_every_item_once(tmp_path, jobs):
    """4 values and 5 folds over 100 items forward 100 items, not 2,100, also where two processes share the work."""
    paths, labels = labelled(write_colours(tmp_path / "data", 50, classes=("green", "red")))
    log = tmp_path / "forwards"
    search = GridSearchCV(
        TransferClassifier(counted(log), store=tmp_path / "store"),
        {"penalty": [0.1, 1.0, 10.0, 100.0]},
        cv=5,
        n_jobs=jobs,
        error_score="raise",
    )
    search.fit(paths, labels)
    assert search.best_score_ > 0.9
    assert forwarded(log) == 100
    assert sum(table.rows for table in Store(tmp_path / "store").tables()) == 100
    assert search.predict(paths[:2] + paths[-2:]).tolist() == ["green", "green", "red", "red"]


def test_a_grid_search_by_id_stores_every_item_once(tmp_path):
    """The same by the id of a network: each process loads it once, and the store holds every row once."""
    paths, labels = labelled(write_colours(tmp_path / "data", 10))
    estimator = TransferClassifier(BACKBONE, store=tmp_path / "store")
    GridSearchCV(estimator, {"penalty": [1.0, 10.0]}, cv=3, n_jobs=2, error_score="raise").fit(paths, labels)
    assert [table.rows for table in Store(tmp_path / "store").tables()] == [30]


@pytest.mark.parametrize(
    "y",
    [
        np.array([0, 1] * 6),
        np.array([True, False] * 6),
        np.array(["a", "b"] * 6),
        np.array(["a", "b"] * 6, dtype=object),
        np.array([1.0, 2.0] * 6),
    ],
)
def test_labels_come_back_as_they_were(y):
    """Classes keep their type: numbers, truth values, texts."""
    X = np.random.default_rng(0).normal(size=(12, 3)) + 5 * (y == y[0])[:, None]
    model = TransferClassifier(head="ridge").fit(X, y)
    assert model.classes_.dtype == y.dtype
    assert model.predict(X).tolist() == y.tolist()


KINDS = {
    "tuple of paths": lambda paths: tuple(map(Path, paths)),
    "array of texts": np.array,
    "column of texts": lambda paths: np.array(paths, object)[:, None],
    "pandas series": pd.Series,
    "polars series": pl.Series,
    "pandas frame": lambda paths: pd.DataFrame({"path": paths}),
    "polars frame": lambda paths: pl.DataFrame({"path": paths}),
    "PIL images": lambda paths: [opened(path) for path in paths],
    "arrays": lambda paths: [np.asarray(opened(path)) for path in paths],
    "one array": lambda paths: np.stack([np.asarray(opened(path)) for path in paths]),
    "file contents": lambda paths: [Path(path).read_bytes() for path in paths],
    "folder": lambda paths: str(Path(paths[0]).parents[1]),
}


def opened(path: str) -> Image.Image:
    with Image.open(path) as image:
        return image.copy()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_input_gives_the_same_features(colours, store, kind):
    """Paths, images, arrays, series and frames of the same pictures."""
    paths, _ = labelled(colours)
    extractor = FeatureExtractor(BACKBONE, store=store)
    expected = extractor.fit_transform(paths)
    np.testing.assert_allclose(extractor.fit_transform(KINDS[kind](paths)), expected, atol=1e-5)


@pytest.mark.parametrize(
    "X",
    [
        np.eye(4),
        np.eye(4).tolist(),
        np.eye(4, dtype=np.int64),
        pd.DataFrame(np.eye(4), columns=list("abcd")),
        pl.DataFrame(np.eye(4), schema=list("abcd")),
        torch.eye(4),
    ],
)
def test_plain_numbers_pass_through(X):
    """A 2-D table of numbers is features already made, whoever made it; no network is needed and nothing is warned."""
    out = FeatureExtractor().fit(X).transform(X)
    np.testing.assert_array_equal(out, np.eye(4, dtype=np.float32))
    model = TransferClassifier(head="ridge").fit(X, [0, 0, 1, 1])
    assert model.predict(X).tolist() == [0, 0, 1, 1]


def test_inputs_without_a_backbone_are_told(colours):
    """The error says what to give."""
    paths, labels = labelled(colours)
    with pytest.raises(UsageError, match=r"TransferClassifier got inputs that are no features.*Give one: backbone="):
        TransferClassifier().fit(paths, labels)


def test_one_class_and_unequal_lengths_are_told(colours, store):
    """Before any head is fitted."""
    paths, labels = labelled(colours)
    with pytest.raises(UsageError, match=r"Got 1 class: all labels are 'red'\. A classifier needs at least two"):
        TransferClassifier(BACKBONE).fit(paths, ["red"] * len(paths))
    with pytest.raises(UsageError, match="Got 24 inputs and 23 labels"):
        TransferClassifier(BACKBONE, store=store).fit(paths, labels[1:])
    with pytest.raises(UsageError, match=r"y holds None at position 1\. A label for every row"):
        TransferClassifier(BACKBONE).fit(paths, [labels[0], None, *labels[2:]])


def test_a_bad_item_is_an_error(colours, tmp_path, store):
    """scikit-learn knows rows by their place alone, so none may be left out."""
    (tmp_path / "bad.png").write_bytes(b"no picture")
    with pytest.raises(BadItemsError, match=r"row 1 .*bad\.png"):
        FeatureExtractor(BACKBONE, store=store).fit_transform([labelled(colours)[0][0], str(tmp_path / "bad.png")])


def test_layer_and_penalty_can_be_chosen(colours, store):
    """Several layers: one is chosen. A given penalty stays, and with `auto` it is an error."""
    paths, labels = labelled(colours)
    model = TransferClassifier(BACKBONE, layer=["last", -3], head="ridge", penalty=7.0, store=store).fit(paths, labels)
    assert model.head_.penalty == 7.0
    assert set([model.layers_] if isinstance(model.layers_, str) else model.layers_) <= {
        "last",
        *PretrainedModel.load(BACKBONE).blocks,
    }
    assert model.score(paths, labels) > 0.9
    with pytest.raises(UsageError, match="chooses its own penalty"):
        TransferClassifier(BACKBONE, head="auto", penalty=1.0, store=store).fit(paths, labels)


@pytest.mark.parametrize("head", ["centroid", "knn", "lda", "svm", SVC(), torch.nn.Linear(WIDTH, 3)])
def test_heads_of_all_kinds(colours, store, head):
    """Names, a scikit-learn classifier, torch layers: fitted from paths; the object given is not changed."""
    paths, labels = labelled(colours)
    before = {name: value.clone() for name, value in head.state_dict().items()} if hasattr(head, "state_dict") else {}
    model = TransferClassifier(BACKBONE, head=head, store=store).fit(paths, labels)
    proba = model.predict_proba(paths)
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-9)
    assert model.score(paths, labels) > 0.9
    for name, value in before.items():
        assert torch.equal(head.state_dict()[name], value)
    assert not hasattr(head, "classes_")


@pytest.mark.parametrize("state", [3, None, np.random.RandomState(3), np.random.default_rng(3)])
def test_random_states_of_scikit_learn(state):
    """Whatever scikit-learn takes as random_state, within what it takes."""
    X, y = np.random.default_rng(0).normal(size=(20, 4)), [0, 1] * 10
    estimator = TransferClassifier(head="mlp:4,relu", random_state=state)
    if isinstance(state, np.random.Generator):
        with pytest.raises(ValueError, match="cannot be used to seed"):
            estimator.fit(X, y)
    else:
        assert estimator.fit(X, y).predict(X).shape == (20,)


def test_an_unknown_head_is_told_with_the_nearest_names():
    """`logstic` is no head."""
    with pytest.raises(UsageError, match="Did you mean logistic"):
        TransferClassifier(head="logstic").fit(np.eye(4), [0, 0, 1, 1])
    with pytest.raises(HeadError, match="A head cannot be made of"):
        TransferClassifier(head=3.5).fit(np.eye(4), [0, 0, 1, 1])


def test_edited_code_is_loaded_again(tmp_path, colours):
    """A network is kept in memory by its id, and loaded again when a local file of it has changed."""
    paths, _ = labelled(colours)
    widths = [FeatureExtractor(of_torch(tmp_path, width)).fit_transform(paths[:2]).shape[1] for width in (4, 16)]
    assert widths == [4, 16]


def test_loaded_networks_go_to_other_processes(colours, tmp_path):
    """A network of any provider, given as it is, works in the processes of a search, and gives the same features."""
    path = labelled(colours)[0][0]
    nets = []
    for name, make in PROVIDERS.items():
        (tmp_path / name).mkdir()
        nets.append(PretrainedModel.load(make(tmp_path / name)))
    here = [features_of_one(net, path, tmp_path / "here") for net in nets]
    there = Parallel(n_jobs=2)(delayed(features_of_one)(net, path, tmp_path / "there") for net in nets)
    for one, other in zip(here, there, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_threads_may_share_networks(colours, tmp_path):
    """Networks are asked for by id from several threads at once, more of them than are kept in memory."""
    paths, labels = labelled(colours)
    ids = [f"icecore:vision-s@random-{seed}" for seed in range(3)] * 2

    def scored(name: str) -> float:
        return TransferClassifier(name, head="ridge", store=tmp_path).fit(paths, labels).score(paths, labels)

    with ThreadPoolExecutor(4) as pool:
        assert min(pool.map(scored, ids)) == 1.0
    (table,) = Store(tmp_path).tables()
    assert (table.rows, len(table.columns)) == (24, 3)
