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
ROWS, WIDTH, CLASSES, WORDS = 60_000, 768, 4, 200


def test_features_over_the_limit_are_read_piece_by_piece(colours, store, tmp_path):
    """A limit that nothing fits: a part is kept apart instead of folds, and the model is as good, saved and loaded."""
    model = TransferModel(BACKBONE, head="ridge", store=store).fit(colours, memory=1000, progress=False)
    (target,) = model.report.targets
    assert re.fullmatch(r"chosen and trained on (18|19|20|21) rows, scored on [3-6] others", target.evaluation)
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


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux")
def test_memory_does_not_follow_the_rows(tmp_path):
    """60,000 rows of 768 features take 184 MB as a matrix: choice, fit, scores and evaluation take less."""
    table, vectors = tmp_path / "texts.csv", tmp_path / "words.txt"
    rng = np.random.default_rng(0)
    words = rng.normal(size=(WORDS, WIDTH)).round(2)
    vectors.write_text("".join(f"w{i} {' '.join(map(str, row))}\n" for i, row in enumerate(words)))
    labels = rng.integers(0, CLASSES, ROWS)
    lot = np.where(rng.random((ROWS, 6)) < 0.4, labels[:, None] * 50 + rng.integers(0, 50, (ROWS, 6)), 0)
    lot = np.where(lot == 0, rng.integers(0, WORDS, (ROWS, 6)), lot)
    texts = (" ".join(f"w{word}" for word in row) for row in lot)
    table.write_text("text,label\n" + "".join(f"{text},c{label}\n" for text, label in zip(texts, labels, strict=True)))
    heads = ["ridge", "logistic:C=1", "knn"]
    command = [sys.executable, "-c", FIT, table, vectors, tmp_path / "store", 20_000_000, *heads]
    found = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=900, check=False)
    assert found.returncode == 0, found.stderr
    ridge, logistic, knn = found.stdout.splitlines()
    for line in (ridge, logistic):
        _, grown, accuracy, scored, said = line.split(" ", 4)
        assert int(grown) < 120, found.stdout
        assert float(accuracy) == pytest.approx(float(scored), abs=0.02)
        assert float(accuracy) > 0.7
        assert said.startswith("chosen and trained on 48,000 rows, scored on 12,000 others")
    assert "chosen and trained on 16,000 rows" in knn
    assert "knn has to have its rows in memory: it was fitted on 16,000 of 48,000." in knn
