"""`icecore:` networks that come with the package, made by this project: `vision-s`, `text-s` and `audio-s`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from icecore.backbones import saved, static, weights
from icecore.backbones.audio_s import FRAMES, FRONT, AudioS
from icecore.backbones.base import Entry, Licence, Preprocessing
from icecore.backbones.fixed_windows import FixedWindows
from icecore.backbones.network import TorchBackbone
from icecore.backbones.reference import Reference, unknown
from icecore.backbones.seeding import seeded
from icecore.backbones.sound_windows import SoundWindows, sample_sounds
from icecore.backbones.static_module import StaticBackbone
from icecore.backbones.vision_s import MEAN, SIDE, STD, VisionS
from icecore.data import ImagePreprocessing, sound_summary
from icecore.errors import PreprocessingError

PROVIDER = "icecore.v1"
WEIGHTS = Path(__file__).with_name("vision_s.safetensors")
SOUND_WEIGHTS = Path(__file__).with_name("audio_s.safetensors")
VECTORS = Path(__file__).with_name("text_s")  # a model2vec folder
LICENCE = Licence("mit", "icecore")
VISION, TEXT, AUDIO = "vision-s", "text-s", "audio-s"


class BundledProvider:
    """Networks made by this project."""

    summary = "bundled with the package, no download, small: vision-s for images, text-s for texts, audio-s for sounds"
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
        if reference.name not in _BUILD:
            raise unknown(str(reference))
        network, file, backbone = _BUILD[reference.name]
        if reference.seed is not None:
            return backbone(reference, seeded(reference.seed, network), "random weights", preprocess)
        return backbone(reference, _with(network(), file), f"icecore's {file.name}", preprocess)

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
        network, _, backbone = _BUILD[reference.name]
        file = folder / saved.WEIGHTS
        return backbone(reference, _with(network(), file), str(file), saved.own_preprocessing(preprocessing))

    def names(self) -> list[str]:
        """Names of the bundled networks."""
        return [VISION, TEXT, AUDIO]

    def catalogue(self) -> list[Entry]:
        """The bundled networks, and the same with random weights."""
        kinds: dict[str, tuple[str, tuple[int, ...]]] = {
            VISION: ("image", (SIDE, SIDE)),
            TEXT: ("text", ()),
            AUDIO: ("sound", ()),
        }
        return [
            Entry(f"icecore:{name}{ending}", modality, LICENCE.name, size)
            for name, (modality, size) in kinds.items()
            for ending in ("", "@random")
        ]

    def parameters(self, name: str) -> int:
        """How many a bundled network has."""
        backbone = self.load(Reference("icecore", name), preprocess=None, trust_remote_code=False)
        return sum(value.numel() for value in backbone.module.parameters())


def _of_images(
    reference: Reference, network: nn.Module, source: str, preprocess: Preprocessing | None
) -> TorchBackbone:
    own = ImagePreprocessing(resize="shortest", resize_size=SIDE, crop=(SIDE, SIDE), mean=(MEAN,) * 3, std=(STD,) * 3)
    return TorchBackbone(network, preprocessing=preprocess or own, **_about(reference, source))


def _of_sounds(
    reference: Reference, network: nn.Module, source: str, preprocess: Preprocessing | None
) -> TorchBackbone:
    if preprocess is not None and preprocess.value != FRONT.value:
        raise PreprocessingError(
            f"{reference} takes log-mel patches of its own.", do="Leave the preprocessing out (--preprocess)."
        )
    return FixedWindows(
        network,
        frames=(),
        window=FRAMES,
        preprocessing=SoundWindows(FRONT, "x"),
        modality="sound",
        samples=sample_sounds(FRONT.rate),
        raw=partial(sound_summary, FRONT),
        **_about(reference, source),
    )


def _about(reference: Reference, source: str) -> dict[str, Any]:
    return {
        "id": str(reference),
        "provider": PROVIDER,
        "architecture": {"name": reference.name},
        "licence": LICENCE,
        "source": source,
    }


def _with(network: nn.Module, file: Path) -> nn.Module:
    """The network with the weights of a file; float16 there becomes float32."""
    weights.fit(network, {name: value.float() for name, value in weights.read(file).items()}, str(file))
    return network


_Build = Callable[[Reference, nn.Module, str, Preprocessing | None], TorchBackbone]
_BUILD: dict[str, tuple[Callable[[], nn.Module], Path, _Build]] = {
    VISION: (VisionS, WEIGHTS, _of_images),
    AUDIO: (AudioS, SOUND_WEIGHTS, _of_sounds),
}

provider = BundledProvider()
