"""Pictures and a store that the tests of this room share; none of them writes to the pictures."""

from pathlib import Path

import pytest

from tests.small import write_colours


@pytest.fixture(scope="session")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders blue, green, red with eight pictures each."""
    return write_colours(tmp_path_factory.mktemp("colours") / "colours")


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store for tests that do not look at what is computed."""
    return tmp_path_factory.mktemp("store")
