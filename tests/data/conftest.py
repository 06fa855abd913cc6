from functools import cache

import pytest


@pytest.fixture(scope="session")
def photos(assets):
    """Real photographs, by path."""
    return sorted(path for path in (assets / "data" / "photos").iterdir() if path.suffix in {".jpg", ".bmp"})


@cache
def _transforms():
    """torchvision's transforms. Beside a CPU build of torch, two operators are declared before the import."""
    torch = pytest.importorskip("torch")
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name, schema in {
        "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
        "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    }.items():
        if not hasattr(torch.ops.torchvision, name):
            library.define(schema)
    return library, pytest.importorskip("torchvision.transforms")


@pytest.fixture(scope="session")
def transforms():
    return _transforms()[1]
