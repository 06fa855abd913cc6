"""Backbones: pretrained networks, frozen, behind two protocols.

`Extractor` is anything that gives activations (layers, run, digest of weights, preprocessing, licence); `Cuttable` adds
a torch module, for what can be cut and fine-tuned. One file a provider; everything that is said about a torch network
is read from one probe pass (`trace`), so no architecture needs a description of its own.
"""

from icecore.backbones.base import (
    INPUT,
    LAST,
    LOGITS,
    Cuttable,
    Entry,
    Extractor,
    Layer,
    Licence,
    Preprocessing,
    Provider,
    Reduce,
)
from icecore.backbones.joined import JoinedBackbone
from icecore.backbones.layers import no_such_layer
from icecore.backbones.load import load, wrap
from icecore.backbones.network import TorchBackbone
from icecore.backbones.reference import Reference, parse
from icecore.backbones.saved import load_saved, own_preprocessing, save
from icecore.backbones.sequences import FREE, SequenceBackbone, Window, Windows, reduced_in_groups

__all__ = [
    "FREE",
    "INPUT",
    "LAST",
    "LOGITS",
    "Cuttable",
    "Entry",
    "Extractor",
    "JoinedBackbone",
    "Layer",
    "Licence",
    "Preprocessing",
    "Provider",
    "Reduce",
    "Reference",
    "SequenceBackbone",
    "TorchBackbone",
    "Window",
    "Windows",
    "load",
    "load_saved",
    "no_such_layer",
    "own_preprocessing",
    "parse",
    "reduced_in_groups",
    "save",
    "wrap",
]
