"""Extras: libraries that are imported only when used."""

from __future__ import annotations

import socket
import threading
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from icecore.backbones.torchvision_ops import ensure_torchvision_imports
from icecore.errors import MissingExtraError

_PATIENCE = 3.0
_NEED_TORCHVISION = ("timm", "transformers", "torchvision", "peft")


def require(module: str, extra: str) -> Any:
    """Import a library of an extra. Raises MissingExtraError with the command that installs it."""
    if find_spec(module.partition(".")[0]) is None:
        raise MissingExtraError(
            f"This needs {module}, which is not installed.", do=f"Install it with: pip install 'icecore[{extra}]'"
        )
    if module.partition(".")[0] in _NEED_TORCHVISION:
        ensure_torchvision_imports()
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"{module} is installed but cannot be imported: {error}.",
            do=f"Install what it needs with: pip install 'icecore[{extra}]'",
        ) from error


@cache
def go_offline_if_unreachable() -> None:
    """Where the model hub cannot be reached, use its local cache at once instead of retrying for a minute."""
    constants = require("huggingface_hub.constants", "hf")  # by name: the package itself loads it only when asked
    if not constants.HF_HUB_OFFLINE and not _reachable(constants.ENDPOINT):
        constants.HF_HUB_OFFLINE = True


def _reachable(url: str) -> bool:
    """Whether the host takes a connection within some seconds. Behind a proxy only the proxy knows."""
    if getproxies():
        return True
    parts = urlsplit(url)
    answer: list[bool] = []

    def connect() -> None:
        try:
            socket.create_connection((parts.hostname, parts.port or 443), timeout=_PATIENCE).close()
        except OSError:
            return
        answer.append(True)

    asking = threading.Thread(target=connect, daemon=True)  # looking up a name has no timeout of its own
    asking.start()
    asking.join(_PATIENCE)
    return bool(answer)
