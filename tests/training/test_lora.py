"""Low-rank adapters: they alone are trained, are kept as themselves, and give the same when they are loaded."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from icecore import PretrainedModel, TransferModel, backbones
from icecore.artifact.changes import Change, applied, base_key
from icecore.errors import UsageError
from icecore.prefix import Cutter
from icecore.training.lora import Adapters
from tests.texts import write_network as write_texts
from tests.training.test_interrupted import StopAt, StopError
from tests.tuning import FAST, accuracy, fitted, network, orders

KEEP = {**FAST, "epochs": 3, "keep": True, "lora": 2, "patience": 0}
TEXTS = ["my card is lost", "where is my refund", "one two three four", "it is late again"]


class Encoder(nn.Module):
    """Torch's own encoder layers, which have a fast path in eval mode."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Conv2d(3, 16, 4, 4)
        self.blocks = nn.ModuleList(nn.TransformerEncoderLayer(16, 2, 32, batch_first=True) for _ in range(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x).flatten(2).transpose(1, 2)
        for block in self.blocks:
            x = block(x)
        return x.mean(1)


class PaddedBlock(nn.Module):
    """Pads by what its convolution says of itself, as MobileNetV2 of Transformers does."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        missing = self.conv.kernel_size[0] - self.conv.stride[0]
        return x + self.conv(nn.functional.pad(x, (0, missing, 0, missing)))


def padded() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 4, 4), PaddedBlock(), PaddedBlock(), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def wrapped(module: nn.Module) -> PretrainedModel:
    return PretrainedModel.wrap(module, preprocess={"resize": "exact", "resize_size": 16}, name="own")


def of(name, folder):
    """A network, and inputs of it."""
    if name in ("bert", "gpt2"):
        return backbones.load(f"hf:{write_texts(name, folder)}", device="cpu"), TEXTS
    own = {"encoder": Encoder, "padded": padded}
    net = wrapped(own[name]()) if name in own else network(blind=False)
    return net.backbone, orders(2)[0]


@pytest.mark.parametrize("name", ["convolutions", "padded", "encoder", "bert", "gpt2"])
@pytest.mark.parametrize("start", ["last", "input"])
def test_the_stored_matrices_are_the_adapters(name, start, tmp_path):
    """The network with the products added gives what the network with adapters gives; GPT-2 keeps weights transposed,
    square ones too.
    """
    backbone, samples = of(name, tmp_path)
    cutter, blocks = Cutter(backbone), [layer.name for layer in backbone.layers().values() if layer.block is not None]
    _, suffix = cutter.whole() if start == "input" else cutter.before(blocks[-1])
    adapters = Adapters(suffix, 2, seed=0)
    rng = torch.Generator().manual_seed(0)
    state = {key: torch.randn(value.shape, generator=rng) / 10 for key, value in adapters.state().items()}
    adapters.load_state(state)
    batch = [backbone.prepare(sample) for sample in samples]
    prefix = cutter.prefix([suffix.place])
    boundary = prefix.live(suffix.place.at, batch)
    suffix.eval()
    with torch.no_grad():
        ours = suffix(boundary, backbone.stack(batch))
    before = backbone.run(batch, ["last"], lambda _, value: value)["last"]
    change = Change("lora.v1", state, base_key(backbone), (blocks[-1],), adapters.scale)
    after = applied(backbone, [change]).run(batch, ["last"], lambda _, value: value)["last"]
    torch.testing.assert_close(ours, after, atol=1e-5, rtol=1e-4)
    assert float((after - before).abs().max()) > 1e-2


def test_only_adapters_are_kept(model, pictures, new, tmp_path):
    """The artifact has two matrices for each convolution of the block, and predicts the same when it is loaded."""
    before = {name: value.clone() for name, value in model.net.backbone.module.state_dict().items()}
    report = model.fine_tune(pictures, unfreeze=1, **{**KEEP, "epochs": 8})
    assert report.epochs
    saved = model.save(tmp_path / "m")
    (said,) = json.loads((saved / "manifest.json").read_text("utf-8"))["changes"]
    assert (said["kind"], said["scale"]) == ("lora.v1", 16.0)
    kept = load_file(saved / "changes" / said["file"])
    assert {name: tuple(value.shape) for name, value in kept.items()} == {
        "blocks.2.conv1.lora_A": (2, 108), "blocks.2.conv1.lora_B": (12, 2),
        "blocks.2.conv2.lora_A": (2, 108), "blocks.2.conv2.lora_B": (12, 2),
    }  # fmt: skip
    after = model.net.backbone.module.state_dict()
    moved = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert moved == {"blocks.2.conv1.weight", "blocks.2.conv2.weight"}
    assert set(report.log[0].learning_rates) == {"blocks.2", "head"}
    loaded = TransferModel.load(saved, store=tmp_path / "store")
    np.testing.assert_allclose(loaded.predict(new).probabilities, model.predict(new).probabilities, atol=1e-5)


def test_adapters_learn(tmp_path):
    """Classes that the frozen features cannot tell are told, with the whole network adapted."""
    X, y = orders(60)
    model = fitted(X, y, store=tmp_path / "store", net=network())
    report = model.fine_tune(X, y, **{**FAST, "unfreeze": "all", "lora": 4, "epochs": 12})
    assert report.adopted
    assert accuracy(report)[0] > 0.9


def test_every_fold_begins_anew(tmp_path):
    """What is trained on all rows in the end does not depend on the folds before."""
    X, y = orders(15)
    weights = []
    for folds in (2, 3):
        model = fitted(X, y, store=tmp_path / "store", net=network())
        model.fine_tune(X, y, unfreeze=1, **{**KEEP, "folds": folds})
        weights.append(model.net.backbone.module.state_dict())
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())


def test_gradual_goes_on_with_the_adapters_of_the_block_above(tmp_path):
    """The cut moves down; one pair of matrices for each layer of both blocks comes out. Interrupted, it goes on."""
    X, y = orders(15)
    options = {**KEEP, "unfreeze": 2, "gradual": True, "epochs": 4}
    whole, broken = (fitted(X, y, store=tmp_path / name, net=network(blind=False)) for name in ("a", "b"))
    report = whole.fine_tune(X, y, **options)
    assert [sorted(epoch.learning_rates) for epoch in report.log][1:3] == [
        ["blocks.2", "head"],
        ["blocks.1", "blocks.2", "head"],
    ]
    told = StopAt("epoch 2 of 2 (")
    with pytest.raises(StopError):
        broken.fine_tune(X, y, **{**options, "progress": told})
    broken.fine_tune(X, y, **options)
    np.testing.assert_allclose(broken.predict(X).probabilities, whole.predict(X).probabilities, atol=1e-5)


def test_it_can_be_tuned_again(model, pictures, new, tmp_path):
    """Adapters first and then weights: both changes are kept in order, over the same network."""
    for options in ({"unfreeze": 1, "epochs": 8}, {"unfreeze": 2, "lora": 0}, {"unfreeze": "all", "lora": 3}):
        before = model.predict(new).probabilities
        model.fine_tune(pictures, **{**KEEP, **options})
        assert np.abs(model.predict(new).probabilities - before).max() > 1e-3
    saved = model.save(tmp_path / "m")
    said = json.loads((saved / "manifest.json").read_text("utf-8"))["changes"]
    assert [change["kind"] for change in said] == ["lora.v1", "weights.v1", "lora.v1"]
    loaded = TransferModel.load(saved, store=tmp_path / "store")
    np.testing.assert_allclose(loaded.predict(new).probabilities, model.predict(new).probabilities, atol=1e-5)


def test_a_network_without_layers_to_adapt_is_told(tmp_path):
    """Where all that is unfrozen is a convolution by channel."""
    own = nn.Sequential(nn.Conv2d(3, 6, 4, 4), nn.Conv2d(6, 6, 3, groups=6), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    net = PretrainedModel.wrap(own, preprocess={"resize": "exact", "resize_size": 16}, name="channels")
    X, y = orders(10)
    model = fitted(X, y, store=tmp_path, net=net)
    with pytest.raises(UsageError, match="Behind 0 there is no linear layer and no plain convolution for LoRA"):
        model.fine_tune(X, y, unfreeze="1", **KEEP)


def test_norms_cannot_follow_the_batches(model, pictures):
    """Their statistics would be no adapters."""
    with pytest.raises(UsageError, match="With lora, adapters are trained and no normalisation layers"):
        model.fine_tune(pictures, train_norm=True, **KEEP)


def test_the_command_takes_a_rank(saved, pictures, shell):
    """`--lora 2`."""
    words = ["--unfreeze", 1, "--lora", 2, "--epochs", 2, "--keep", "--folds", 1, "--json"]
    assert shell("fine-tune", saved, pictures, *words).json["adopted"]
    said = json.loads((saved / "manifest.json").read_text("utf-8"))["changes"]
    assert [change["kind"] for change in said] == ["lora.v1"]
