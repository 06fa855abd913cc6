"""What the README shows is run: its shell and Python blocks, in order, in a folder that holds what it speaks of.

A block after the comment `<!-- not run: REASON -->` is left out.
"""

import os
import re
import subprocess
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from icecore.backbones.torchvision_ops import ensure_torchvision_imports
from tests.imports import ROOT
from tests.small import write_colours

BLOCK = re.compile(r"(?P<left_out><!-- not run: [^>]+ -->\n)?```(?P<kind>console|python)\n(?P<text>.*?)```", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A block that is run, and where it stands."""

    kind: str
    text: str
    line: int

    def run(self, names: dict[str, object]) -> None:
        if self.kind == "python":
            exec(compile("\n" * self.line + self.text, "README.md", "exec"), names)
            return
        for command in commands(self.text):
            done = subprocess.run(
                ["bash", "-c", command], env=environment(), capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"README.md:{self.line}: {command}\n{done.stdout}{done.stderr}"


def blocks() -> list[Block]:
    text = (ROOT / "README.md").read_text("utf-8")
    found = [match for match in BLOCK.finditer(text) if not match["left_out"]]
    return [Block(match["kind"], match["text"], text.count("\n", 0, match.start("text"))) for match in found]


def commands(text: str) -> list[str]:
    """Lines that begin with `$ `, joined with the next where they end with a backslash; other lines are output."""
    return re.findall(r"^\$ (.+)$", text.replace("\\\n", " "), re.MULTILINE)


def environment() -> dict[str, str]:
    return {**os.environ, "PATH": f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}"}


def write_network(folder: Path) -> None:
    """A small MobileNetV2 as a Transformers folder, untrained."""
    ensure_torchvision_imports()
    from transformers import MobileNetV2Config, MobileNetV2ForImageClassification, MobileNetV2ImageProcessor

    torch.manual_seed(0)
    config = MobileNetV2Config(depth_multiplier=0.1, image_size=32, num_labels=4)
    MobileNetV2ForImageClassification(config).save_pretrained(folder)
    MobileNetV2ImageProcessor(size={"shortest_edge": 36}, crop_size={"height": 32, "width": 32}).save_pretrained(folder)


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of someone who follows the README: photographs in class folders, new ones, test ones, a network."""
    write_colours(tmp_path / "photos", 6, ending="jpg")
    write_colours(tmp_path / "test", 2, seed=1, ending="jpg")
    (tmp_path / "new").mkdir()
    for place, name in (("blue", "a"), ("red", "b")):
        (tmp_path / "new" / f"{name}.jpg").write_bytes((tmp_path / "test" / place / "000.jpg").read_bytes())
    write_network(tmp_path / "mobilenet_v2")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_commands_are_read_from_console_blocks():
    """Lines of output are no commands; a backslash joins lines."""
    assert commands("$ one \\\n  two\nits output\n$ three\n") == ["one    two", "three"]


@pytest.mark.slow
def test_the_blocks_of_the_readme_run(reader):
    """Every shell and Python block works as shown, in order; Python blocks share their names."""
    found = blocks()
    assert {block.kind for block in found} == {"console", "python"}
    names: dict[str, object] = {}
    for block in found:
        block.run(names)
