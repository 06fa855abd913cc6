"""`python -m pretraining.text --out FOLDER`: the whole recipe of `icecore:text-s`. What it computed it keeps.

1. Ask the teacher about every token of its vocabulary, and about sentences and blends of them.
2. Train a vector for each token so that their mean points where the teacher's vector of the text does.
3. Write a model2vec folder: 8-bit vectors with a scale each, and the tokenizer.

Token vectors from a sentence encoder: model2vec (https://github.com/MinishLab/model2vec); trained on its sentences:
tokenlearn (https://github.com/MinishLab/tokenlearn).
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

from pretraining.text import corpus
from pretraining.text.teacher import TEACHER, Teacher
from pretraining.text.vectors import compressed, trained


def main() -> None:
    """Parse the command line and run the steps."""
    parser = argparse.ArgumentParser(prog="python -m pretraining.text", description=str(__doc__).partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for what the teacher said, and the vectors")
    parser.add_argument(
        "--teacher", default=TEACHER, help="hub id or local folder of a sentence encoder of BERT's kind"
    )
    parser.add_argument("--sentences", type=int, default=30_000, help="from docstrings, as they are")
    parser.add_argument("--blends", type=int, default=70_000, help="with other words")
    parser.add_argument("--width", type=int, default=256, help="numbers of a token")
    parser.add_argument("--steps", type=int, default=3000, help="of training")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    begin = time.monotonic()
    teacher = Teacher(chosen.teacher)
    rng = np.random.default_rng(chosen.seed)
    found = corpus.sentences()
    order = rng.permutation(len(found))
    own = [found[i] for i in order[: chosen.sentences]]
    texts = own + corpus.blends(rng, [found[i] for i in np.resize(order[::-1], chosen.blends)], teacher.words())
    print(f"{len(found):,} sentences found; asking about {len(texts):,} texts and {teacher.size:,} tokens", flush=True)
    tokens = _kept(chosen.out / "tokens.npy", teacher.of_tokens)
    said = _kept(chosen.out / f"texts-{len(own)}-{len(texts)}-{chosen.seed}.npy", lambda: teacher.of_texts(texts))
    print(f"asked, {time.monotonic() - begin:.0f} s", flush=True)
    vectors, loss = trained(tokens, teacher.ids(texts), said, width=chosen.width, steps=chosen.steps, seed=chosen.seed)
    compressed(vectors, teacher, chosen.out / "text-s")
    figures = {
        "sentences": len(own), "blends": chosen.blends, "steps": chosen.steps, "loss": round(loss, 4),
        "seconds": round(time.monotonic() - begin),
    }  # fmt: skip
    (chosen.out / "figures.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(figures))


def _kept(file: Path, compute) -> np.ndarray:  # type: ignore[no-untyped-def]  # a function without arguments
    """An array that is computed once."""
    if not file.is_file():
        unfinished = file.with_suffix(".part.npy")
        np.save(unfinished, compute())
        unfinished.replace(file)
    kept: np.ndarray = np.load(file)
    return kept


if __name__ == "__main__":
    main()
