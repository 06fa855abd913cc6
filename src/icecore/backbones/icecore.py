"""`icecore:` networks that come with the package.

`vision-s` is defined; its trained weights are not part of this version, so it is there as `icecore:vision-s@random`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from icecore.backbones import saved
from icecore.backbones.base import Entry, Licence, Preprocessing
from icecore.backbones.network import TorchBackbone
from icecore.backbones.reference import Reference, unknown
from icecore.backbones.seeding import seeded
from icecore.backbones.vision_s import VisionS
from icecore.data.preprocessing import ImagePreprocessing
from icecore.errors import WeightsError

PROVIDER = "icecore.v1"
SIDE = 96


class BundledProvider:
    """Networks made by this project."""

    summary = "bundled with the package: vision-s, so far with seeded random weights only"
    extra = ""
    requires: tuple[str, ...] = ()
    example = "icecore:vision-s@random"

    def load(self, reference: Reference, *, preprocess: Preprocessing | None, trust_remote_code: bool) -> TorchBackbone:
        """Build a bundled network."""
        del trust_remote_code  # the code is this package's
        if reference.name not in self.names():
            raise unknown(str(reference))
        if reference.seed is None:
            raise WeightsError(
                f"This version of icecore carries no trained weights of {reference}.",
                do="Use icecore:vision-s@random for an untrained network, or another backbone (`icecore backbones`).",
            )
        own = ImagePreprocessing(
            resize="shortest", resize_size=SIDE, crop=(SIDE, SIDE), mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25)
        )
        return TorchBackbone(
            seeded(reference.seed, VisionS),
            id=str(reference),
            provider=PROVIDER,
            architecture={"name": reference.name},
            preprocessing=preprocess or own,
            licence=Licence("mit", "icecore"),
            source="random weights",
        )

    def save(self, backbone: TorchBackbone, folder: Path) -> None:
        """Nothing to write: the package has it."""

    def load_saved(self, reference: Reference, folder: Path, preprocessing: Mapping[str, Any]) -> TorchBackbone:
        """From the package."""
        del folder
        own = saved.image_preprocessing(preprocessing)
        return self.load(reference, preprocess=own, trust_remote_code=False)

    def names(self) -> list[str]:
        """Names of the bundled networks."""
        return ["vision-s"]

    def catalogue(self) -> list[Entry]:
        """The bundled networks."""
        return [Entry(f"icecore:{name}@random", "image", "mit", (SIDE, SIDE)) for name in self.names()]


provider = BundledProvider()
