"""Pictures, a store and a frozen model that the tests of this room share."""

from pathlib import Path

import pytest

from icecore import TransferModel
from tests.cli.shell import Shell
from tests.tuning import fitted, write_network, write_orders


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders of both orders, 40 pictures each."""
    return write_orders(tmp_path_factory.mktemp("orders") / "orders", 40)


@pytest.fixture(scope="session")
def new(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Others, 20 each."""
    return write_orders(tmp_path_factory.mktemp("new") / "new", 20, seed=1)


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store for tests that do not look at what is computed."""
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The id of the network of `tests.tuning`, for models that are saved."""
    return write_network(tmp_path_factory.mktemp("network"))


@pytest.fixture
def model(pictures: Path, store: Path, weights: str) -> TransferModel:
    """A frozen model of the test's own."""
    return fitted(pictures, store=store, net=weights)


@pytest.fixture
def saved(model: TransferModel, tmp_path: Path) -> Path:
    """It, saved."""
    return model.save(tmp_path / "orders.icecore")


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """The command line, run in the test's own folder."""
    return Shell(tmp_path)
