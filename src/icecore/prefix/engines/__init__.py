"""Engines: what runs a frozen prefix. All give the same values within the tolerance of the precision.

`eager` runs the network as its author wrote it, and stops at the last layer that is asked for. The others take a graph
of the same pass, poolings included, which `program` exports: OpenVINO, ONNX Runtime, and torch's compiler.
"""

from icecore.backbones.placing import AUTO, EAGER
from icecore.prefix.engines.catalogue import ENGINES, require_engine, versions_of
from icecore.prefix.engines.choosing import Choice, Trial, can_choose, chosen, may_pay, named, probe, worth_probing
from icecore.prefix.engines.compiled import Compiled, compiled
from icecore.prefix.engines.eager import Eager
from icecore.prefix.engines.tolerance import TOLERANCES, apart, said
from icecore.prefix.engines.values import Rows, Runner, Values, joined
from icecore.prefix.engines.verdicts import Verdict, Verdicts

__all__ = [
    "AUTO",
    "EAGER",
    "ENGINES",
    "TOLERANCES",
    "Choice",
    "Compiled",
    "Eager",
    "Rows",
    "Runner",
    "Trial",
    "Values",
    "Verdict",
    "Verdicts",
    "apart",
    "can_choose",
    "chosen",
    "compiled",
    "joined",
    "may_pay",
    "named",
    "probe",
    "require_engine",
    "said",
    "versions_of",
    "worth_probing",
]
