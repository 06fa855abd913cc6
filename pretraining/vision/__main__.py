"""`python -m pretraining.vision --out FOLDER`: the whole recipe of `icecore:vision-s`. It may be stopped and started.

1. Draw images from formulas, cut photographs, take views, ask the teacher: chunks, in several processes.
2. Train the student on the chunks.
3. Write `vision-s.safetensors` (float16) and `figures.json`, what was done and for how long.
"""

from __future__ import annotations

from pretraining.chunks import make
from pretraining.cli import parsed, parser
from pretraining.training import Recipe, Training
from pretraining.vision.dataset import Pictures
from pretraining.vision.student import PictureStudent
from pretraining.vision.teacher import TEACHER


def main() -> None:
    """Parse the command line and run the steps that are left."""
    about = str(__doc__).partition("\n")[0]
    options = parser("pretraining.vision", about, TEACHER, chunks=48, views=4096, samples=1_400_000)
    options.add_argument("--no-openvino", action="store_true", help="run the teacher in torch, which is slower")
    chosen = parsed(options)
    source = Pictures(chosen.teacher, chosen.seed, chosen.views, fast=not chosen.no_openvino)
    chunks = make(source, chosen.out / "chunks", chosen.chunks, chosen.workers)
    recipe = Recipe(chosen.samples, chosen.batch, chosen.rate, seed=chosen.seed)
    training = Training(chunks, chosen.out, recipe, PictureStudent)
    training.run(chosen.save_every)
    training.export(chosen.out / "vision-s.safetensors", {"views": chosen.chunks * chosen.views})


if __name__ == "__main__":
    main()
