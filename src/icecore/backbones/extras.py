"""Extras: libraries that are imported only when used."""

from __future__ import annotations

import socket
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from icecore.backbones.torchvision_ops import ensure_torchvision_imports
from icecore.errors import MissingExtraError

_NEED_TORCHVISION = ("timm", "transformers", "torchvision")


def require(module: str, extra: str) -> Any:
    """Import a library of an extra. Raises MissingExtraError with the command that installs it."""
    if find_spec(module.partition(".")[0]) is None:
        raise MissingExtraError(
            f"This needs {module}, which is not installed.", do=f"Install it with: pip install 'icecore[{extra}]'"
        )
    if module.partition(".")[0] in _NEED_TORCHVISION:
        ensure_torchvision_imports()
    return import_module(module)


@cache
def go_offline_if_unreachable() -> None:
    """Where the model hub's name does not resolve, use its local cache at once instead of retrying for a minute."""
    hub = require("huggingface_hub", "hf")
    host = urlsplit(hub.constants.ENDPOINT).hostname
    try:
        socket.getaddrinfo(host, 443)
    except OSError:
        hub.constants.HF_HUB_OFFLINE = True
