"""`onnx:` graphs in ONNX files, run by ONNX Runtime: the door for TensorFlow and any other framework that exports it.

`onnx:FILE`; a graph with several inputs takes `onnx:FILE?input=NAME` for the one that items go into, and a number
for each other that needs one: `onnx:silero_vad.onnx?sr=16000`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from icecore.backbones import graph_files, licence, saved
from icecore.backbones.base import Entry, Licence, Preprocessing
from icecore.backbones.graph import GraphBackbone
from icecore.backbones.onnx_engine import OnnxEngine
from icecore.backbones.reference import Reference
from icecore.backbones.torch import parse_option

PROVIDER = "onnx.v1"
_FILE = "model.onnx"


class OnnxProvider:
    """ONNX files."""

    summary = "any ONNX file, any tensor in it by name; exported by PyTorch, TensorFlow (tf2onnx) and others"
    extra = "onnx"
    requires: tuple[str, ...] = ("onnx", "onnxruntime")
    example = "onnx:model.onnx"

    def load(self, reference: Reference, *, preprocess: Preprocessing | None, trust_remote_code: bool) -> GraphBackbone:
        """Read the graph, find the preprocessing beside it."""
        del trust_remote_code  # a graph runs no code of its own
        path = graph_files.file_of(reference)
        options = {name: parse_option(value) for name, value in reference.options.items()}
        chosen = options.pop("input", None)
        engine = OnnxEngine(path, chosen, options)
        return GraphBackbone(
            engine,
            id=str(reference),
            provider=PROVIDER,
            architecture={"input": engine.input, "constants": options},
            preprocessing=graph_files.preprocessing_for(preprocess, path, f"Its input is {engine.asked}."),
            licence=_licence(engine, path),
            source=str(path),
            notes=[f"the input {name} always gets zeros" for name in engine.assumed],
        )

    def save(self, backbone: GraphBackbone, folder: Path) -> None:
        """Copy the file, and the weights that it keeps beside it."""
        engine: Any = backbone.graph
        graph_files.copy(engine.files, folder, _FILE)

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


provider = OnnxProvider()


def _licence(engine: OnnxEngine, path: Path) -> Licence:
    own = licence.stated(engine.licence, f"metadata of {path}")
    return own if own.source else licence.of_file(path)
