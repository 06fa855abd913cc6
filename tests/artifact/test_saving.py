"""What a saved model is on disk, and that it is the same anywhere."""

import json
import os
import shutil
import stat
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest

from icecore import TransferModel
from icecore.artifact import read_manifest
from icecore.errors import ArtifactError, BackboneError
from tests.artifact.models import fit, in_a_fresh_process
from tests.networks import counted, of_torch
from tests.small import BACKBONE


def test_the_folder_holds_json_arrays_and_a_card(saved):
    """Four files, readable as everyone's are, and not one of them a pickle or a zip of one."""
    names = ["README.md", "evidence.arrow", "head.safetensors", "manifest.json"]
    assert sorted(path.name for path in saved.iterdir()) == names
    plain = saved.parent / "plain"
    plain.write_text("", "utf-8")
    for path in saved.iterdir():
        content = path.read_bytes()
        assert not content.startswith(b"\x80")
        assert not zipfile.is_zipfile(path)
        assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_the_manifest_says_what_the_model_is(saved, fitted):
    """Backbone with the keys of its columns, classes, head, figures, data, versions; no path of this machine."""
    manifest = json.loads((saved / "manifest.json").read_text("utf-8"))
    assert manifest["schema_version"] == 1
    assert manifest["backbone"]["id"] == manifest["backbone"]["location"] == BACKBONE
    assert [column["layer"] for column in manifest["backbone"]["columns"]] == ["last"]
    assert manifest["targets"][0]["classes"] == ["blue", "green", "red"]
    assert (
        manifest["targets"][0]["metrics"]["accuracy"]["value"]
        == fitted.report.to_json()["metrics"]["accuracy"]["value"]
    )
    assert (manifest["data"]["items"], manifest["data"]["name"]) == (18, "colours")
    assert {"python", "torch", "scikit-learn"} <= set(manifest["versions"])
    assert str(saved.parent) not in json.dumps(manifest)


def test_the_model_card_tells_people(saved):
    """Classes, figures beside the baselines, where the figures come from, the licence."""
    card = (saved / "README.md").read_text("utf-8")
    assert card.startswith("---\nlibrary_name: icecore\nlicense: mit\n---\n")
    assert "Classes (3): blue, green, red." in card
    assert "| | this model | raw_input | majority_class |" in card
    assert "95 % intervals; 3 stratified folds" in card
    assert "Backbone licence: mit (icecore). Source: random weights. Not included." in card
    assert "training rows" not in card


def test_a_head_that_keeps_training_rows_says_so(colours, store, tmp_path):
    """k-NN: in the card and in the warnings of the loaded model."""
    import icecore

    model = icecore.fit(colours, backbone=BACKBONE, head="knn:k=3", store=store, folds=3, repeats=1, progress=False)
    model.save(tmp_path / "m")
    said = "The head stores features of training rows; whoever has the model has those."
    assert said in (tmp_path / "m" / "README.md").read_text("utf-8")
    assert TransferModel.load(tmp_path / "m").warnings == [said]


def test_a_fresh_process_predicts_the_same(saved, fitted, colours, tmp_path):
    """Loaded elsewhere, with an empty store, probabilities agree to 1e-6."""
    expected = fitted.predict(colours).probabilities
    np.testing.assert_allclose(in_a_fresh_process(saved, colours, cwd=tmp_path), expected, atol=1e-6)


def test_relative_paths_are_found_from_another_directory(colours, store, tmp_path, monkeypatch):
    """The id was given relative to the working folder; the model loads from elsewhere all the same."""
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    of_torch(tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    model = fit(colours, "torch:nets.py:build?weights=net.safetensors", store, out="m")
    assert model.manifest.backbone.id == "torch:nets.py:build?weights=net.safetensors"
    monkeypatch.chdir(tmp_path / "there")
    loaded = TransferModel.load("../here/m", store=store)
    np.testing.assert_allclose(loaded.predict(colours).probabilities, model.predict(colours).probabilities, atol=1e-6)


def test_with_its_backbone_it_is_whole(network, colours, store, tmp_path):
    """`--include-backbone`, for every provider: the original is deleted, and the model still predicts the same."""
    name, folder = network
    model = fit(colours, name, store, out=tmp_path / "m", include_backbone=True)
    expected = model.predict(colours).probabilities
    for weights in (*folder.glob("*.safetensors"), *folder.glob("*.json"), *folder.glob("*.md")):
        weights.unlink()
    if not name.startswith("torch:"):  # the code of a factory stays the user's
        shutil.rmtree(folder)
    assert read_manifest(tmp_path / "m").backbone.included
    assert not [path for path in (tmp_path / "m").rglob("*") if path.suffix in {".pt", ".bin", ".pkl"}]
    moved = shutil.move(tmp_path / "m", tmp_path / "moved")
    loaded = TransferModel.load(moved, store=tmp_path / "other-store")
    np.testing.assert_allclose(loaded.predict(colours).probabilities, expected, atol=1e-6)


def test_a_model_in_memory_cannot_include_its_network(colours, store, tmp_path):
    """A wrapped network cannot be built again from a name; nothing half-written is left."""
    model = fit(colours, counted(tmp_path / "log"), store)
    with pytest.raises(BackboneError, match=r"given in memory.*torch:module:function\?weights=FILE"):
        model.save(tmp_path / "new" / "m", include_backbone=True)
    assert not list((tmp_path / "new").iterdir())


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch])
def test_what_is_no_model_is_never_replaced(fitted, tmp_path, make):
    """A folder with something of the user's in it, and a file: refused, and left as they were."""
    target = tmp_path / "thesis"
    make(target)
    if target.is_dir():
        (target / "chapter.txt").write_text("years of work", "utf-8")
    with pytest.raises(ArtifactError, match=r"thesis exists and is no icecore model\. A new name, an empty folder"):
        fitted.save(target)
    assert target.is_file() or (target / "chapter.txt").read_text("utf-8") == "years of work"


def test_the_place_is_checked_before_any_work(colours, tmp_path):
    """`fit` with an --out that cannot be written computes nothing."""
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(ArtifactError, match=r"cannot be written to .*m: .*file is no folder that you may write to"):
        fit(colours, BACKBONE, tmp_path / "store", out=tmp_path / "file" / "m")
    assert not list((tmp_path / "store").rglob("*.arrow"))


def test_an_empty_folder_and_a_link_are_filled(fitted, tmp_path, monkeypatch):
    """An empty folder becomes the model, the working folder included; a link keeps pointing at it."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "empty", target_is_directory=True)
    fitted.save(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert read_manifest(tmp_path / "empty").data.items == 18
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    fitted.save(".")
    assert read_manifest(tmp_path / "work").data.items == 18


def test_a_model_is_replaced_in_one_step(fitted, saved):
    """Someone who reads while it is saved again and again always finds a whole model, and no leftovers stay."""
    missing, stop = [], threading.Event()

    def read() -> None:
        while not stop.is_set():
            try:
                read_manifest(saved)
            except ArtifactError as error:
                missing.append(str(error))

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(50):
        fitted.save(saved)
    stop.set()
    reader.join()
    assert sorted(path.name for path in saved.parent.iterdir()) == ["colours.icecore"]
    if os.name == "posix":  # elsewhere a moment passes between two renames
        assert not missing


def test_saving_twice_gives_the_same_bytes(fitted, tmp_path):
    """Nothing in the folder depends on when it was written, but when the model was made."""
    one, two = fitted.save(tmp_path / "one"), fitted.save(tmp_path / "two")
    for name in ("manifest.json", "head.safetensors", "README.md"):
        assert (one / name).read_bytes() == (two / name).read_bytes()
