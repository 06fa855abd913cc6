"""`TransferModel`: fit, predict, evaluate, with every kind of head, label and network."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

import icecore
from icecore import PretrainedModel, TransferModel
from icecore.backbones import Cuttable
from icecore.errors import BadItemsError, DataError, PreprocessingError, UsageError
from tests.networks import PROVIDERS, counted, forwarded
from tests.small import BACKBONE, WIDTH, labelled, write_colours

QUICK = {"progress": False, "repeats": 1, "folds": 3}


@pytest.fixture(scope="module")
def model(colours, store) -> TransferModel:
    return TransferModel(BACKBONE, head="ridge", store=store).fit(colours, **QUICK)


def test_fit_predict_evaluate(colours, store, model, tmp_path):
    """The whole job from a folder; figures have intervals that hold them, and stand beside two baselines."""
    report = model.report
    assert (report.items, report.bad_items, report.task, report.backbone) == (24, 0, "classification", BACKBONE)
    (target,) = report.targets
    assert (target.name, target.classes, target.layer) == ("label", ("blue", "green", "red"), "last")
    assert target.metrics["accuracy"].value > 0.9
    assert all(found.low <= found.value <= found.high for found in target.metrics.values())
    assert set(target.baselines) == {"majority_class", "raw_input"}
    assert target.baselines["majority_class"]["accuracy"].value == pytest.approx(1 / 3)
    new = write_colours(tmp_path / "new", 3, seed=1)
    predicted = model.predict(new)
    assert predicted.labels.tolist() == ["blue"] * 3 + ["green"] * 3 + ["red"] * 3
    assert predicted[0].label == "blue"
    assert predicted[0].probability == max(predicted[0].probabilities.values())
    assert [p.input for p in predicted[7:]] == ["red/001.png", "red/002.png"]
    evaluation = model.evaluate(new, progress=False)
    assert evaluation.items == 9
    assert evaluation.metrics["label"]["accuracy"].value == 1.0


def test_a_second_fit_computes_nothing(tmp_path, colours):
    """Another head, another penalty, the same folder: every feature comes from the store."""
    log = tmp_path / "forwards"
    net = counted(log)
    for head in ("ridge", "logistic:C=1", "knn:k=3"):
        fitted = TransferModel(net, head=head, store=tmp_path / "store").fit(colours, **QUICK)
        assert forwarded(log) == 24
    assert (fitted.report.extraction.computed, fitted.report.extraction.reused) == (0, 24)


@pytest.mark.parametrize(
    "head",
    [
        "logistic:C=1",
        "svm-rbf:C=1",
        "mlp:8,relu,dropout0.1",
        make_pipeline(StandardScaler(), LogisticRegression()),
        KNeighborsClassifier(3),
        nn.Sequential(nn.Linear(WIDTH, 16), nn.ReLU(), nn.Linear(16, 3)),
    ],
)
def test_heads_of_every_kind_are_saved_and_loaded(colours, store, tmp_path, head):
    """Names, the user's scikit-learn estimators and torch layers: what is loaded predicts what was fitted."""
    fitted = TransferModel(BACKBONE, head=head, store=store).fit(colours, **QUICK)
    fitted.save(tmp_path / "m")
    loaded = TransferModel.load(tmp_path / "m", store=store)
    assert fitted.report.targets[0].metrics["accuracy"].value > 0.9
    np.testing.assert_allclose(loaded.predict(colours).probabilities, fitted.predict(colours).probabilities, atol=1e-6)


def test_auto_chooses_among_layers_and_heads(colours, store):
    """`auto` compares the blocks and `last`, tells why, and the report names the layer that it took."""
    fitted = TransferModel(BACKBONE, head="auto", layers=["last", -1, -2], store=store).fit(colours, **QUICK)
    (target,) = fitted.report.targets
    assert len(target.by_layer) >= 2
    assert target.chosen_because
    assert target.metrics["accuracy"].value > 0.9


@pytest.mark.parametrize(
    ("names", "kind"),
    [((0, 1, 2), int), ((False, True), bool), ((1.0, 2.0, 4.0), float), (("01", "1", "x"), str)],
)
def test_labels_keep_their_type(colours, store, tmp_path, names, kind):
    """What was a number when given is a number when predicted, also after saving."""
    folders = ("blue", "green", "red")[: len(names)]
    paths, words = labelled(colours)
    kept = [(path, names[folders.index(word)]) for path, word in zip(paths, words, strict=True) if word in folders]
    X, y = [path for path, _ in kept], [label for _, label in kept]
    fitted = TransferModel(BACKBONE, head="ridge", store=store).fit(X, y, **QUICK)
    fitted.save(tmp_path / "m")
    for one in (fitted, TransferModel.load(tmp_path / "m", store=store)):
        assert one.predict(X).labels.tolist() == y
        assert {type(p.label) for p in one.predict(X)} == {kind}
        assert one.evaluate(X, y, progress=False).metrics["label"]["accuracy"].value == 1.0


def test_numbers_are_recognised_in_a_table_of_texts(colours, store, tmp_path):
    """A model fitted on the integers 0 to 2, or on 0.0 to 2.0, is evaluated on a CSV, where everything is text."""
    paths, words = labelled(colours)
    y = [["blue", "green", "red"].index(word) for word in words]
    lines = [f"{path},{label}" for path, label in zip(paths, y, strict=True)]
    (tmp_path / "test.csv").write_text("\n".join(["path,label", *lines]), "utf-8")
    for labels in (y, [float(label) for label in y], pd.Series(y)):
        fitted = TransferModel(BACKBONE, head="ridge", store=store).fit(paths, labels, **QUICK)
        found = fitted.evaluate(tmp_path / "test.csv", progress=False)
        assert found.metrics["label"]["accuracy"].value == 1.0


def test_several_targets(colours, store, tmp_path):
    """Two columns of a table: a head each, figures and predictions by target; evaluation finds the columns itself."""
    paths, words = labelled(colours)
    warm = ["yes" if word == "red" else "no" for word in words]
    frame = pd.DataFrame({"path": paths, "colour": words, "warm": warm, "label": "other"})
    fitted = TransferModel(BACKBONE, head="ridge", store=store).fit(frame, target=["colour", "warm"], **QUICK)
    assert set(fitted.report.to_json()["metrics"]) == {"colour", "warm"}
    fitted.save(tmp_path / "m")
    loaded = TransferModel.load(tmp_path / "m", store=store)
    result = loaded.predict_targets(paths)
    assert result["colour"].labels.tolist() == words
    assert result["warm"].labels.tolist() == warm
    evaluation = loaded.evaluate(frame, progress=False)
    assert evaluation.metrics["warm"]["accuracy"].value == 1.0
    assert set(evaluation.to_json()["metrics"]) == {"colour", "warm"}
    with pytest.raises(UsageError, match=r"This model has 2 targets: colour, warm\. Use predict_targets, by name"):
        loaded.predict(paths)
    with pytest.raises(DataError, match="The data has no column warm"):
        loaded.evaluate(frame.drop(columns="warm"), target=["colour"], progress=False)


def test_a_target_column_of_another_name_is_found(colours, store, model):
    """With one target, a table may call it otherwise; its own name wins over a usual one."""
    paths, words = labelled(colours)
    renamed = model.evaluate(pd.DataFrame({"path": paths, "species": words}), progress=False)
    assert renamed.metrics["label"]["accuracy"].value == 1.0
    species = TransferModel(BACKBONE, head="ridge", store=store)
    species.fit(pd.DataFrame({"path": paths, "species": words}), **QUICK)
    both = pd.DataFrame({"path": paths, "label": ["?"] * len(paths), "species": words})
    assert species.evaluate(both, progress=False).metrics["species"]["accuracy"].value == 1.0


def test_given_splits_are_kept_apart(colours, store, tmp_path):
    """With train, val and test folders the figure is that of the test rows, and evaluate takes these rows alone."""
    for split, seed, count in (("train", 0, 6), ("val", 1, 3), ("test", 2, 4)):
        write_colours(tmp_path / split, count, seed=seed)
    shutil.rmtree(tmp_path / "test" / "blue")
    shutil.copytree(tmp_path / "test" / "red", tmp_path / "test" / "blue")  # wrong on purpose: half of red's rows
    fitted = TransferModel(BACKBONE, head="ridge", store=store).fit(tmp_path, **QUICK)
    (target,) = fitted.report.targets
    assert target.evaluation == "chosen and trained on 27 given rows, scored on 12 others"
    assert target.metrics["accuracy"].value == pytest.approx(8 / 12)
    evaluation = fitted.evaluate(tmp_path, progress=False)
    assert evaluation.items == 12
    assert evaluation.metrics["label"]["accuracy"].value == pytest.approx(8 / 12)
    assert "Scored on the test split of the data." in evaluation.notes
    assert not [note for note in evaluation.notes if "was fitted on" in note]  # not even on rows of another split
    seen = fitted.evaluate(tmp_path / "train", progress=False)
    assert "The model was fitted on 18 of these items: that flatters it." in seen.notes


def test_rare_classes_count_when_asked(store, tmp_path):
    """Twenty of one class and two of another, hard to tell apart: `balanced` finds more of the rare one."""
    rng = np.random.default_rng(0)
    images = np.clip(rng.normal(120, 30, (44, 12, 12, 3)), 0, 255)
    y = np.array([0] * 40 + [1] * 4)
    images[y == 1] += 4
    images = images.astype(np.uint8)
    found = {}
    for weight in (None, "balanced"):
        fitted = TransferModel(BACKBONE, head="logistic:C=1", class_weight=weight, store=store)
        fitted.fit(images, y, **QUICK)
        found[weight] = fitted.predict(images).probabilities[:, 1].mean()
    assert found["balanced"] > found[None] + 0.02


def test_bad_items_are_set_aside_and_shift_nothing(colours, store, tmp_path):
    """A text file called .png: counted, with row and reason; predictions carry the row of the data as given."""
    data = shutil.copytree(colours, tmp_path / "data")
    (data / "blue" / "000b.png").write_text("no picture", "utf-8")
    fitted = TransferModel(BACKBONE, head="ridge", store=store).fit(data, **QUICK)
    assert (fitted.report.items, fitted.report.bad_items) == (24, 1)
    (bad,) = fitted.report.bad_json()
    assert (bad["row"], bad["input"]) == (1, "blue/000b.png")
    assert "not an image" in bad["reason"]
    predicted = fitted.predict(data)
    assert predicted.rows.tolist() == [0, *range(2, 25)]
    assert predicted.labels.tolist() == labelled(colours)[1]
    with pytest.raises(BadItemsError, match=r"row 1 \(blue/000b\.png\)"):
        fitted.predict(data, strict=True)
    with pytest.raises(BadItemsError, match="1 item cannot be used"):
        TransferModel(BACKBONE, head="ridge", store=store).fit(data, strict=True, **QUICK)


def test_targets_that_cannot_be_learned_are_told_at_once(colours, tmp_path):
    """One class, and what is no number: before any feature is computed."""
    paths, _ = labelled(colours)
    untouched = TransferModel(BACKBONE, head="ridge", store=tmp_path / "store")
    with pytest.raises(DataError, match=r"'label' cannot be learned: the only label is 'x'\. At least two classes"):
        untouched.fit(paths, ["x"] * 24)
    with pytest.raises(DataError, match=r"as a number, and holds 'much'\. Finite numbers"):
        untouched.fit(paths, ["much", "1"] * 12, task="regression")
    with pytest.raises(UsageError, match=r"There is no head called 'rigde'.*Did you mean ridge"):
        TransferModel(BACKBONE, head="rigde", store=tmp_path / "store").fit(paths, ["x", "y"] * 12)
    assert not list((tmp_path / "store").rglob("*.arrow"))


def test_data_without_a_single_good_item_is_told(model, store, tmp_path):
    """Fit and evaluate say why the first one cannot be used; predict has nothing to say but the bad items."""
    for label in ("blue", "red"):
        (tmp_path / label).mkdir()
        (tmp_path / label / "a.png").write_bytes(b"")
    text = r"None of the 2 items can be used\. The first, blue/a\.png: the file is empty"
    with pytest.raises(DataError, match=text):
        TransferModel(BACKBONE, head="ridge", store=store).fit(tmp_path, progress=False)
    with pytest.raises(DataError, match=text):
        model.evaluate(tmp_path, progress=False)
    assert len(model.predict(tmp_path)) == 0
    assert len(model.predict(tmp_path).bad) == 2


def test_unknown_labels_are_told(colours, model):
    """Evaluation on classes that the model does not have."""
    paths, _ = labelled(colours)
    with pytest.raises(DataError, match=r"labels of 'label' that the model does not know: cyan\. Its classes are blue"):
        model.evaluate(paths, ["cyan"] * 24, progress=False)


def test_what_needs_a_fit_says_so(colours):
    """Predicting and saving before fitting, and the report of a loaded model."""
    unfitted = TransferModel(BACKBONE)
    for call in (lambda: unfitted.predict(colours), lambda: unfitted.save("x"), lambda: unfitted.manifest):
        with pytest.raises(UsageError, match=r"This model has not been fitted\. Call fit\(\) with labelled data first"):
            call()
    with pytest.raises(UsageError, match="This model was not fitted here"):
        _ = unfitted.report


def test_a_wrapped_network(colours, store, tmp_path):
    """A network in memory is fitted and saved; loading wants the network back, and checks that it is the same."""
    net = counted(tmp_path / "log")
    fitted = TransferModel(net, head="ridge", store=store).fit(colours, **QUICK)
    fitted.save(tmp_path / "m")
    loaded = TransferModel.load(tmp_path / "m", backbone=net, store=store)
    np.testing.assert_allclose(loaded.predict(colours).probabilities, fitted.predict(colours).probabilities, atol=1e-6)


def test_the_verbs_do_the_same(colours, store, tmp_path):
    """`icecore.fit`, `predict`, `evaluate`, `extract` are the methods as functions, with a place to save."""
    out = tmp_path / "m"
    fitted = icecore.fit(colours, backbone=BACKBONE, head="ridge", out=out, store=store, **QUICK)
    assert fitted.report.model == out
    assert icecore.predict(out, colours, store=store).labels.tolist() == labelled(colours)[1]
    assert icecore.evaluate(fitted, colours, progress=False).items == 24
    result = icecore.extract(colours, backbone=fitted.net, out=tmp_path / "f.npy", store=store, progress=False)
    assert np.load(result.out).shape == (24, WIDTH)
    info = icecore.inspect(out)
    assert info.manifest.targets[0].classes == ("blue", "green", "red")


def test_the_report_is_plain_json(model):
    """What `fit --json` prints holds no NaN and nothing but JSON."""
    found = json.loads(json.dumps(model.report.to_json(), allow_nan=False))
    assert list(found["metrics"]["accuracy"]) == ["value", "low", "high"]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_kind_of_network_loads(tmp_path, provider):
    """One door for all providers: eval mode, nothing that trains, a `last` layer, an id."""
    net = PretrainedModel.load(PROVIDERS[provider](tmp_path), device="cpu")
    assert net.modality == "image"
    assert net.id.startswith(f"{provider}:")
    if isinstance(net.backbone, Cuttable):
        assert not net.backbone.module.training
        assert not any(p.requires_grad for p in net.backbone.module.parameters())
    assert all(net.layer("last").shape)


def test_a_network_in_training_mode_is_frozen(colours, store):
    """`wrap` puts dropout and batch statistics to rest: features are the same twice."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    net = PretrainedModel.wrap(nn.Sequential(*layers).train(), preprocess={"resize": "exact", "resize_size": 8})
    first = net.extract_features(colours, store=store / "one", progress=False)["last"]
    np.testing.assert_allclose(first, net.extract_features(colours, store=store / "two", progress=False)["last"])


def test_preprocessing_is_asked_for_in_clear_words(tmp_path):
    """A wrong field, a wrong type."""
    with pytest.raises(PreprocessingError, match="The preprocessing is not valid"):
        PretrainedModel.load(BACKBONE, preprocess={"resize": "sideways"})
    with pytest.raises(PreprocessingError, match=r"Got a preprocessing of type int\. A path to preprocess\.json"):
        PretrainedModel.load(BACKBONE, preprocess=3)


def test_of_several_poolings_one_is_chosen(tmp_path, colours):
    """All poolings come from one pass; the model reads the layers and poolings that won, also when loaded again."""
    options = {"head": "ridge", "layers": "all", "store": tmp_path / "store"}
    model = TransferModel(BACKBONE, pooling=["max", "mean"], **options).fit(colours, **QUICK)
    assert model.report.extraction.computed == 24
    (target,) = model.report.targets
    pooled = {name for name in target.by_layer if name.endswith("(max)") and " layers from" not in name}
    assert pooled
    assert {name.replace("(max)", "(mean)") for name in pooled} | {"last"} <= set(target.by_layer)
    read = [c.layer if c.layer == "last" else f"{c.layer} ({c.pooling})" for c in model.manifest.backbone.columns]
    assert read == target.layer.split("+")
    model.save(tmp_path / "m.icecore")
    again = TransferModel.load(tmp_path / "m.icecore", store=tmp_path / "store").predict(colours)
    np.testing.assert_allclose(again.probabilities, model.predict(colours).probabilities)
    assert TransferModel(BACKBONE, pooling="max", **options).fit(colours, **QUICK).report.extraction.computed == 0
