"""Selection: which layer, head and penalty, chosen on stored features.

A choice is part of training. So it sees training rows only, and whoever wants to know how good its outcome is has the
choice made anew in every fold: `nested` does that, `held_out` keeps to a given split. Of candidates that cannot be told
apart (within one standard error, on the same rows) the simplest is taken.
"""

from __future__ import annotations

from icecore.selection.calibrating import CALIBRATIONS, Calibrated, Calibration, calibrate
from icecore.selection.candidates import (
    AUTO_HEADS,
    IN_PIECES,
    LAYERED,
    Candidate,
    Layer,
    features_of,
    head_name,
    in_memory,
    layer_name,
    names_of,
)
from icecore.selection.choosing import Choice, choose
from icecore.selection.crossing import are_shares
from icecore.selection.fitting import fit_candidate
from icecore.selection.nesting import Nested, nested
from icecore.selection.opinions import opinions
from icecore.selection.probing import PROBES, LayerScore, Probed, probe, probes_for
from icecore.selection.rows import spread_order
from icecore.selection.scoring import ScoredCandidate
from icecore.selection.splitting import HeldOut, held_out, test_apart, unseen_of_known
from icecore.selection.standing import Heat, Standing, going_on, standings
from icecore.selection.transfer_scores import Scores, TransferScores, transfer_scores
from icecore.selection.uniting import Mix, United, unite
from icecore.selection.versus import Versus

__all__ = [
    "AUTO_HEADS",
    "CALIBRATIONS",
    "IN_PIECES",
    "LAYERED",
    "PROBES",
    "Calibrated",
    "Calibration",
    "Candidate",
    "Choice",
    "Heat",
    "HeldOut",
    "Layer",
    "LayerScore",
    "Mix",
    "Nested",
    "Probed",
    "ScoredCandidate",
    "Scores",
    "Standing",
    "TransferScores",
    "United",
    "Versus",
    "are_shares",
    "calibrate",
    "choose",
    "features_of",
    "fit_candidate",
    "going_on",
    "head_name",
    "held_out",
    "in_memory",
    "layer_name",
    "names_of",
    "nested",
    "opinions",
    "probe",
    "probes_for",
    "spread_order",
    "standings",
    "test_apart",
    "transfer_scores",
    "unite",
    "unseen_of_known",
]
