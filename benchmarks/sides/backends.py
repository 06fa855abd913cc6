"""The ONNX and OpenVINO backends of sentence-transformers, each in a process of its own.

They want older versions of Transformers than the rest, so they are taken from a folder that `ICECORE_PEERS` names, made
by `pip install --target FOLDER 'sentence-transformers[onnx,openvino]'`. Run as a script this file is such a process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

PEERS = "ICECORE_PEERS"
BACKENDS = {"onnx": "ONNX", "openvino": "OpenVINO"}


def optimised(folder: Path) -> Iterator[Peer]:  # noqa: F821 - imported below, where this is not run as a script
    """Those that can be used here."""
    from benchmarks.sides.loops import Peer

    if PEERS not in os.environ:
        print(f"{PEERS} is not set: the optimised backends of sentence-transformers are left out.")
        return
    for backend, name in BACKENDS.items():
        yield Peer(f"sentence-transformers, {name}", Encoder(folder, backend), optimised=True, may_load=False)


class Encoder:
    """`encode` with a backend, in a process that is started once."""

    def __init__(self, folder: Path, backend: str) -> None:
        self._place = tempfile.TemporaryDirectory()
        command = [sys.executable, __file__, str(folder), backend]
        log = (Path(self._place.name) / "log").open("w")
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
        self._answer()

    def __call__(self, texts: Sequence[str], _workers: int, batch_size: int) -> np.ndarray:
        """Features of texts, (n, features)."""
        file = Path(self._place.name) / "features.npy"
        assert self._process.stdin
        print(json.dumps([list(texts), batch_size, str(file)]), file=self._process.stdin, flush=True)
        self._answer()
        return np.load(file)

    def _answer(self) -> None:
        assert self._process.stdout
        if self._process.stdout.readline() != "ready\n":
            raise RuntimeError((Path(self._place.name) / "log").read_text()[-2000:])


def main() -> None:
    """Encode what is asked for."""
    folder, backend = sys.argv[1:]
    answers, sys.stdout = sys.stdout, sys.stderr  # libraries may print
    from icecore.backbones.torchvision_ops import ensure_torchvision_imports

    ensure_torchvision_imports()
    sys.path.insert(0, os.environ[PEERS])
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(folder, backend=backend, device="cpu", model_kwargs={"export": True})
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        texts, batch_size, file = json.loads(line)
        np.save(file, model.encode(texts, batch_size=batch_size, show_progress_bar=False))
        print("ready", file=answers, flush=True)


if __name__ == "__main__":
    main()
