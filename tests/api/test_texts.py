"""Texts through every door that images go through: the verbs, the classes, scikit-learn's estimators, the shell."""

import csv

import numpy as np
import pandas as pd
import pytest

import icecore
from tests.cli.shell import Shell
from tests.texts import WORDS, write_network

KINDS = {"card": WORDS[:6], "money": WORDS[10:16]}


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    """The id of a folder of sentence-transformers."""
    return f"hf:{write_network('sentence', tmp_path_factory.mktemp('net') / 'sentence')}"


def some(count, seed=0):
    """Texts and labels: words of one kind each, now and then too many for the network."""
    numbers = np.random.default_rng(seed)
    labels = [list(KINDS)[i % 2] for i in range(count)]
    lengths = [40 if i % 10 == 0 else numbers.integers(3, 9) for i in range(count)]
    return [" ".join(numbers.choice(KINDS[k], n)) for k, n in zip(labels, lengths, strict=True)], labels


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A CSV of texts, the second of them empty."""
    texts, labels = some(40)
    texts[1] = " "
    path = tmp_path_factory.mktemp("table") / "texts.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("said", "kind"), *zip(texts, labels, strict=True)])
    return path


@pytest.fixture(scope="module")
def fitted(net, table, tmp_path_factory):
    """A model with its network inside, just fitted, and its folder."""
    out = tmp_path_factory.mktemp("model") / "m"
    options = {"head": "logistic", "target": "kind", "folds": 2, "repeats": 1, "progress": False}
    return icecore.fit(table, backbone=net, out=out, include_backbone=True, **options), out


def test_a_fit_tells_what_it_did(fitted):
    """The column is found, the empty text is set aside, cut ones are counted, and words are the raw baseline."""
    report = fitted[0].report
    assert report.items == 39
    assert [(bad.row, bad.reason) for bad in report.bad] == [(1, "the text is empty")]
    assert "Took 'said' for the input column." in report.notes
    cut = "4 of the 39 texts computed now (10.3%) are longer than the network reads"
    assert any(cut in note for note in report.notes)
    assert report.targets[0].metrics["accuracy"].value > 0.7
    assert report.targets[0].baselines["raw_input"]["accuracy"].value > 0.9


def test_a_saved_model_predicts_and_is_evaluated(fitted, table):
    """Its folder, which holds tokenizer and steps, is enough; a string of several words is a text."""
    model, out = fitted
    texts, _ = some(10)
    again = icecore.TransferModel.load(out)
    assert again.manifest.backbone.included
    assert again.predict(texts).labels.tolist() == model.predict(texts).labels.tolist()
    assert again.predict(texts[2]).labels.tolist() == again.predict([texts[2]]).labels.tolist()
    assert again.evaluate(table, progress=False).metrics["kind"]["accuracy"].value > 0.9


def test_all_forms_of_data_give_the_same_vectors(net, table, tmp_path):
    """List, series, data frame, table, one file a text; a text that occurs twice is computed once."""
    texts, labels = some(6)
    model = icecore.PretrainedModel.load(net)
    expected = model.extract_features(texts, progress=False)["last"]
    for number, (text, label) in enumerate(zip(texts, labels, strict=True)):
        (tmp_path / "folder" / label).mkdir(parents=True, exist_ok=True)
        (tmp_path / "folder" / label / f"{number}.txt").write_text(text, "utf-8-sig")
    frame = pd.DataFrame({"text": texts, "label": labels})
    frame.to_parquet(tmp_path / "t.parquet")
    frame.to_json(tmp_path / "t.jsonl", orient="records", lines=True)
    for data in (frame["text"], frame, np.array(texts), tmp_path / "t.parquet", tmp_path / "t.jsonl"):
        found = model.extract_features(data, progress=False)
        assert np.array_equal(found["last"], expected)
        assert found.report.computed == 0
    files = model.extract_features(tmp_path / "folder", progress=False)
    order = [int(item.name.rpartition("/")[2][:-4]) for item in files.dataset.inputs]
    assert np.allclose(files["last"], expected[order], atol=1e-6)


def test_every_layer_and_pooling(net):
    """All blocks in one pass; whole tokens come in their own shapes."""
    texts, _ = some(5)
    model = icecore.PretrainedModel.load(net)
    features = model.extract_features(texts, layers="all", progress=False)
    assert features.layers == [*model.blocks, "last"]
    whole = model.extract_features(texts, layers=-1, pooling="none", progress=False)
    tokens = whole[model.blocks[-1]]
    assert {value.shape for value in tokens} == {(min(len(t.split()) + 2, 24), 32) for t in texts}
    mean = features[model.blocks[-1]]
    assert np.allclose([value[1:].mean(0) for value in tokens], mean, atol=1e-5)


def test_estimators_take_texts(net):
    """In scikit-learn's hands a list of strings is a list of texts."""
    texts, labels = some(20)
    classifier = icecore.TransferClassifier(net, layer=[-1, "last"]).fit(texts, labels)
    assert classifier.score(texts, labels) > 0.9
    assert icecore.FeatureExtractor(net).fit_transform(pd.DataFrame({"text": texts})).shape == (20, 32)


def test_texts_without_a_backbone(table):
    """The bundled one for texts is taken, and the report names the flag for a larger one."""
    model = icecore.fit(table, head="ridge", folds=2, repeats=1, progress=False)
    assert model.net.id == "icecore:text-s"
    assert "--backbone hf:" in model.report.notes[0]


def test_the_shell(net, table, fitted, tmp_path):
    """predict, evaluate, extract and inspect take texts with no flag of their own."""
    shell, out = Shell(tmp_path), fitted[1]
    predicted = shell("predict", out, "my card is lost", "a late refund", "--json").json["predictions"]
    assert [one["input"] for one in predicted] == ["my card is lost", "a late refund"]
    assert shell("evaluate", out, table, "--json").json["metrics"]["accuracy"]["value"] > 0.9
    assert shell("extract", table, "-b", net, "--out", "f.parquet", "--json").json["layers"] == {"last": [32]}
    looked = shell("inspect", table, "--json").json
    assert (looked["modality"], looked["items"], len(looked["bad"])) == ("text", 39, 1)
    assert "any x 32" in shell("inspect", net).out
