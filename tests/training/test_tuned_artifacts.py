"""The saved form of a tuned model: only what changed, over the same network, as good as in memory."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import icecore
from icecore import TransferModel
from icecore.errors import ArtifactError, FingerprintError
from tests.small import write_colours
from tests.tuning import FAST, fitted, network, write_network

KEEP = {**FAST, "epochs": 2, "keep": True}


@pytest.fixture
def tuned(model, pictures, tmp_path) -> Path:
    """A model whose last block was tuned, saved."""
    model.fine_tune(pictures, unfreeze=1, **KEEP)
    return model.save(tmp_path / "tuned.icecore")


def changes(folder: Path) -> list[dict[str, torch.Tensor]]:
    return [load_file(file) for file in sorted((folder / "changes").iterdir())]


def manifest(folder: Path) -> dict:
    return json.loads((folder / "manifest.json").read_text("utf-8"))


def test_only_what_changed_is_kept(tuned):
    """The weights of the tuned block and no others; the statistics of its norm were kept, and are not there."""
    (kept,) = changes(tuned)
    assert set(kept) == {
        f"blocks.2.{part}.{kind}" for part in ("conv1", "norm", "conv2") for kind in ("weight", "bias")
    }
    (said,) = manifest(tuned)["changes"]
    assert (said["file"], said["kind"], said["unfrozen"]) == ("000.safetensors", "weights.v1", ["blocks.2"])
    assert [epoch["number"] for epoch in said["log"]] == [1, 2]
    assert manifest(tuned)["schema_version"] == 2


def test_norms_that_follow_are_kept_with_their_statistics(model, pictures, tmp_path):
    """With `train_norm` the buffers of the block's norm are among the changes."""
    model.fine_tune(pictures, unfreeze=1, train_norm=True, **KEEP)
    (kept,) = changes(model.save(tmp_path / "m"))
    norm = {f"blocks.2.norm.{name}" for name in ("weight", "bias", "running_mean", "running_var")}
    assert norm <= set(kept)
    assert not [name for name in kept if not name.startswith("blocks.2.")]


def test_loaded_it_predicts_the_same(model, tuned, new):
    """What was saved predicts what was tuned, to 1e-5."""
    loaded = TransferModel.load(tuned, store=tuned.parent / "other-store")
    np.testing.assert_allclose(loaded.predict(new).probabilities, model.predict(new).probabilities, atol=1e-5)


def test_the_network_itself_is_as_it_was(model, pictures, weights):
    """Tuning leaves the weights that the model was loaded with alone: what is frozen is shared, the rest copied."""
    base = model.net.backbone
    before = {name: value.clone() for name, value in base.module.state_dict().items()}
    model.fine_tune(pictures, unfreeze=1, **KEEP)
    now, after = base.module.state_dict(), model.net.backbone.module.state_dict()
    assert all(torch.equal(now[name], before[name]) for name in before)
    assert [name for name in before if not torch.equal(after[name], before[name])]
    assert after["stem.weight"].data_ptr() == now["stem.weight"].data_ptr()
    assert not [name for name, value in base.module.named_parameters() if value.requires_grad]


def test_with_the_network_inside_it_is_whole_anywhere(model, tmp_path, new, pictures):
    """--include-backbone: moved elsewhere, with the original weights gone, it predicts the same."""
    folder = tmp_path / "network"
    model = fitted(pictures, store=tmp_path / "store", net=write_network(folder))
    model.fine_tune(pictures, unfreeze=1, **KEEP)
    expected = model.predict(new).probabilities
    saved = model.save(tmp_path / "m", include_backbone=True)
    (folder / "orders.safetensors").unlink()
    moved = Path(shutil.move(saved, tmp_path / "elsewhere"))
    loaded = TransferModel.load(moved, store=tmp_path / "other-store")
    np.testing.assert_allclose(loaded.predict(new).probabilities, expected, atol=1e-5)


def test_a_model_that_holds_its_network_keeps_it(model, tmp_path, new, pictures):
    """Fine-tuned in its place, it is still whole: the network would be lost otherwise."""
    folder = tmp_path / "network"
    saved = fitted(pictures, store=tmp_path / "store", net=write_network(folder)).save(
        tmp_path / "m", include_backbone=True
    )
    (folder / "orders.safetensors").unlink()
    assert icecore.fine_tune(saved, pictures, unfreeze=1, store=tmp_path / "store", **KEEP).adopted
    assert manifest(saved)["backbone"]["included"]
    assert len(TransferModel.load(saved).predict(new)) == 40


def test_without_its_network_it_does_not_claim_to_hold_it(model, tmp_path):
    """Loaded from a whole folder and saved without the network, the manifest says so."""
    model.save(tmp_path / "whole", include_backbone=True)
    again = TransferModel.load(tmp_path / "whole").save(tmp_path / "part")
    assert not manifest(again)["backbone"]["included"]
    assert len(TransferModel.load(again).manifest.targets) == 1


@pytest.mark.parametrize("part", ["stem.weight", "blocks.2.conv1.weight"])
def test_another_network_is_refused(tuned, tmp_path, weights, part):
    """A weight that differs, below the cut or above, is another network."""
    from safetensors.torch import save_file

    other = tmp_path / "other"
    name = write_network(other)
    values = load_file(other / "orders.safetensors")
    values[part] += 0.1
    save_file(values, other / "orders.safetensors")
    with pytest.raises(FingerprintError, match=r"is not the network that .* was fine-tuned from"):
        TransferModel.load(tuned, backbone=name)


@pytest.mark.parametrize("damage", [lambda file: file.unlink(), lambda file: file.write_bytes(file.read_bytes()[:-4])])
def test_damaged_changes_are_refused(tuned, damage):
    """A file of changes that is gone or cut off is an ArtifactError that names it."""
    damage(tuned / "changes" / "000.safetensors")
    with pytest.raises(ArtifactError, match=r"000\.safetensors cannot be used"):
        TransferModel.load(tuned)


def test_a_tuned_model_is_tuned_again(tuned, new, pictures, tmp_path):
    """Two changes, applied in order; the second may go deeper than the first."""
    again = TransferModel.load(tuned)
    once = again.predict(new).probabilities
    again.fine_tune(pictures, unfreeze=2, **{**KEEP, "seed": 1})
    twice = again.predict(new).probabilities
    assert np.abs(once - twice).max() > 1e-3
    again.save(tuned)
    first, second = changes(tuned)
    assert {name[:8] for name in first} == {"blocks.2"}
    assert {name[:8] for name in second} == {"blocks.1", "blocks.2"}
    loaded = TransferModel.load(tuned, store=tmp_path / "other-store")
    np.testing.assert_allclose(loaded.predict(new).probabilities, twice, atol=1e-5)


def test_a_tuned_model_is_fitted_again(tuned, new, pictures, tmp_path):
    """New heads on the tuned network: the changes go with it when it is saved, also through `net`."""
    loaded = TransferModel.load(tuned)
    expected = []
    for number, again in enumerate((loaded, TransferModel(loaded.net, head="ridge"))):
        again.head, again.layers = "ridge", "last"
        again.fit(pictures, folds=2, repeats=1, progress=False).save(tmp_path / f"{number}")
        expected.append(again.predict(new).probabilities)
        assert len(changes(tmp_path / f"{number}")) == 1
        found = TransferModel.load(tmp_path / f"{number}", store=tmp_path / "other-store").predict(new).probabilities
        np.testing.assert_allclose(found, expected[-1], atol=1e-5)


def test_an_untuned_model_is_written_as_before(saved):
    """Schema 1, without a folder of changes, so that earlier versions read it."""
    assert manifest(saved)["schema_version"] == 1
    assert not (saved / "changes").exists()


def test_an_old_model_is_tuned(tmp_path):
    """A model of schema 1 from an earlier version loads, is tuned and becomes one of schema 2."""
    model = TransferModel.load(Path(__file__).parents[1] / "old_artifacts" / "v1" / "colours")
    data = write_colours(tmp_path / "colours", 4)
    assert model.fine_tune(data, unfreeze=1, epochs=1, keep=True, folds=1, progress=False).adopted
    assert manifest(model.save(tmp_path / "m"))["schema_version"] == 2
    assert TransferModel.load(tmp_path / "m").predict(data)[0].label == "blue"


def test_card_and_inspect_say_what_was_tuned(tuned, shell):
    """The model card and `inspect` name the blocks."""
    card = (tuned / "README.md").read_text("utf-8")
    assert "A small model on fine-tuned features of" in card
    assert "Fine-tuned: `blocks.2` and what follows, 2 epochs, in `changes/000.safetensors`." in card
    assert "| | this model | frozen model |" in card
    shown = shell("inspect", tuned)
    assert "fine-tuned: blocks.2 and what follows, 2 epochs" in shown.out
    assert shell("inspect", tuned, "--json").json["manifest"]["changes"][0]["unfrozen"] == ["blocks.2"]


def test_columns_below_the_cut_are_shared_with_the_parent(tmp_path, pictures):
    """What the store holds of layers below the cut serves the tuned network too; only what was tuned is computed."""
    model = fitted(pictures, store=tmp_path / "store", net=network())
    options = {"pooling": "mean", "store": tmp_path / "store", "progress": False}
    below = model.net.extract_features(pictures, layers=["blocks.1"], **options)
    model.fine_tune(pictures, unfreeze=1, **KEEP)
    shared = model.net.extract_features(pictures, layers=["blocks.1"], **options)
    assert (below.report.computed, shared.report.computed, shared.report.reused) == (80, 0, 80)
    assert model.net.extract_features(pictures, layers=["blocks.2"], **options).report.computed == 80


def test_a_model_on_inner_layers_is_tuned_saved_and_predicts(tmp_path):
    """What read blocks reads `last` when tuned, which is a vector in the bundled network: it predicts, loaded too."""
    pictures = write_colours(tmp_path / "pictures", 4)
    model = TransferModel("icecore:vision-s@random", head="ridge", layers=[0, 1], store=tmp_path / "store")
    model.fit(pictures, folds=2, repeats=1, progress=False)
    model.fine_tune(pictures, unfreeze=1, folds=1, epochs=1, keep=True, progress=False)
    (column,) = model.manifest.backbone.columns
    assert (column.layer, column.pooling) == ("last", "none")
    before = model.predict(pictures).probabilities
    loaded = TransferModel.load(model.save(tmp_path / "m"), store=tmp_path / "other")
    np.testing.assert_allclose(loaded.predict(pictures).probabilities, before, atol=1e-5)
