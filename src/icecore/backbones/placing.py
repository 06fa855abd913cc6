"""Where and how a loaded network runs: device, precision, engine."""

from __future__ import annotations

from typing import Any

import torch

from icecore.backbones.base import Extractor
from icecore.backbones.joined import JoinedBackbone
from icecore.backbones.precision import FLOAT32, require_precision
from icecore.errors import UsageError

AUTO, EAGER = "auto", "eager"


def placed(backbone: Any, device: torch.device, *, precision: str = FLOAT32, engine: str = AUTO) -> Extractor:
    """A network on its device, in its precision, with the engine that it asks for.

    Raises UsageError for a precision that there is not, and where a network that is no torch module was asked to run
    otherwise than its file says.
    """
    require_precision(precision)
    if hasattr(backbone, "to"):
        backbone = backbone.to(device)
    for part in backbone.parts.values() if isinstance(backbone, JoinedBackbone) else [backbone]:
        if hasattr(part, "run_as"):
            part.run_as(precision=precision, engine=engine)
        elif precision != FLOAT32 or engine not in (AUTO, EAGER):
            asked = f"the precision {precision}" if precision != FLOAT32 else f"the engine {engine}"
            raise UsageError(
                f"{backbone.id} is no torch network: it runs as its own engine does, and {asked} was asked for.",
                do="Leave --precision and --engine out.",
            )
    return backbone  # type: ignore[no-any-return]  # plug-ins
