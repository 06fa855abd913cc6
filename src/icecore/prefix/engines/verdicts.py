"""What was measured of engines, remembered on disk for each machine and network."""

from __future__ import annotations

import contextlib
import json
import os
import platform
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import torch

from icecore import keys
from icecore.backbones import Extractor
from icecore.prefix.columns import Column, network_key, precision_of
from icecore.prefix.engines.catalogue import installed, versions_of

_FOLDER = ".engines"


@dataclass
class Verdict:
    """What is known of the engines for one network.

    Attributes:
        seconds: for each engine that agrees with the eager one, seconds an item in the network.
        compiling: seconds that it took to make each.
        rejected: the reasons of those that cannot be used.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    compiling: dict[str, float] = field(default_factory=dict)
    rejected: dict[str, str] = field(default_factory=dict)

    def ranked(self, items: int, made: Collection[str] = ()) -> list[str]:
        """The engines by how soon so many items are done, making those included that are not `made`."""

        def seconds(name: str) -> float:
            return items * self.seconds[name] + (0.0 if name in made else self.compiling.get(name, 0.0))

        return sorted(self.seconds, key=seconds)


class Verdicts:
    """The memory of one store.

    Args:
        root: the folder of the store.
    """

    def __init__(self, root: Path) -> None:
        self._folder = root / _FOLDER

    def read(self, backbone: Extractor, columns: Sequence[Column]) -> Verdict | None:
        """What is known of a network on this machine; None where it was not measured."""
        try:
            return Verdict(**json.loads(self._path(backbone, columns).read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, backbone: Extractor, columns: Sequence[Column], verdict: Verdict) -> None:
        """Remember it. A store that cannot be written to remembers nothing."""
        path = self._path(backbone, columns)
        aside = path.with_suffix(f".{os.getpid()}")
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            aside.write_text(json.dumps(asdict(verdict), indent=1))
            aside.replace(path)

    def _path(self, backbone: Extractor, columns: Sequence[Column]) -> Path:
        device = torch.device(getattr(backbone, "device", "cpu"))
        about = {
            "machine": _machine(device),
            "network": network_key(backbone),
            "columns": [[column.layer, column.pooling] for column in columns],
            "precision": precision_of(backbone),
            "engines": {name: versions_of(name) for name in installed(device, precision_of(backbone))},
        }
        return self._folder / f"{keys.key('engines', about)}.json"


def _machine(device: torch.device) -> Mapping[str, Any]:
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "processor": _processor(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }


@cache
def _processor() -> str:
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return platform.processor()
