"""Training the part of a network above a cut: equal to a plain loop, and the rest stays as it is."""

import copy

import pytest
import torch
from torch import nn

from icecore.prefix import cut
from tests.prefix.cuts import difference, inputs, marked, replayed, trains_alike, whole

TRAINED = {
    "resnet18": ("layer3", ["layer4"]),
    "mobilenetv2": ("blocks.5", ["blocks.6", "conv_head", "bn2"]),
    "efficientnet": ("blocks.5", ["blocks.6", "conv_head", "bn2"]),
    "convnext": ("stages.3.blocks.1", ["stages.3.blocks.2", "head.norm"]),
    "vit": ("blocks.10", ["blocks.11", "norm"]),
    "swin": ("layers.3.blocks.0", ["layers.3.blocks.1", "norm"]),
    "vgg16": ("block5_pool", ["fc1", "fc2"]),
    "distilbert": ("transformer.layer.1", ["transformer.layer.2"]),
    "bert": ("encoder.layer.1", ["encoder.layer.2", "pooler"]),
    "gpt2": ("h.1", ["h.2", "ln_f"]),
    "wav2vec2": ("encoder.layers.2", ["encoder.layers.3"]),
    "wav2vec2-layer": ("encoder.layers.2", ["encoder.layers.3", "encoder.layer_norm"]),
    "t5": ("encoder.block.1", ["encoder.block.2", "encoder.final_layer_norm"]),
    "albert": ("embeddings", ["encoder", "pooler"]),
}


@pytest.mark.parametrize("name", [marked(name) for name in TRAINED])
def test_ten_steps_from_the_stored_boundary_are_ten_steps_of_a_plain_loop(net, name):
    """Plain SGD, dropout off, the same part frozen: every weight after them is the same to 1e-4."""
    assert trains_alike(net(name), *TRAINED[name], rate=0.02) <= 1e-4


def test_what_is_frozen_stays_and_is_shared(net):
    """Training changes nothing of the network that was cut: features, digest; below the cut there is one memory."""
    backbone = net("resnet18")
    batch = inputs(backbone, 5)
    features, digest = whole(backbone, batch), backbone.weights_digest("last")
    prefix, suffix = cut(backbone, "layer3")
    own, theirs = dict(suffix.network.named_parameters()), dict(backbone.module.named_parameters())
    assert {name for name in own if own[name] is theirs[name]} == theirs.keys() - suffix.trainable.keys()
    suffix.train()
    frozen = {name: value.clone() for name, value in suffix.network.state_dict().items() if "layer4" not in name}
    rows = prefix.rows(batch)
    _steps(suffix, lambda: replayed(prefix, suffix, batch, rows).square().mean())
    assert torch.equal(whole(backbone, batch), features)
    assert backbone.weights_digest("last") == digest
    after = suffix.network.state_dict()
    assert all(torch.equal(after[name], value) for name, value in frozen.items())
    with torch.no_grad():
        assert difference(replayed(prefix, suffix.eval(), batch, rows), features) > 1e-2


def test_modules_before_the_cut_stay_in_eval_mode(net):
    """Dropout and batch statistics are on above the cut alone, and off again with `eval`."""
    _, suffix = cut(net("resnet18"), "layer3.0")
    modes = {name: part.training for name, part in suffix.train().network.named_modules()}
    assert {name for name, on in modes.items() if on} == set(suffix.modules_after())
    assert {name.partition(".")[0] for name, on in modes.items() if on} == {"layer3", "layer4", "global_pool"}
    assert not modes["layer3"]  # it began before the cut
    assert all(isinstance(part, nn.BatchNorm2d) and part.training for part in suffix.norms())
    assert len(suffix.norms()) == 2 + 5
    assert not any(part.training for part in suffix.eval().modules())


def test_batch_statistics_above_the_cut_are_its_own(net):
    """In training mode they follow the data; those of the network that was cut do not."""
    backbone = net("resnet18")
    prefix, suffix = cut(backbone, "layer3")
    before = copy.deepcopy(backbone.module.state_dict())
    with torch.no_grad():
        replayed(prefix, suffix.train(), inputs(backbone))
    mean = "layer4.0.bn1.running_mean"
    assert not torch.equal(suffix.state()[mean], before[mean])
    assert all(torch.equal(value, before[name]) for name, value in backbone.module.state_dict().items())


def test_the_state_goes_to_another_suffix(net):
    """`state` is a copy on the CPU of what is above the cut; `load_state` brings it back."""
    backbone = net("vit")
    prefix, suffix = cut(backbone, "blocks.9")
    batch = inputs(backbone, 6)
    first = suffix.state()
    _steps(suffix, lambda: replayed(prefix, suffix, batch).square().mean())
    second, (_, other) = suffix.state(), cut(backbone, "blocks.9")
    assert {name.rpartition(".norm")[0] or name for name in second} >= {"blocks.10", "blocks.11"}
    assert not any(name.startswith(("blocks.9", "head", "pos_embed")) for name in second)
    with torch.no_grad():
        tuned = replayed(prefix, suffix, batch)
        other.load_state(second)
        assert torch.equal(replayed(prefix, other, batch), tuned)
        suffix.load_state(first)
        assert difference(replayed(prefix, suffix, batch), whole(backbone, batch)) <= 1e-5
    assert all(torch.equal(value, suffix.state()[name]) for name, value in first.items())


def test_a_deep_copy_is_trained_by_itself(net):
    """Moving averages of weights copy modules: the copy replays its own boundary through its own weights."""
    backbone = net("resnet18")
    prefix, suffix = cut(backbone, "layer3.1")
    other = copy.deepcopy(suffix)
    one, two = inputs(backbone, 7), inputs(backbone, 8)
    with torch.no_grad():
        replayed(prefix, suffix, one)
        assert difference(replayed(prefix, other, two), whole(backbone, two)) <= 1e-5
    _steps(other, lambda: replayed(prefix, other, two).square().mean())
    with torch.no_grad():
        assert difference(replayed(prefix, suffix, one), whole(backbone, one)) <= 1e-5
        assert difference(replayed(prefix, other, one), whole(backbone, one)) > 1e-3
    weights = dict(other.network.named_parameters())
    assert all(weights[name] is value for name, value in other.trainable.items())
    assert weights["conv1.weight"] is backbone.module.get_parameter("conv1.weight")


def test_a_boundary_is_not_written_to(net):
    """Activations that work in place would overwrite what was read from the store."""
    backbone = net("resnet18")
    prefix, suffix = cut(backbone, "bn1")  # an activation in place follows
    batch = inputs(backbone)
    boundary = prefix.live("bn1", batch)
    kept = boundary.clone()
    thin = backbone.stack_thin([backbone.thin(item) for item in batch])
    with torch.no_grad():
        first, again = suffix(boundary, thin), suffix(boundary, thin)
    assert torch.equal(boundary, kept)
    assert torch.equal(first, again)
    assert float(kept.min()) < 0


def test_a_module_that_runs_below_and_above_is_not_trained(net):
    """ALBERT runs one layer again and again: above its last call there is the pooler alone."""
    _, suffix = cut(net("albert"), "encoder.albert_layer_groups.0.albert_layers.0")
    assert set(suffix.trainable) == {"pooler.weight", "pooler.bias"}


def test_the_network_may_be_left_in_training_mode(net):
    """Nothing below the cut follows it: neither its statistics nor its dropout."""
    backbone = net("resnet18")
    before = copy.deepcopy(backbone.module.state_dict())
    backbone.module.train()
    prefix, suffix = cut(backbone, "layer3")
    batch = inputs(backbone, 9)
    with torch.no_grad():
        assert difference(replayed(prefix, suffix, batch), whole(backbone, batch)) <= 1e-5
    assert all(torch.equal(value, before[name]) for name, value in backbone.module.state_dict().items())


def test_little_is_kept_for_each_length(net):
    """Of nearly every batch of sounds the length is new: shapes are noted of what runs below the cut, outermost."""
    backbone = net("wav2vec2-layer")
    _, suffix = cut(backbone, "encoder.layers.2")
    found = suffix.outlines(backbone.stack(inputs(backbone, 3)))
    assert {path for path, _ in found} <= {
        *("feature_extractor", "feature_projection", "encoder.pos_conv_embed", "encoder.dropout"),
        *(f"encoder.layers.{i}" for i in range(3)),
    }


def _steps(suffix, loss, steps=3):
    optimiser = torch.optim.SGD(suffix.trainable.values(), 0.05)
    for _ in range(steps):
        optimiser.zero_grad()
        loss().backward()
        optimiser.step()
