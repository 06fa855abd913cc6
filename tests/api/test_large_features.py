"""Features that do not fit into memory: the same doors, fitted and scored from the store."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from icecore import TransferModel
from tests.small import BACKBONE

FIT = """
import re, sys, threading, time
from pathlib import Path
from icecore import TransferModel, PretrainedModel
from icecore.features import extract

def watch():
    while True:  # pages of mapped files are no memory of ours: the system takes them back when it likes
        status = Path("/proc/self/status").read_text()
        seen.append(int(re.search(r"RssAnon:\\s+(\\d+)", status)[1]) // 1024)
        time.sleep(0.005)

table, vectors, store, memory, heads = *sys.argv[1:4], int(sys.argv[4]), sys.argv[5:]
net, seen = PretrainedModel.load(f"static:{vectors}"), []
net.extract_features(table, store=store, target="label", progress=False)
threading.Thread(target=watch, daemon=True).start()
time.sleep(0.1)
before = max(seen)
for head in heads:
    model = TransferModel(net, head=head, store=store).fit(table, memory=memory, progress=False)
    scored = model.evaluate(table, progress=False).metrics["label"]["accuracy"].value
    report = model.report.targets[0]
    print(head, max(seen) - before, report.metrics["accuracy"].value, scored, report.evaluation, model.report.notes)
"""
WIDTH, CLASSES, WORDS = 768, 4, 200


def test_features_over_the_limit_are_read_piece_by_piece(colours, store, tmp_path):
    """A limit that nothing fits: a part is kept apart instead of folds, and the model is as good, saved and loaded."""
    model = TransferModel(BACKBONE, head="ridge", store=store).fit(colours, memory=1000, progress=False)
    (target,) = model.report.targets
    assert re.fullmatch(r"chosen and trained on (18|19|20|21) rows, scored on [3-6] others", target.evaluation)
    assert any("they stay in the store" in note for note in model.report.notes)
    assert set(target.baselines) == {"majority_class", "raw_input"}
    assert target.metrics["accuracy"].value == 1.0
    assert model.evaluate(colours, progress=False).metrics["label"]["accuracy"].value > 0.9
    model.save(tmp_path / "m.icecore")
    again = TransferModel.load(tmp_path / "m.icecore").predict(colours)
    np.testing.assert_allclose(again.probabilities, model.predict(colours).probabilities, atol=1e-6)


def test_a_layer_and_its_pooling_are_chosen_elsewhere_too(colours, store):
    """`auto` over all layers under the limit: a head that takes pieces, on one layer or several side by side."""
    model = TransferModel(BACKBONE, pooling=["mean", "max"], store=store).fit(colours, memory=1000, progress=False)
    assert model.manifest.targets[0].chosen["head"].split(",")[0] in {"ridge", "logistic", "svm"}
    assert model.predict(colours).probabilities.shape == (24, 3)


def write_texts(folder, rows):
    """A table of texts of six words, which the class draws from its own fifty words now and then. Returns its path."""
    table, rng = folder / f"{rows}.csv", np.random.default_rng(0)
    labels = rng.integers(0, CLASSES, rows)
    words = rng.integers(0, WORDS, (rows, 6))
    own = rng.random((rows, 6)) < 0.4
    words[own] = (labels[:, None] * 50 + words % 50)[own]
    lines = (" ".join(f"w{word}" for word in row) + f",c{label}\n" for row, label in zip(words, labels, strict=True))
    table.write_text("text,label\n" + "".join(lines))
    return table


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux")
def test_memory_does_not_follow_the_rows(tmp_path):
    """40,000 rows of 768 features more, 123 MB as a matrix, take no more memory to choose, fit, score and evaluate."""
    vectors = tmp_path / "words.txt"
    words = np.random.default_rng(0).normal(size=(WORDS, WIDTH)).round(2)
    vectors.write_text("".join(f"w{i} {' '.join(map(str, row))}\n" for i, row in enumerate(words)))
    grown = []
    for rows, heads in ((10_000, ["ridge", "logistic:C=1"]), (50_000, ["ridge", "logistic:C=1", "knn:k=5"])):
        table, store = write_texts(tmp_path, rows), tmp_path / f"store-{rows}"
        command = [sys.executable, "-c", FIT, table, vectors, store, 20_000_000, *heads]
        found = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=900, check=False)
        assert found.returncode == 0, found.stderr
        lines = [line.split(" ", 4) for line in found.stdout.splitlines()]
        for _, _, accuracy, scored, said in lines[:2]:
            assert float(accuracy) == pytest.approx(float(scored), abs=0.03)
            assert said.startswith(f"chosen and trained on {rows * 4 // 5:,} rows, scored on {rows // 5:,} others")
        grown.append(max(int(line[1]) for line in lines[:2]))
    assert grown[1] - grown[0] < 60, f"megabytes: {grown}"
    assert "knn has to have its rows in memory: it was fitted on 20,000 of 40,000." in lines[2][4]
