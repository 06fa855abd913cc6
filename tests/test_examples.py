"""The scripts in `examples/` run."""

import subprocess
import sys

from tests.imports import ROOT
from tests.small import BACKBONE, write_colours
from tests.sounds import write_tones
from tests.texts import WORDS, write_network


def run(script, *words):
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / script, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_image(tmp_path):
    """A folder of class folders, the id of a network, and new photographs."""
    folder = write_colours(tmp_path / "photos", 6)
    said = run("image.py", folder, BACKBONE, folder / "red" / "000.png")
    assert "label: accuracy 1.000, 3 stratified folds" in said
    assert "000.png is red (" in said
    assert "last: vectors of shape (18, 1024)" in said


def test_text(tmp_path):
    """A table of texts and the id of a network are all that it takes."""
    rows = [f"{' '.join(WORDS[i % 2 * 9 :][i % 5 : i % 5 + 4])},{'ab'[i % 2]}" for i in range(24)]
    (tmp_path / "t.csv").write_text("\n".join(["text,label", *rows]), "utf-8")
    said = run("text.py", tmp_path / "t.csv", f"hf:{write_network('sentence', tmp_path / 'net')}")
    assert "label: accuracy" in said
    assert "vectors of shape (2, 32)" in said


def test_sound(tmp_path, assets):
    """A folder of class folders of sounds, YAMNet's file, and a new sound."""
    folder = write_tones(tmp_path / "sounds", each=5, seconds=1.0)
    network = assets / "weights" / "tflite" / "yamnet_spectra_in.tflite"
    said = run("sound.py", folder, network, folder / "low" / "0.wav")
    assert "accuracy " in said
    assert "0.wav: low (" in said
