"""`python -m pretraining.vision --out FOLDER`: the whole recipe of `icecore:vision-s`. It may be stopped and started.

1. Draw images from formulas, cut photographs, take views, ask the teacher: chunks, in several processes.
2. Train the student on the chunks.
3. Write `vision-s.safetensors` (float16) and `figures.json`, what was done and for how long.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from pathlib import Path

import torch
from safetensors.torch import save_file

from pretraining.vision.dataset import VIEWS, Source, make
from pretraining.vision.teacher import TEACHER
from pretraining.vision.train import Recipe, Training


def main() -> None:
    """Parse the command line and run the steps that are left."""
    parser = argparse.ArgumentParser(prog="python -m pretraining.vision", description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for chunks, state, log and weights")
    parser.add_argument("--teacher", default=TEACHER, help="hf: id or local folder of a MobileNetV2")
    parser.add_argument("--chunks", type=int, default=48, help="parts that the views are made in")
    parser.add_argument("--views", type=int, default=VIEWS, help="in a chunk; a multiple of the batch")
    parser.add_argument("--batch", type=int, default=256, help="views in a training step")
    parser.add_argument("--samples", type=int, default=1_800_000, help="views that the student sees in all")
    parser.add_argument("--rate", type=float, default=2e-3, help="highest learning rate")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes that make chunks")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save-every", type=float, default=60, help="seconds between states of training")
    parser.add_argument("--no-openvino", action="store_true", help="run the teacher in torch, which is slower")
    chosen = parser.parse_args()
    if chosen.views % chosen.batch:
        parser.error(f"--views is {chosen.views}, which is no multiple of --batch, {chosen.batch}.")
    chosen.out.mkdir(parents=True, exist_ok=True)
    source = Source(chosen.out / "chunks", chosen.teacher, chosen.seed, chosen.views, fast=not chosen.no_openvino)
    chunks = make(source, chosen.chunks, chosen.workers)
    recipe = Recipe(chosen.samples, chosen.batch, chosen.rate, seed=chosen.seed)
    training = Training(chunks, chosen.out, recipe)
    training.run(chosen.save_every)
    export(training, chosen.out, chosen.chunks * chosen.views)


def export(training: Training, folder: Path, views: int) -> None:
    """Averaged weights as float16 safetensors, and the figures of the run."""
    state = {
        name: value.half().contiguous()
        for name, value in training.average.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    save_file(state, folder / "vision-s.safetensors", metadata={"format": "pt", "licence": "MIT"})
    figures = {
        "parameters": sum(p.numel() for p in training.average.parameters()),
        "views": views,
        "samples": training.step * training.recipe.batch,
        "training_seconds": round(training.seconds),
        "processor": platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    (folder / "figures.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
