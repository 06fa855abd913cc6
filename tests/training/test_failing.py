"""What cannot be trained is told in a sentence, and leaves the model as it was."""

import re

import numpy as np
import pytest
import torch
from torch import nn

import icecore
from icecore import PretrainedModel, TransferModel
from icecore.errors import DataError, HeadError, LayerError, TrainingError, UsageError
from tests.networks import of_onnx
from tests.small import write_colours
from tests.towers import write_towers
from tests.tuning import FAST, fitted, network, orders


def test_a_loss_that_is_not_finite_is_told(saved, shell, pictures, store):
    """It names the batch, the learning rate and what to try; the saved model stays, and no checkpoint is left."""
    before = {file: file.read_bytes() for file in saved.rglob("*") if file.is_file()}
    done = shell(
        "fine-tune", saved, pictures, "--unfreeze", 2, "--learning-rate", 9.9, "--epochs", 40, "--average", 0,
        "--patience", 0, "--layer-decay", 1, "--folds", 1, "--store", store, "--weight-decay", 100,
    )  # fmt: skip
    assert done.status == 1
    found = re.search(
        r"The (loss|gradient) became (nan|inf) in batch \d+ of epoch \d+, at a learning rate of \d\.\d", done.err
    )
    assert found, done.err
    assert "Try a tenth of the learning rate, --precision float32, or fewer blocks" in done.err
    assert {file: file.read_bytes() for file in saved.rglob("*") if file.is_file()} == before
    assert not list((store / "training").rglob("*.pt"))


def test_a_network_that_overflows_is_told(tmp_path):
    """Gradients too large for float32 would change nothing, or all: it is told, and the model in memory stays."""
    X, y = orders(15)
    net = network()
    with torch.no_grad():
        net.backbone.module.blocks[2].conv1.weight.mul_(1e18)
        net.backbone.module.blocks[2].norm.weight.fill_(1e20)
    model = fitted(X, y, store=tmp_path, net=net)
    before = model.predict(X).probabilities
    with pytest.raises(TrainingError, match=r"The gradient became (nan|inf) in batch 1 of epoch 1"):
        model.fine_tune(X, y, unfreeze=1, **FAST)
    np.testing.assert_array_equal(model.predict(X).probabilities, before)


@pytest.mark.parametrize(
    ("unfreeze", "error", "says"),
    [
        (4, UsageError, "unfreeze is 4, and orders has 3 blocks. A number from 1 to 3, the name of a layer, or 'all'."),
        (0, UsageError, "unfreeze is 0. 1 or more blocks from the end, the name of a layer, or 'all'."),
        (-1, UsageError, "unfreeze is -1. 1 or more blocks"),
        (True, UsageError, "unfreeze is True. 1 or more blocks"),
        (1.5, UsageError, "unfreeze is 1.5. 1 or more blocks"),
        (None, UsageError, "unfreeze is None. 1 or more blocks"),
        ("", UsageError, "unfreeze is ''. 1 or more blocks"),
        ("blocks.7", LayerError, "blocks.7"),
        ("fc", LayerError, "fc"),
        ("last", UsageError, "unfreeze is 'last', which is no module. The path of the module"),
        ("pool", UsageError, "Nothing of orders from pool on has weights that could be trained."),
    ],
)
def test_what_cannot_be_unfrozen_is_told(tmp_path, unfreeze, error, says):
    """Too many blocks, none, no such layer, nothing to train: what came, and what would do."""
    X, y = orders(6)
    model = fitted(X, y, store=tmp_path)
    with pytest.raises(error) as told:
        model.fine_tune(X, y, unfreeze=unfreeze, **FAST)
    assert says in str(told.value)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"learing_rate": 1e-3}, "Fine-tuning has no setting 'learing_rate'."),
        ({"epoch": 3}, "Did you mean epochs?"),
        ({"epochs": 0}, "epochs is 0. 1 or more; 0 only with a contrastive phase."),
        ({"learning_rate": 0.0}, "learning_rate is 0.0. Above 0"),
        ({"layer_decay": 1.5}, "layer_decay is 1.5."),
        ({"label_smoothing": 1.0}, "label_smoothing is 1.0. From 0 to below 1."),
        ({"dropout": -0.1}, "dropout is -0.1."),
        ({"precision": "float16"}, "There is no precision 'float16'. One of auto, float32, bfloat16."),
        ({"accumulate": 0}, "accumulate is 0."),
    ],
)
def test_settings_that_cannot_be_right_are_told(tmp_path, given, says):
    """An unknown setting names the nearest; a value out of range what would do."""
    X, y = orders(6)
    with pytest.raises(UsageError) as told:
        fitted(X, y, store=tmp_path).fine_tune(X, y, **{**FAST, **given})
    assert says in str(told.value)


def of_pairs(folder):
    data = [
        (picture, f"my card {word}") for picture, word in zip(orders(4)[0], ("is", "the", "of", "a") * 2, strict=True)
    ]
    return data, f"hf:{write_towers('clip', folder)}?input=image+text"


def of_a_graph(folder):
    return orders(4)[0], of_onnx(folder)


def of_vectors(_):
    return [f"card {word}" for word in ("one", "two", "three", "four") * 2], "icecore:text-s"


@pytest.mark.parametrize("case", [of_pairs, of_a_graph, of_vectors])
def test_what_holds_no_network_is_told(tmp_path, case):
    """Pairs of an image and a text, a graph in a file, vectors of words: which networks would do is named."""
    X, net = case(tmp_path)
    model = fitted(X, [0, 1] * 4, store=tmp_path / "store", net=net, head="ridge")
    with pytest.raises(UsageError, match=r"cannot be fine-tuned: it holds no torch network .*timm:"):
        model.fine_tune(X, [0, 1] * 4, progress=False)


def test_labels_that_the_model_does_not_know_are_told_first(tmp_path):
    """Before anything is computed: a store that was never written."""
    X, y = orders(6)
    model = fitted(X, y, store=tmp_path / "store")
    with pytest.raises(DataError, match="labels of 'label' that the model does not know: green first"):
        model.fine_tune(X, ["green first"] * 12, store=tmp_path / "other", **FAST)
    assert not (tmp_path / "other").exists()


def test_images_that_keep_their_shapes_are_told(tmp_path):
    """A preprocessing that only bounds a side gives shapes of their own, which no batch can hold."""
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    net = PretrainedModel.wrap(module, preprocess={"resize": "shortest", "resize_size": 32}, name="free")
    X, y = orders(6)
    model = fitted(X, y, store=tmp_path, net=net)
    with pytest.raises(UsageError, match="leaves images in shapes of their own"):
        model.fine_tune(X, y, unfreeze="0", **FAST)


def test_a_head_that_cannot_be_fitted_again_is_told(tmp_path):
    """A loaded scikit-learn head can only predict, so there is nothing fair to compare with."""
    from sklearn.linear_model import LogisticRegression

    data = write_colours(tmp_path / "colours", 4)
    model = icecore.fit(
        data, backbone="icecore:vision-s@random", head=LogisticRegression(), repeats=1, folds=2, progress=False
    )
    loaded = TransferModel.load(model.save(tmp_path / "m"))
    with pytest.raises(HeadError, match="give the estimator again"):
        loaded.fine_tune(data, unfreeze=1, **FAST)


def test_a_model_that_was_not_fitted_is_told(tmp_path):
    """There is no head to start from."""
    with pytest.raises(UsageError, match="has not been fitted"):
        TransferModel(network(), store=tmp_path).fine_tune(*orders(3), progress=False)
