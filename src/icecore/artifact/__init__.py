"""Artifact: the finished predictor on disk. A folder without pickle, and the code that loads it and predicts.

`manifest.json` says what it is (backbone, columns, classes, figures, data, licence, versions), `head.safetensors` holds
the heads' arrays, `changes/` what fine-tuning changed of the network, `evidence.arrow` how the fit did on each of its
items, `typical.safetensors` what is like them, `README.md` is the model card, `backbone/` the network itself when asked
for. An ensemble holds whole models in `members/` instead of heads. Imports no training.
"""

from icecore.artifact.card import warnings
from icecore.artifact.changes import Change, applied, base_key
from icecore.artifact.ensemble import EnsemblePredictor, member_folder, save_ensemble
from icecore.artifact.evidence import EVIDENCE, Evidence, TargetEvidence, read_evidence
from icecore.artifact.loading import load, read_manifest
from icecore.artifact.predictions import (
    LabelSetPrediction,
    LabelSetPredictions,
    NumberPrediction,
    NumberPredictions,
    Prediction,
    Predictions,
    RankPredictions,
    label_array,
)
from icecore.artifact.predictor import Predictor
from icecore.artifact.reference import describe
from icecore.artifact.saving import require_writable
from icecore.artifact.schema import MANIFEST, BackboneRef, DataRef, Figure, Figures, Manifest, MemberRef, TargetRef

__all__ = [
    "EVIDENCE",
    "MANIFEST",
    "BackboneRef",
    "Change",
    "DataRef",
    "EnsemblePredictor",
    "Evidence",
    "Figure",
    "Figures",
    "LabelSetPrediction",
    "LabelSetPredictions",
    "Manifest",
    "MemberRef",
    "NumberPrediction",
    "NumberPredictions",
    "Prediction",
    "Predictions",
    "Predictor",
    "RankPredictions",
    "TargetEvidence",
    "TargetRef",
    "applied",
    "base_key",
    "describe",
    "label_array",
    "load",
    "member_folder",
    "read_evidence",
    "read_manifest",
    "require_writable",
    "save_ensemble",
    "warnings",
]
