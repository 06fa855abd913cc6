"""A model of hostile names with everything that a report shows, and a browser, shared by the tests of the page."""

from pathlib import Path

import numpy as np
import pytest

from icecore import fit, report
from tests.reporting.browsing import browser
from tests.small import BACKBONE, picture

HOSTILE = "<img src=x onerror=alert(1)>"
HOSTILE_FILE = "\"><svg onload=alert(2)>'.png"
SECTIONS = [
    *(
        "glance",
        "confusion",
        "reliability",
        "mistakes",
        "suspects",
        "map",
        "duplicates",
        "layers",
        "curve",
        "all",
        "made",
    ),
]


def write_hostile(folder: Path, per_class: int = 16) -> Path:
    """Class folders of coloured squares, one class and one file of hostile names, three pictures in wrong folders."""
    rng = np.random.default_rng(0)
    for label, colour in ((HOSTILE, "blue"), ("green", "green"), ("red & <b>dead</b>".replace("/", "|"), "red")):
        (folder / label).mkdir(parents=True)
        for number in range(per_class):
            picture("red" if label == "green" and number < 3 else colour, rng).save(
                folder / label / f"{number:03d}.png"
            )
    (folder / HOSTILE / "000.png").rename(folder / HOSTILE / HOSTILE_FILE)
    return folder


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data."""
    return write_hostile(tmp_path_factory.mktemp("hostile") / "data")


@pytest.fixture(scope="session")
def saved(hostile: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model fitted on them, saved. Not to be changed."""
    out = tmp_path_factory.mktemp("saved") / "hostile.icecore"
    fit(hostile, backbone=BACKBONE, head="ridge", layers="all", repeats=1, out=out, progress=False)
    return out


@pytest.fixture(scope="session")
def written(saved: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its report."""
    out = tmp_path_factory.mktemp("written") / "report.html"
    report(saved, out=out, progress=False)
    return out


@pytest.fixture(scope="session")
def chrome():
    """A browser, or the test is skipped with the reason."""
    with browser() as context:
        yield context
