"""From files to features: icecore against the loops that timm and Transformers document, on the same backbone.

Each side is given loaded networks and a list of files, and gives a matrix. All have the same threads and batch size.
The peers load images in as many processes as icecore has threads, or in none where that is faster for them. They keep
no store, whereas icecore hashes every file and writes every row to a fresh one.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that `python benchmarks/extraction.py` works from anywhere

import numpy as np
import torch
from PIL import Image

from benchmarks.common import (
    THREADS,
    Side,
    alternate,
    finish,
    mobilenet_folder,
    options,
    photographs,
    ratio,
    seconds,
    show,
)
from icecore import backbones
from icecore.data import read
from icecore.features import extract
from icecore.prefix import columns_of
from icecore.store import Store

TIMM = "timm:resnet18@random"
SMALL = 4  # a batch that may suit a CPU better than the usual one


class Sides:
    """The sides of one comparison. What each computed last is kept, so that they can be seen to agree."""

    def __init__(self, files: list[Path], batch_size: int) -> None:
        self.files, self.batch_size = files, batch_size
        self.found: dict[str, np.ndarray] = {}

    def icecore(self, name: str) -> Side:
        """icecore with a fresh network, whose probe pass and digests are part of the work, and an empty store."""

        def begin() -> Callable[[], None]:
            net = backbones.load(name, device="cpu")
            place = tempfile.TemporaryDirectory()

            def work() -> None:
                columns = columns_of(net, "last")
                features = extract(
                    net, read(self.files), columns, store=Store(place.name), batch_size=self.batch_size, workers=THREADS
                )
                self.found["icecore"] = features.matrix()
                place.cleanup()

            return work

        return begin

    def timm(self, workers: int, batch_size: int) -> Side:
        """timm's own transforms and loader settings, as in its `inference.py` and its page on feature extraction."""
        module = backbones.load(TIMM, device="cpu").module  # first: it makes torchvision importable beside any torch
        import timm

        config = timm.data.resolve_model_data_config(module)
        transform = timm.data.create_transform(**config, is_training=False)

        def work() -> None:
            loader = torch.utils.data.DataLoader(
                Photographs(self.files, transform), batch_size=batch_size, num_workers=workers
            )
            with torch.inference_mode():
                rows = [module.forward_head(module.forward_features(batch), pre_logits=True) for batch in loader]
            self.found[f"timm, batches of {batch_size}"] = torch.cat(rows).numpy()

        return lambda: work

    def processor_and_model(self, folder: Path, workers: int, batch_size: int) -> Side:
        """Transformers' AutoImageProcessor and AutoModel, batch by batch, images loaded by a DataLoader."""
        from transformers import AutoImageProcessor, AutoModel

        processor, model = AutoImageProcessor.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()

        def prepared(image: Image.Image) -> torch.Tensor:
            return processor(image, return_tensors="pt")["pixel_values"][0]

        def work() -> None:
            loader = torch.utils.data.DataLoader(
                Photographs(self.files, prepared), batch_size=batch_size, num_workers=workers
            )
            with torch.inference_mode():
                rows = [model(pixel_values=batch).pooler_output for batch in loader]
            self.found[f"AutoModel, batches of {batch_size}"] = torch.cat(rows).numpy()

        return lambda: work

    def pipeline(self, folder: Path, workers: int) -> Side:
        """Transformers' image-feature-extraction pipeline over a data set, in batches."""
        from transformers import pipeline

        run = pipeline("image-feature-extraction", model=str(folder), device="cpu", pool=True, return_tensors=True)

        def work() -> None:
            files = [str(path) for path in self.files]
            rows = list(run(Names(files), batch_size=self.batch_size, num_workers=workers))
            self.found["pipeline"] = torch.cat([row.reshape(1, -1) for row in rows]).numpy()

        return lambda: work


class Photographs(torch.utils.data.Dataset[torch.Tensor]):
    """Files, opened and transformed."""

    def __init__(self, files: list[Path], transform: Callable[[Image.Image], torch.Tensor]) -> None:
        self.files, self.transform = files, transform

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> torch.Tensor:
        return self.transform(Image.open(self.files[index]).convert("RGB"))


class Names(torch.utils.data.Dataset[str]):
    """Names of files, which the pipeline opens."""

    def __init__(self, names: list[str]) -> None:
        self.names = names

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> str:
        return self.names[index]


def fastest(make: Callable[..., Side], sides: Sides) -> Side:
    """A peer with as many loading processes as suits it best, tried on an eighth of the files."""
    files, sides.files = sides.files, sides.files[::8]
    made = [make(workers=workers) for workers in (0, THREADS)]
    best = min(made, key=seconds)
    sides.files = files
    return best


def compare(title: str, sides: Sides, ours: Side, peers: dict[str, Side], rounds: int) -> dict[str, Any]:
    taken = alternate({"icecore": ours, **peers}, rounds)
    mine = sides.found["icecore"]
    lines, figures = [], {}
    for name, times in taken.items():
        median = statistics.median(times)
        apart = float(np.abs(sides.found[name] - mine).max() / np.abs(mine).max())
        faster = ratio(taken["icecore"], times)
        figures[name] = {"seconds": median, "ratio": faster, "apart": apart, "all": times}
        lines.append((name, f"{median:.2f}", f"{len(sides.files) / median:.1f}", f"{faster:.2f}", f"{apart:.0e}"))
    show(title, ("side", "seconds", "photos/s", "its time / ours", "differs by"), lines)
    return figures


def main() -> None:
    chosen = options(__doc__.partition("\n")[0])
    rounds, most = (5, 1024) if chosen.full else (3, 96)
    sizes = (chosen.batch_size, SMALL)
    with photographs(chosen.data, most) as files, mobilenet_folder() as folder:
        sides = Sides(files, chosen.batch_size)
        timm = {f"timm, batches of {n}": fastest(partial(sides.timm, batch_size=n), sides) for n in sizes}
        hub = {
            f"AutoModel, batches of {n}": fastest(partial(sides.processor_and_model, folder, batch_size=n), sides)
            for n in sizes
        }
        hub["pipeline"] = fastest(partial(sides.pipeline, folder), sides)
        found = {
            "timm": compare(f"ResNet-18, {len(files)} photos", sides, sides.icecore(TIMM), timm, rounds),
            "transformers": compare(
                f"MobileNetV2, {len(files)} photos", sides, sides.icecore(f"hf:{folder}"), hub, rounds
            ),
        }
    finish(chosen, {"photographs": len(files), "batch_size": chosen.batch_size, "sides": found})


if __name__ == "__main__":
    main()
