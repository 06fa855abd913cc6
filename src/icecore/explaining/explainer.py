"""Which way an input is explained, and the explanation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from icecore.backbones import JoinedBackbone
from icecore.data import ImagePreprocessing, Sound
from icecore.errors import UsageError
from icecore.explaining import attention, occlusion, places, tokens
from icecore.explaining.attribution import Attribution, Grid, Words, scaled
from icecore.explaining.reading import Reading

OCCLUSION = "occlusion: how much the decision falls when a part is hidden"


class Explainer:
    """Explains predictions of one target of a model, one input at a time.

    Args:
        reading: the target.

    Raises UsageError for a network that reads pairs, and for items that are neither images nor texts nor sounds.
    """

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        modality = reading.backbone.modality
        if isinstance(reading.backbone, JoinedBackbone) or modality not in ("image", "text", "sound"):
            raise UsageError(
                f"Predictions on {modality} cannot be explained.", expected="A model of images, texts or sounds."
            )

    def explain(self, decoded: Any, code: int | None = None) -> Attribution:
        """Why a decoded input is said to be of a class; by default of the most probable one."""
        reading = self._reading
        prepared = reading.backbone.prepare(decoded)
        proba = reading.says(reading.features([prepared]))[0]
        code = int(proba.argmax()) if code is None else code
        parts, method = self._parts(decoded, prepared, code)
        label = reading.target.classes[code] if reading.target.classes else round(float(proba[0]), 6)
        return Attribution(label, float(proba[code]), parts, method, decoded)

    def _parts(self, decoded: Any, prepared: Any, code: int) -> tuple[Grid | Words, str]:
        if isinstance(decoded, str):
            return self._of_text(decoded, code)
        if isinstance(decoded, Sound):
            return Grid(scaled(occlusion.of_sound(self._reading, decoded, code))), OCCLUSION
        found = self._of_image(prepared, code)
        if found is not None and np.isfinite(found[0]).all() and found[0].any():
            return Grid(scaled(found[0]), _box(self._reading, decoded)), found[1]
        return Grid(scaled(occlusion.of_image(self._reading, decoded, code))), OCCLUSION

    def _of_image(self, prepared: Any, code: int) -> tuple[np.ndarray, str] | None:
        """The map and the method, where head and network have slopes."""
        reading = self._reading
        if reading.function is None:
            return None
        if attention.tokens_layer(reading) is not None:
            found = _tried(attention.attended, reading, prepared, code)
            return None if found is None else (found, "gradient-weighted attention (Chefer et al. 2021)")
        if all(places.has_places(layer) for layer in reading.layers.values()):
            return places.direct(reading, prepared, code), f"class activation on {_named(reading.names)}"
        if not places.can_go_through(reading):
            return None
        found = _tried(places.through, reading, prepared, code)
        below = [
            name if places.has_places(reading.layers[name]) else places.layer_below(reading, name)
            for name in reading.names
        ]
        return None if found is None else (found, f"Grad-CAM at {_named([name for name in below if name])}")

    def _of_text(self, text: str, code: int) -> tuple[Words, str]:
        reading = self._reading
        if reading.function is not None and tokens.can_be_integrated(reading):
            found = _tried(tokens.integrated, reading, text, code)
            if found is not None and np.isfinite(found[1]).all() and found[1].any():
                return Words(found[0], scaled(found[1]), text), "integrated gradients on the vectors of the tokens"
        spans, values = occlusion.of_text(reading, text, code)
        return Words(spans, scaled(values), text), OCCLUSION


def _tried(way: Callable[..., Any], *given: Any) -> Any:
    """What a way through the network finds; None where its arithmetic has no slope, of which torch complains."""
    try:
        return way(*given)
    except (RuntimeError, NotImplementedError):
        return None


def _named(names: list[str]) -> str:
    """Layers in a sentence."""
    own = list(dict.fromkeys(names))
    return own[0] if len(own) == 1 else f"{len(own)} layers from {own[0]} to {own[-1]}"


def _box(reading: Reading, image: Image.Image) -> tuple[float, float, float, float]:
    """Which part of a picture the network sees, as shares of it; all of it where its preprocessing does not say."""
    preprocessing = reading.backbone.preprocessing
    return preprocessing.seen(image.size) if isinstance(preprocessing, ImagePreprocessing) else (0.0, 0.0, 1.0, 1.0)
