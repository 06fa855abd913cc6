"""Is a weighted mean of models on several networks better than the best of them alone, and what does it cost?

Three networks each on four data sets, of which about a thousand items are taken: TrashNet and a sample of CIFAR-10 for
images, banking77 and film reviews for texts. Each network is fitted as `icecore fit` does without further options, and
`icecore.ensemble` picks the shares from what these fits said of their items unseen. Its gain is on folds that took no
part in the picking.

    python benchmarks/ensembles.py --full --only trashnet --json benchmarks/results/ensembles.json

runs one data set, and goes on with what the file holds of the others.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that `python benchmarks/ensembles.py` works from anywhere

from benchmarks.common import assets, finish, kept, options, show  # pins threads, so before NumPy
from benchmarks.ranking import DATA, Labelled
from benchmarks.sides.networks import minilm

# isort: split
import icecore

SMALL, MOST = 120, 1000  # items
MOBILENET_V1 = "mobilenet_v1_1.0_224_quant_embedding_extractor.tflite"


def networks(modality: str, weights: Path) -> dict[str, icecore.PretrainedModel]:
    """Three of a modality, one of them bundled."""
    if modality == "text":
        ids = {
            "MiniLM-L6": f"hf:{minilm()}",
            "icecore:text-s": "icecore:text-s",
            "model2vec": f"static:{weights / 'model2vec_static'}",
        }
    else:
        ids = {
            "MobileNetV2": f"hf:{weights / 'mobilenet_v2_hf'}",
            "MobileNetV1 (TFLite)": f"tflite:{weights / 'tflite' / MOBILENET_V1}",
            "icecore:vision-s": "icecore:vision-s",
        }
    return {name: icecore.PretrainedModel.load(own, device="cpu") for name, own in ids.items()}


def together(name: str, weights: Path, root: Path, store: str, *, whole: bool) -> dict[str, Any]:
    """What `ensemble` says of the three networks on one data set."""
    modality, read = DATA[name]
    data: Labelled = read(root).thinned(MOST if whole else SMALL)
    models = []
    for short, net in networks(modality, weights).items():
        models.append(icecore.fit(data.items, data.y.tolist(), backbone=net, store=store, progress=False))
        report = models[-1].report.targets[0]
        print(f"  {short}: {report.metrics['accuracy']}, {report.head} on {report.layer_title}", flush=True)
    found = icecore.ensemble(models).to_json()
    for member, short in zip(found["members"], networks(modality, weights), strict=True):
        member["name"] = short
        del member["backbone"]
    return found


def line(name: str, found: dict[str, Any]) -> Sequence[Any]:
    """Of the table."""
    shares = ", ".join(f"{one['weight']:.2f} {one['name']}" for one in found["members"] if one["weight"])
    alone, all_of_it = (_figure(found[side]["accuracy"]) for side in ("single_metrics", "metrics"))
    losses = " to ".join(f"{found[side]['log_loss']['value']:.3f}" for side in ("single_metrics", "metrics"))
    gain = found["gain"]
    difference = f"{gain['value']:+.3f} [{gain['low']:+.3f}, {gain['high']:+.3f}]"
    return name, f"{found['items']:,}", alone, all_of_it, difference, losses, shares


def _figure(own: dict[str, float]) -> str:
    return f"{own['value']:.3f} [{own['low']:.3f}, {own['high']:.3f}]"


def main() -> None:
    """Run and print."""
    chosen = options(__doc__.partition("\n")[0], only=tuple(DATA))
    root = assets()
    if root is None:
        print("This needs real networks and data: set ICECORE_ASSETS.")
        return
    found = kept(chosen, "data")
    with tempfile.TemporaryDirectory() as place:
        store = os.environ.get("ICECORE_STORE", place)
        for name in chosen.only or DATA:
            print(f"{name}:", flush=True)
            found[name] = together(name, root / "weights", root / "data", store, whole=chosen.full)
    headings = ("data", "items", "best single", "ensemble", "gain in accuracy", "log loss", "shares")
    show("Accuracy with 95 % intervals", headings, [line(name, own) for name, own in found.items()])
    finish(chosen, {"data": found})


if __name__ == "__main__":
    main()
