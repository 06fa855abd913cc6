"""`icecore:` networks that come with the package: `vision-s`, trained by this project, and `vision-s@random`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from icecore.backbones import saved, weights
from icecore.backbones.base import Entry, Licence, Preprocessing
from icecore.backbones.network import TorchBackbone
from icecore.backbones.reference import Reference, unknown
from icecore.backbones.seeding import seeded
from icecore.backbones.vision_s import MEAN, SIDE, STD, VisionS
from icecore.data.preprocessing import ImagePreprocessing

PROVIDER = "icecore.v1"
WEIGHTS = Path(__file__).with_name("vision_s.safetensors")


class BundledProvider:
    """Networks made by this project."""

    summary = "bundled with the package: vision-s, a small network for images, needs no download"
    extra = ""
    requires: tuple[str, ...] = ()
    example = "icecore:vision-s"

    def load(self, reference: Reference, *, preprocess: Preprocessing | None, trust_remote_code: bool) -> TorchBackbone:
        """Build a bundled network."""
        del trust_remote_code  # the code is this package's
        if reference.name not in self.names():
            raise unknown(str(reference))
        if reference.seed is not None:
            return _backbone(reference, seeded(reference.seed, VisionS), "random weights", preprocess)
        return _backbone(reference, _with(WEIGHTS), f"icecore's {WEIGHTS.name}", preprocess)

    def save(self, backbone: TorchBackbone, folder: Path) -> None:
        """The weights: a later version of the package may carry others."""
        saved.save_weights(backbone, folder)

    def load_saved(self, reference: Reference, folder: Path, preprocessing: Mapping[str, Any]) -> TorchBackbone:
        """The network with the weights that `save` wrote."""
        file = folder / saved.WEIGHTS
        return _backbone(reference, _with(file), str(file), saved.image_preprocessing(preprocessing))

    def names(self) -> list[str]:
        """Names of the bundled networks."""
        return ["vision-s"]

    def catalogue(self) -> list[Entry]:
        """The bundled networks."""
        found = [f"icecore:{name}{ending}" for name in self.names() for ending in ("", "@random")]
        return [Entry(each, "image", "mit", (SIDE, SIDE)) for each in found]


def _backbone(reference: Reference, network: VisionS, source: str, preprocess: Preprocessing | None) -> TorchBackbone:
    own = ImagePreprocessing(resize="shortest", resize_size=SIDE, crop=(SIDE, SIDE), mean=(MEAN,) * 3, std=(STD,) * 3)
    return TorchBackbone(
        network,
        id=str(reference),
        provider=PROVIDER,
        architecture={"name": reference.name},
        preprocessing=preprocess or own,
        licence=Licence("mit", "icecore"),
        source=source,
    )


def _with(file: Path) -> VisionS:
    """The network with the weights of a file; float16 there becomes float32."""
    network = VisionS()
    weights.fit(network, {name: value.float() for name, value in weights.read(file).items()}, str(file))
    return network


provider = BundledProvider()
