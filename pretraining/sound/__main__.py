"""`python -m pretraining.sound --out FOLDER`: the whole recipe of `icecore:audio-s`. It may be stopped and started.

1. Make sounds by formulas, cut patches of their log-mel spectra, ask the teacher: chunks, in several processes.
2. Train the student on the chunks.
3. Write `audio-s.safetensors` (float16) and `figures.json`, what was done and for how long.
"""

from __future__ import annotations

from pretraining.chunks import make
from pretraining.cli import parsed, parser
from pretraining.sound.dataset import TEACHER, Sounds
from pretraining.sound.student import SoundStudent
from pretraining.training import Recipe, Training


def main() -> None:
    """Parse the command line and run the steps that are left."""
    about = str(__doc__).partition("\n")[0]
    chosen = parsed(parser("pretraining.sound", about, TEACHER, chunks=24, views=4096, samples=700_000))
    source = Sounds(chosen.teacher, chosen.seed, chosen.views)
    chunks = make(source, chosen.out / "chunks", chosen.chunks, chosen.workers)
    recipe = Recipe(chosen.samples, chosen.batch, chosen.rate, seed=chosen.seed)
    training = Training(chunks, chosen.out, recipe, SoundStudent)
    training.run(chosen.save_every)
    training.export(chosen.out / "audio-s.safetensors", {"views": chosen.chunks * chosen.views})


if __name__ == "__main__":
    main()
