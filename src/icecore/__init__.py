"""Transfer learning by feature extraction.

A frozen prefix of a network is a pure function, so its outputs are build artifacts: computed once and reused by every
head, layer, fold, trial and fine-tuning run.

    import icecore
    net = icecore.PretrainedModel.load("timm:resnet18.a1_in1k")
    model = icecore.TransferModel(net, head="auto").fit("flowers/")
    model.predict(["a.jpg"])

Names are loaded when they are first used: importing icecore brings neither torch nor scikit-learn.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = [
    "FeatureExtractor",
    "IcecoreError",
    "PretrainedModel",
    "Store",
    "TransferClassifier",
    "TransferModel",
    "TransferRegressor",
    "compare",
    "ensemble",
    "evaluate",
    "explain",
    "extract",
    "fine_tune",
    "fit",
    "inspect",
    "predict",
    "rank",
    "report",
]

_HOMES = {
    "FeatureExtractor": "icecore.api",
    "IcecoreError": "icecore.errors",
    "PretrainedModel": "icecore.api",
    "Store": "icecore.store",
    "TransferClassifier": "icecore.api",
    "TransferModel": "icecore.api",
    "TransferRegressor": "icecore.api",
    "compare": "icecore.api",
    "ensemble": "icecore.api",
    "evaluate": "icecore.api",
    "explain": "icecore.api",
    "extract": "icecore.api",
    "fine_tune": "icecore.api",
    "fit": "icecore.api",
    "inspect": "icecore.api",
    "predict": "icecore.api",
    "rank": "icecore.api",
    "report": "icecore.api",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("icecore")
    if name not in _HOMES:
        raise AttributeError(f"module 'icecore' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
