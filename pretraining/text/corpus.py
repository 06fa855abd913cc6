"""Texts to ask the teacher about: sentences from docstrings, and the same with other words in them.

Docstrings are those of Python's standard library and of the packages that icecore itself needs, all under licences that
allow it; they give sentences their form. What they are about is narrow, so most texts are blends: function words stay,
and the others become words of the teacher's own vocabulary, the frequent ones more often.
"""

from __future__ import annotations

import ast
import importlib.util
import re
import sysconfig
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

PACKAGES = ("numpy", "scipy", "sklearn", "torch", "pyarrow", "PIL", "pydantic", "typer", "rich", "joblib", "tokenizers")
FEWEST, MOST = 4, 30  # words of a sentence
KEPT = 0.15  # of the words that a blend could replace
_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"'(])")
_PLAIN = re.compile(r"[A-Za-z0-9 ,.;:!?'\"()/%$&+-]+")


def sentences() -> list[str]:
    """Sentences of docstrings, each once, in the order of their files."""
    found: dict[str, None] = {}
    for file in _files():
        for text in _docstrings(file):
            for paragraph in re.split(r"\n\s*\n", text):
                for sentence in _END.split(" ".join(paragraph.split())):
                    if FEWEST <= len(sentence.split()) <= MOST and _PLAIN.fullmatch(sentence):
                        found[sentence] = None
    return list(found)


def blends(rng: np.random.Generator, originals: Sequence[str], words: Sequence[str]) -> list[str]:
    """The originals with other content words, drawn from `words`, which are sorted by frequency."""
    odds = np.arange(10, 10 + len(words)) ** -0.5
    cumulated = np.cumsum(odds / odds.sum())
    return [_blend(rng, original.split(), words, cumulated) for original in originals]


def _blend(rng: np.random.Generator, own: list[str], words: Sequence[str], cumulated: np.ndarray) -> str:
    others = np.minimum(np.searchsorted(cumulated, rng.random(len(own))), len(words) - 1)
    stays = rng.random(len(own)) < KEPT
    plain = [re.sub(r"[^A-Za-z]", "", word).lower() for word in own]
    return " ".join(
        word if stay or not core or core in ENGLISH_STOP_WORDS else words[other]
        for word, core, stay, other in zip(own, plain, stays, others, strict=True)
    )


def _files() -> Iterator[Path]:
    """Modules of the standard library and of the packages, tests left out."""
    library = Path(sysconfig.get_path("stdlib"))
    yield from sorted(f for f in library.rglob("*.py") if not {"site-packages", "test", "tests"} & set(f.parts))
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        for place in (spec.submodule_search_locations or []) if spec else []:
            yield from sorted(f for f in Path(place).rglob("*.py") if not {"test", "tests"} & set(f.parts))


def _docstrings(file: Path) -> Iterator[str]:
    try:
        tree = ast.parse(file.read_text("utf-8"))
    except (SyntaxError, UnicodeDecodeError, ValueError):  # some files are there to be wrong
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""
