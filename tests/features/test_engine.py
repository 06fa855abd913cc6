"""Which engine computes the missing rows: measured on the user's own inputs, remembered, and no part of any key."""

import json
from pathlib import Path

import numpy as np
import pytest

from icecore import PretrainedModel, TransferModel
from icecore.data import read
from icecore.errors import UsageError
from icecore.features import Terminal, extract
from icecore.prefix import Column
from icecore.prefix.engines import choosing
from icecore.store import Store
from tests.features.photos import write_photos

pytest.importorskip("openvino")

NET = "timm:resnet18@random"
PREPROCESS = {"resize": "exact", "resize_size": 32}


def extracted(folder, store, *, layers="last", items=None, progress=False, **how):
    net = PretrainedModel.load(NET, preprocess=PREPROCESS, device="cpu", **how)
    return net.extract_features(items or folder, layers=layers, store=store, progress=progress)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    write_photos(tmp_path / "photos", range(70))
    return tmp_path / "photos"


@pytest.fixture
def _much(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is left is worth a trial."""
    monkeypatch.setattr(choosing, "_COMPILING", dict.fromkeys(choosing._COMPILING, 0.0))
    monkeypatch.setattr(choosing, "installed", lambda *_: ["openvino"])


def test_little_work_is_done_by_the_eager_engine(photos, tmp_path):
    """A few photographs are computed before another engine would be made; nothing is said and nothing remembered."""
    features = extracted(photos, tmp_path / "store")
    assert features.report.computed == 70
    assert features.report.engines == ()
    assert not (tmp_path / "store" / ".engines").exists()


def test_an_engine_has_to_pay_for_what_is_to_come_too(photos, tmp_path):
    """The same few photographs are worth a trial where a million more of them will be asked for soon."""
    backbone = PretrainedModel.load(NET, preprocess=PREPROCESS, device="cpu").backbone
    column = Column("last", "none")
    features = extract(backbone, read(photos), [column], store=Store(tmp_path / "store"), ahead=1_000_000)
    assert features.report.computed == 70
    assert "items a second on this machine:" in features.report.engines[0]


@pytest.mark.usefixtures("_much")
def test_what_is_chosen_is_said_and_remembered(photos, tmp_path, capsys):
    """The first run tries the engines and says why it took which; the second one, of other items, tries nothing."""
    store = tmp_path / "store"
    first = extracted(photos, store, progress=Terminal())
    (why,) = first.report.engines
    assert "items a second on this machine:" in why
    assert f"Engine: {why}" in capsys.readouterr().err
    (file,) = (store / ".engines").glob("*.json")
    verdict = json.loads(file.read_text())
    assert set(verdict["seconds"]) == {"eager", "openvino"}
    verdict["seconds"] |= {"eager": 1.0, "openvino": 1e-9}
    verdict["compiling"]["openvino"] = 0.0
    file.write_text(json.dumps(verdict))
    write_photos(tmp_path / "more", range(70, 80))
    second = extracted(tmp_path / "more", store, progress=Terminal())
    assert second.report.computed == 10
    assert second.report.engines[0].startswith("openvino")
    assert "trying engines" not in capsys.readouterr().err


def test_the_engine_is_no_part_of_the_key(photos, tmp_path):
    """What one engine computed the other finds, and nothing is computed to make sure: it was when it was written."""
    store = tmp_path / "store"
    first = extracted(photos, store, engine="openvino", layers=["last", "input"])
    second = extracted(photos, store, engine="eager", layers=["last", "input"])
    assert (second.report.computed, second.report.reused) == (0, 70)
    np.testing.assert_array_equal(first.matrix("last"), second.matrix("last"))


def test_the_precision_is_part_of_the_key(photos, tmp_path):
    """Features in bfloat16 are others, take half the room, and come back as float32."""
    store = tmp_path / "store"
    full = extracted(photos, store, engine="openvino")
    half = extracted(photos, store, engine="openvino", precision="bfloat16")
    assert (full.report.computed, half.report.computed) == (70, 70)
    a, b = full.matrix(), half.matrix()
    assert b.dtype == np.float32
    assert not np.array_equal(a, b)
    cosines = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    assert cosines.min() > 0.999
    sizes = {table.about["precision"]: table.bytes for table in Store(store).tables()}
    assert sizes["bfloat16"] < 0.6 * sizes["float32"]


def test_a_model_keeps_its_precision(photos, tmp_path):
    """Saved and loaded, it predicts in the precision that it was fitted in."""
    labels = [("even", "odd")[int(path.stem) % 2] for path in sorted(photos.iterdir())]
    net = PretrainedModel.load("icecore:vision-s@random", precision="bfloat16", device="cpu")
    model = TransferModel(net, head="ridge", store=tmp_path / "store")
    model.fit(sorted(map(str, photos.iterdir())), labels, progress=False)
    model.save(tmp_path / "m")
    assert json.loads((tmp_path / "m" / "manifest.json").read_text())["backbone"]["precision"] == "bfloat16"
    again = TransferModel.load(tmp_path / "m", store=tmp_path / "store", engine="eager", device="cpu")
    assert again.net.backbone.precision == "bfloat16"
    files = sorted(map(str, photos.iterdir()))
    expected = model.predict(files, progress=False).labels.tolist()
    assert again.predict(files, progress=False).labels.tolist() == expected


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"engine": "fast"}, "There is no engine 'fast'"),
        ({"precision": "float8"}, "There is no precision 'float8'. Known are float32 and bfloat16"),
    ],
)
def test_what_there_is_not(how, said):
    """Unknown names are answered before anything is loaded or computed."""
    with pytest.raises(UsageError, match=said):
        PretrainedModel.load(NET, **how)


def test_graphs_in_files_run_as_they_are():
    """A word table has no engine to choose and no precision to lower: it is said, not ignored."""
    with pytest.raises(UsageError, match="is no torch network: it runs as its own engine does"):
        PretrainedModel.load("icecore:text-s", precision="bfloat16")
