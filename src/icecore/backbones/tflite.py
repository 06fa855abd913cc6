"""`tflite:` graphs in TFLite files, run by LiteRT, with the preprocessing that their quantisation tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from icecore.backbones import graph_files, licence, saved
from icecore.backbones.base import Entry, Licence, Preprocessing
from icecore.backbones.graph import GraphBackbone
from icecore.backbones.reference import Reference
from icecore.backbones.sidecar import preprocessing_beside
from icecore.backbones.tflite_engine import TfliteEngine
from icecore.backbones.tflite_metadata import licence_in
from icecore.data import ImagePreprocessing

PROVIDER = "tflite.v1"
_FILE = "model.tflite"
_PIXEL_RANGES = ((-1.0, 1.0), (0.0, 1.0), (0.0, 255.0))
_SLACK = 0.02  # of a range: the zero point is a whole number


class TfliteProvider:
    """TFLite files."""

    summary = "any TFLite file, any tensor in it by name, quantised ones as real numbers"
    extra = "tflite"
    requires: tuple[str, ...] = ("ai_edge_litert",)
    example = "tflite:mobilenet_v1_1.0_224_quant.tflite"

    def load(self, reference: Reference, *, preprocess: Preprocessing | None, trust_remote_code: bool) -> GraphBackbone:
        """Read the graph; its preprocessing is given, lies beside it, or is what its quantised pixels say."""
        del trust_remote_code  # a graph runs no code of its own
        path = graph_files.file_of(reference)
        engine = TfliteEngine(path)
        given = preprocess or preprocessing_beside(path)
        found = given or _of_pixels(engine)
        notes = (
            [] if given or not found else ["preprocessing from the graph's own pixels: the whole picture is resized"]
        )
        return GraphBackbone(
            engine,
            id=str(reference),
            provider=PROVIDER,
            architecture={},
            preprocessing=graph_files.preprocessing_for(found, path, f"Its input is {engine.asked}."),
            licence=_licence(engine, path),
            source=str(path),
            notes=notes,
        )

    def save(self, backbone: GraphBackbone, folder: Path) -> None:
        """Write the file as it was read."""
        engine: Any = backbone.graph
        (folder / _FILE).write_bytes(engine.content)

    def load_saved(self, reference: Reference, folder: Path, preprocessing: Mapping[str, Any]) -> GraphBackbone:
        """From the copy."""
        own = saved.own_preprocessing(preprocessing)
        return self.load(replace(reference, name=str(folder / _FILE)), preprocess=own, trust_remote_code=False)

    def names(self) -> list[str]:
        """None: the files are the user's."""
        return []

    def catalogue(self) -> list[Entry]:
        """None: the files are the user's."""
        return []


provider = TfliteProvider()


def _licence(engine: TfliteEngine, path: Path) -> Licence:
    own = licence.stated(licence_in(engine.content), f"metadata of {path}")
    return own if own.source else licence.of_file(path)


def _of_pixels(engine: TfliteEngine) -> Preprocessing | None:
    """For colour images of bytes, whose scale and zero point say which real number each pixel stands for.

    None where the input is no such image, or its range none that pixels usually have.
    """
    shape, dtype = engine.item_shape, np.dtype(engine.detail["dtype"])
    scale, zero = engine.detail["quantization"]
    if len(shape) != 3 or shape[2] != 3 or None in shape or dtype.itemsize != 1 or not scale:
        return None
    first = np.iinfo(dtype).min - zero  # the pixel 0 in steps from the real 0
    low, high = first * scale, (first + 255) * scale
    usual = any(max(abs(low - a), abs(high - b)) <= _SLACK * (b - a) for a, b in _PIXEL_RANGES)
    if not usual:
        return None
    return ImagePreprocessing(
        resize="exact", resize_size=(int(shape[0] or 0), int(shape[1] or 0)), scale=scale, mean=(-first * scale,),
        std=(1.0,), channels_last=True,
    )  # fmt: skip
