"""Quick fits, and what a process of its own makes of a saved model."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

import icecore
from icecore import TransferModel


def fit(colours: Path, backbone: object, store: Path, **options: object) -> TransferModel:
    """A quick fit."""
    return icecore.fit(
        colours, backbone=backbone, head="ridge", store=store, folds=3, repeats=1, progress=False, **options
    )


def in_a_fresh_process(model: Path, data: Path, *, cwd: Path) -> np.ndarray:
    """Probabilities that a process of its own predicts, (n, k), with an empty store."""
    code = (
        "import icecore, json, sys\n"
        "model = icecore.TransferModel.load(sys.argv[1], store='fresh-store')\n"
        "print(json.dumps(model.predict(sys.argv[2]).probabilities.tolist()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(model), str(data)],
        cwd=cwd, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return np.array(json.loads(done.stdout.splitlines()[-1]))
