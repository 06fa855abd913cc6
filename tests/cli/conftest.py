"""A model, its data and a store that the tests of the command line share."""

from pathlib import Path

import pytest

from tests.cli.shell import Shell
from tests.small import BACKBONE, write_colours


@pytest.fixture(scope="session")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders blue, green, red with six pictures each."""
    return write_colours(tmp_path_factory.mktemp("colours") / "colours", 6)


@pytest.fixture(scope="session")
def model(colours: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved model. Not to be changed."""
    out = tmp_path_factory.mktemp("model") / "colours.icecore"
    done = Shell(out.parent)(
        "fit", colours, "-b", BACKBONE, "--head", "ridge", "--repeats", "1", "--out", out, "--json"
    )
    assert done.status == 0, done.err
    return out


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """The command line, run in the test's own folder."""
    return Shell(tmp_path)
