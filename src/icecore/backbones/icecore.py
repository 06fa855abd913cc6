"""`icecore:` networks that come with the package, made by this project: `vision-s` for images, `text-s` for texts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from icecore.backbones import saved, static, weights
from icecore.backbones.base import Entry, Licence, Preprocessing
from icecore.backbones.network import TorchBackbone
from icecore.backbones.reference import Reference, unknown
from icecore.backbones.seeding import seeded
from icecore.backbones.static_module import StaticBackbone
from icecore.backbones.vision_s import MEAN, SIDE, STD, VisionS
from icecore.data.preprocessing import ImagePreprocessing

PROVIDER = "icecore.v1"
WEIGHTS = Path(__file__).with_name("vision_s.safetensors")
VECTORS = Path(__file__).with_name("text_s")  # a model2vec folder
LICENCE = Licence("mit", "icecore")
VISION, TEXT = "vision-s", "text-s"


class BundledProvider:
    """Networks made by this project."""

    summary = "bundled with the package, no download: vision-s for images and text-s for texts, both small"
    extra = ""
    requires: tuple[str, ...] = ()
    example = "icecore:vision-s"

    def load(
        self, reference: Reference, *, preprocess: Preprocessing | None, trust_remote_code: bool
    ) -> TorchBackbone | StaticBackbone:
        """Build a bundled network."""
        del trust_remote_code  # the code is this package's
        if reference.name == TEXT:
            static.require_no_preprocessing(reference, preprocess)
            return static.of_folder(reference, VECTORS, LICENCE)
        if reference.name != VISION:
            raise unknown(str(reference))
        if reference.seed is not None:
            return _backbone(reference, seeded(reference.seed, VisionS), "random weights", preprocess)
        return _backbone(reference, _with(WEIGHTS), f"icecore's {WEIGHTS.name}", preprocess)

    def save(self, backbone: Any, folder: Path) -> None:
        """The weights: a later version of the package may carry others."""
        if isinstance(backbone, StaticBackbone):
            static.provider.save(backbone, folder)
        else:
            saved.save_weights(backbone, folder)

    def load_saved(
        self, reference: Reference, folder: Path, preprocessing: Mapping[str, Any]
    ) -> TorchBackbone | StaticBackbone:
        """The network with the weights that `save` wrote."""
        if reference.name == TEXT:
            return static.provider.load_saved(reference, folder, preprocessing)
        file = folder / saved.WEIGHTS
        return _backbone(reference, _with(file), str(file), saved.image_preprocessing(preprocessing))

    def names(self) -> list[str]:
        """Names of the bundled networks."""
        return [VISION, TEXT]

    def catalogue(self) -> list[Entry]:
        """The bundled networks, and the same with random weights."""
        kinds: tuple[tuple[str, str, tuple[int, ...]], ...] = ((VISION, "image", (SIDE, SIDE)), (TEXT, "text", ()))
        return [
            Entry(f"icecore:{name}{ending}", modality, LICENCE.name, size)
            for name, modality, size in kinds
            for ending in ("", "@random")
        ]


def _backbone(reference: Reference, network: VisionS, source: str, preprocess: Preprocessing | None) -> TorchBackbone:
    own = ImagePreprocessing(resize="shortest", resize_size=SIDE, crop=(SIDE, SIDE), mean=(MEAN,) * 3, std=(STD,) * 3)
    return TorchBackbone(
        network,
        id=str(reference),
        provider=PROVIDER,
        architecture={"name": reference.name},
        preprocessing=preprocess or own,
        licence=LICENCE,
        source=source,
    )


def _with(file: Path) -> VisionS:
    """The network with the weights of a file; float16 there becomes float32."""
    network = VisionS()
    weights.fit(network, {name: value.float() for name, value in weights.read(file).items()}, str(file))
    return network


provider = BundledProvider()
