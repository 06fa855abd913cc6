"""Networks of every provider, written to a folder that a test may delete, and models that were fitted on them."""

from pathlib import Path

import pytest

from icecore import TransferModel
from tests.artifact.models import fit
from tests.networks import PROVIDERS
from tests.small import BACKBONE, write_colours


@pytest.fixture(scope="session")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders blue, green, red with six pictures each."""
    return write_colours(tmp_path_factory.mktemp("colours") / "colours", 6)


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store for tests that do not look at what is computed."""
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="session")
def fitted(colours: Path, store: Path) -> TransferModel:
    """A model on the bundled network. Not to be changed."""
    return fit(colours, BACKBONE, store)


@pytest.fixture
def saved(fitted: TransferModel, tmp_path: Path) -> Path:
    """It, saved to a folder of the test's own."""
    return fitted.save(tmp_path / "colours.icecore")


@pytest.fixture(params=sorted(PROVIDERS))
def network(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    """An id of each provider, and the folder that holds what it needs."""
    folder = tmp_path / "network"
    folder.mkdir()
    return PROVIDERS[request.param](folder), folder
