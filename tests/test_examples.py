"""The scripts in `examples/` run."""

import subprocess
import sys

from tests.imports import ROOT
from tests.texts import WORDS, write_network


def test_text(tmp_path):
    """A table of texts and the id of a network are all that it takes."""
    rows = [f"{' '.join(WORDS[i % 2 * 9 :][i % 5 : i % 5 + 4])},{'ab'[i % 2]}" for i in range(24)]
    (tmp_path / "t.csv").write_text("\n".join(["text,label", *rows]), "utf-8")
    words = [tmp_path / "t.csv", f"hf:{write_network('sentence', tmp_path / 'net')}"]
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / "text.py", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "label: accuracy" in done.stdout
    assert "vectors of shape (2, 32)" in done.stdout
