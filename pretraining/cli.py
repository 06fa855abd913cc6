"""The command line that the recipes share."""

from __future__ import annotations

import argparse
import os
from pathlib import Path


def parser(module: str, about: str, teacher: str, *, chunks: int, views: int, samples: int) -> argparse.ArgumentParser:
    """Options of a recipe, with its defaults."""
    made = argparse.ArgumentParser(prog=f"python -m {module}", description=about)
    made.add_argument("--out", type=Path, required=True, help="folder for chunks, state, log and weights")
    made.add_argument("--teacher", default=teacher, help="id or local file or folder of the teacher")
    made.add_argument("--chunks", type=int, default=chunks, help="parts that the views are made in")
    made.add_argument("--views", type=int, default=views, help="in a chunk; a multiple of the batch")
    made.add_argument("--batch", type=int, default=256, help="views in a training step")
    made.add_argument("--samples", type=int, default=samples, help="views that the student sees in all")
    made.add_argument("--rate", type=float, default=2e-3, help="highest learning rate")
    made.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes that make chunks")
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--save-every", type=float, default=60, help="seconds between states of training")
    return made


def parsed(made: argparse.ArgumentParser) -> argparse.Namespace:
    """Values of the options; the folder is there afterwards."""
    chosen = made.parse_args()
    if chosen.views % chosen.batch:
        made.error(f"--views is {chosen.views}, which is no multiple of --batch, {chosen.batch}.")
    chosen.out.mkdir(parents=True, exist_ok=True)
    return chosen
