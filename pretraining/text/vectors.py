"""A vector for each token: trained, made small, written."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

RATE, BATCH = 2e-3, 256
FREQUENT = 999  # the first ids of BERT's vocabulary are no words
LEVELS = 127
_LATIN, _SPECIAL = re.compile(r"[ -~\u00a1-\u024f]+"), re.compile(r"\[.*\]")


def trained(
    tokens: np.ndarray, ids: Sequence[Sequence[int]], said: np.ndarray, *, width: int, steps: int, seed: int
) -> tuple[np.ndarray, float]:
    """Vectors whose mean points where the teacher's vector of a text does.

    They begin as what the teacher said of the token alone, in the main directions of what it said of texts, frequent
    tokens (those with low ids) short.

    Args:
        tokens: (vocabulary, channels).
        ids: tokens of n texts.
        said: (n, channels).
        width: of the vectors.
        steps: of Adam, of 256 texts each.
        seed: of the order.

    Returns:
        (vocabulary, width), and the last mean of 1 - cosine.
    """
    texts = said / np.linalg.norm(said, axis=1, keepdims=True)
    directions = np.linalg.svd(texts - texts.mean(0), full_matrices=False)[2][:width].T
    wanted = torch.from_numpy((texts - texts.mean(0)) @ directions)
    units = tokens / np.linalg.norm(tokens, axis=1, keepdims=True)
    short = np.log(2 + np.maximum(np.arange(len(tokens)) - FREQUENT, 0)) / 8
    first = torch.from_numpy(((units - units.mean(0)) @ directions * short[:, None]).astype(np.float32))
    bag = nn.EmbeddingBag.from_pretrained(first, freeze=False, mode="mean", sparse=True)
    optimizer = torch.optim.SparseAdam(bag.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    rng = np.random.default_rng(seed)
    filled = np.array([place for place, row in enumerate(ids) if len(row)])
    recent = 0.0
    for step in range(steps):
        places = rng.choice(filled, BATCH)
        flat = torch.tensor([number for place in places for number in ids[place]])
        starts = torch.tensor(np.cumsum([0, *(len(ids[place]) for place in places[:-1])]))
        loss = (1 - F.cosine_similarity(bag(flat, starts), wanted[places])).mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        recent = float(loss.detach()) if not step else 0.99 * recent + 0.01 * float(loss.detach())
        if step % 500 == 0:
            print(f"step {step} of {steps}: 1 - cosine {recent:.4f}", flush=True)
    return bag.weight.detach().numpy(), recent


def compressed(vectors: np.ndarray, teacher: Any, folder: Path) -> None:
    """Write a model2vec folder: signed bytes with a scale each. Tokens of scripts other than Latin share zeros."""
    named = teacher.tokenizer.get_vocab().items()
    kept = [number for token, number in named if _LATIN.fullmatch(token) and not _SPECIAL.fullmatch(token)]
    rows = np.sort(kept)
    scales = np.abs(vectors[rows]).max(1)
    small = np.rint(vectors[rows] / scales[:, None] * LEVELS).astype(np.int8)
    mapping = np.full(len(vectors), len(rows), np.int16)
    mapping[rows] = np.arange(len(rows))
    weights = np.ones(len(vectors), np.float16)
    weights[rows] = scales / LEVELS
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {"embeddings": np.vstack([small, np.zeros_like(small[:1])]), "mapping": mapping, "weights": weights}
    save_file({name: torch.from_numpy(value) for name, value in tensors.items()}, folder / "model.safetensors")
    teacher.tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    config = {"model_type": "model2vec", "normalize": True, "hidden_dim": vectors.shape[1]}
    (folder / "config.json").write_text(json.dumps(config) + "\n", encoding="utf-8")
