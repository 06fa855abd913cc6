import importlib

import pytest

from icecore.backbones.torchvision_ops import ensure_torchvision_imports


@pytest.fixture(scope="session")
def photos(assets):
    """Real photographs, by path."""
    return sorted(path for path in (assets / "data" / "photos").iterdir() if path.suffix in {".jpg", ".bmp"})


@pytest.fixture(scope="session")
def transforms():
    """torchvision's transforms, to compare with."""
    ensure_torchvision_imports()
    return importlib.import_module("torchvision.transforms")
