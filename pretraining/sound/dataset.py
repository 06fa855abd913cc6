"""The training set: log-mel patches of formula sounds, and what the teacher says of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from icecore import backbones
from icecore.backbones.audio_s import FRAMES, FRONT
from icecore.data import LogMelPreprocessing, Sound
from pretraining.chunks import VIEWS
from pretraining.sound import formulas

TEACHER = "tflite:yamnet_spectra_in.tflite"
SECONDS = 4  # of a sound
PATCHES = 8  # of a sound
PASS = 64
WHOLE = LogMelPreprocessing.model_validate(FRONT.model_dump() | {"patch": None, "patch_hop": None})
LAYERS = {  # of the teacher
    "pooled": "last",
    "late": "tower0/network/layer27/conv/Relu6",
    "middle": "tower0/network/layer21/conv/Relu6",
}


@dataclass(frozen=True)
class Sounds:
    """Chunks of `views` (n, 96, 64), `pooled` (n, 1024), `late` (n, 1024, 3, 2), `middle` (n, 512, 6, 4), all float16.

    Args:
        reference: id of the teacher, a YAMNet that takes spectra.
        seed: of everything.
        views: in a chunk, a multiple of 64.
    """

    reference: str
    seed: int
    views: int

    @cached_property
    def teacher(self) -> Any:
        """Loaded where chunks are made."""
        return backbones.load(self.reference, preprocess=FRONT, device="cpu")

    def arrays(self, number: int) -> dict[str, NDArray[np.generic]]:
        """One chunk."""
        rng = np.random.default_rng([self.seed, number])
        patches = self._patches(rng)
        parts = [self._asked(patches[start : start + PASS]) for start in range(0, self.views, PASS)]
        answers = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return {VIEWS: patches.astype(np.float16), **answers}

    def _patches(self, rng: np.random.Generator) -> NDArray[np.float32]:
        """(views, frames, mels), those of one sound spread over the chunk."""
        found = np.stack([patch for _ in range(self.views // PATCHES) for patch in _of_one(rng)])
        return found[rng.permutation(self.views)]

    def _asked(self, patches: NDArray[np.float32]) -> dict[str, NDArray[np.generic]]:
        """The pooled features and two inner maps, channels first."""
        said = self.teacher.inner.run(list(torch.from_numpy(patches)), list(LAYERS.values()), lambda _, value: value)
        maps = {name: said[layer].movedim(-1, 1).half().numpy() for name, layer in LAYERS.items()}
        return maps | {"pooled": maps["pooled"].reshape(len(patches), -1)}


def _of_one(rng: np.random.Generator) -> Iterator[NDArray[np.float32]]:
    sound = formulas.draw(rng, SECONDS * formulas.RATE).astype(np.float32)
    (frames,) = WHOLE(Sound(sound, formulas.RATE)).windows
    for begin in rng.integers(0, len(frames) - FRAMES + 1, PATCHES):
        yield frames[begin : begin + FRAMES]
