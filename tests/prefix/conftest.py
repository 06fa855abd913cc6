"""Networks to cut, loaded once."""

from collections.abc import Callable

import pytest

from icecore.backbones import TorchBackbone
from tests.prefix.cuts import network


@pytest.fixture(scope="session")
def net(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], TorchBackbone]:
    """By the names of `tests.prefix.cuts`, seeded random networks."""
    home, kept = tmp_path_factory.mktemp("cut"), dict[str, TorchBackbone]()

    def named(name: str) -> TorchBackbone:
        if name not in kept:
            kept[name] = network(name, home)
        return kept[name]

    return named
