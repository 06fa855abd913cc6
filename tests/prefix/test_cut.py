"""Cutting networks: a replay from stored rows is the full forward, or the cut is refused."""

import pytest
import torch

from icecore.backbones import load
from icecore.data import ImagePreprocessing
from icecore.errors import LayerError
from icecore.prefix import Cutter, Place, blocks, cut
from tests.prefix.cuts import WINDOWS, cuts_hold, difference, features, inputs, marked, replayed, whole

PLACES = {
    "resnet18": ["conv1", "maxpool", "layer1.0", "layer2.1", "layer3.1", "layer4.0", "layer4.1", "global_pool"],
    "mobilenetv2": ["conv_stem", "blocks.0", "blocks.2.1", "blocks.5.1", "blocks.5.2", "blocks.6"],
    "efficientnet": ["conv_stem", "blocks.0", "blocks.2.1", "blocks.5.2", "blocks.5.3", "blocks.6"],
    "convnext": ["stem", "stages.0.blocks.1", "stages.2.blocks.4", "stages.3.blocks.0", "stages.3.blocks.1"],
    "vit": ["patch_embed", "blocks.0", "blocks.5", "blocks.9", "blocks.10", "blocks.11", "norm"],
    "swin": ["patch_embed", "layers.0.blocks.1", "layers.2.blocks.3", "layers.2.blocks.5", "layers.3.blocks.0"],
    "vgg16": ["block1_conv1", "block3_pool", "block5_conv2", "block5_pool", "fc1", "fc2"],
    "distilbert": ["embeddings", "transformer.layer.0", "transformer.layer.1", "transformer.layer.2"],
    "bert": ["embeddings.word_embeddings", "embeddings", *(f"encoder.layer.{i}" for i in range(3))],
    "gpt2": ["wte", "drop", "h.0", "h.1", "h.2"],
    "wav2vec2": ["feature_extractor", "feature_projection", *(f"encoder.layers.{i}" for i in range(4))],
    "wav2vec2-layer": ["feature_extractor", "feature_projection", *(f"encoder.layers.{i}" for i in range(4))],
}
LONG = [f"{name}{WINDOWS}" for name in ("distilbert", "bert", "gpt2")]
CROSSING = {
    "t5": ["encoder.embed_tokens", "encoder.block.0", "encoder.block.1", "encoder.block.2"],
    "wavlm": [f"encoder.layers.{i}" for i in range(4)],
    "llama": ["embed_tokens", "layers.0", "layers.1", "layers.2"],
    "albert": ["embeddings", "encoder.albert_layer_groups.0.albert_layers.0"],
    "deberta": ["embeddings", "encoder.layer.0", "encoder.layer.1"],
    "mpnet": ["embeddings", "encoder.layer.0", "encoder.layer.1"],
    "sentence": ["transformer.embeddings", "transformer.encoder.layer.1"],
    "bert-classes": ["bert.encoder.layer.0", "bert.encoder.layer.2"],
}


@pytest.mark.parametrize("name", [*(marked(name) for name in PLACES), *LONG])
def test_a_replay_from_every_cut_is_the_full_forward(net, name):
    """To 1e-5, from rows as the store keeps them, on inputs of mixed lengths, in several windows too."""
    cuts_hold(net(name), PLACES[name.partition("?")[0]])


@pytest.mark.parametrize("name", [*CROSSING, *(f"{name}{WINDOWS}" for name in ("t5", "llama", "deberta", "mpnet"))])
def test_positions_masks_and_repeated_layers_do_not_hinder_a_cut(net, name):
    """Relative positions as a part of the boundary (T5, WavLM) or from above it (DeBERTa, MPNet); rotary ones; a layer
    that is run many times (ALBERT).
    """
    cuts_hold(net(name), CROSSING[name.partition("?")[0]])


FAMILIES = {
    "vgg11": ("", 64, ["features.2", "features.12", "features.17"]),
    "resnet18": ("", 64, ["layer1.0", "layer3.0", "layer4.0"]),
    "inception_v3": ("", 80, ["Mixed_5b", "Mixed_6c", "Mixed_7b"]),
    "googlenet": ("", 64, ["inception3a", "inception4c", "inception5a"]),
    "densenet121": ("", 64, ["features.denseblock1", "features.transition2", "features.denseblock3"]),
    "mobilenet_v2": ("", 64, ["features.0", "features.9", "features.17"]),
    "mobilenet_v3_small": ("", 64, ["features.0", "features.6", "features.11"]),
    "efficientnet_b0": ("", 64, ["features.0", "features.5.0", "features.7.0"]),
    "convnext_tiny": ("", 64, ["features.0", "features.5.2", "features.7.1"]),
    "vit_b_32": ("?image_size=64", 64, [f"encoder.layers.encoder_layer_{i}" for i in (0, 6, 10)]),
    "swin_t": ("", 64, ["features.0", "features.5.1", "features.7.0"]),
    "squeezenet1_1": ("", 64, ["features.3", "features.9", "features.11"]),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_of_torchvision_can_be_cut(name):
    """At three blocks of each."""
    options, side, places = FAMILIES[name]
    own = ImagePreprocessing(resize="exact", resize_size=side)
    cuts_hold(load(f"torchvision:{name}{options}@random", preprocess=own, device="cpu"), places)


@pytest.mark.slow
def test_every_module_of_a_network_holds_or_is_refused(net):
    """At whatever module: a cut that is not refused replays. Blocks and their sums are never refused."""
    backbone = net("resnet18")
    cutter, batch = Cutter(backbone), inputs(backbone, 3)
    held = {place.at: suffix for place in cutter.places()[1:] if (suffix := cutter.suffix(place)) is not None}
    prefix = cutter.prefix([suffix.place for suffix in held.values()])
    rows, expected = prefix.rows(batch), whole(backbone, batch)
    with torch.no_grad():
        worst = max(difference(replayed(prefix, suffix, batch, rows), expected) for suffix in held.values())
    assert worst <= 1e-5
    assert {"conv1", "bn1", "act1", "layer1", "layer1.0.act2", "layer4.1", *blocks(backbone)} <= held.keys()
    assert not {"layer2.0.downsample", "layer3.0.downsample", "layer1.0.conv1", "layer4.1.bn2"} & held.keys()


def test_a_shortcut_that_crosses_the_cut_is_refused(net):
    """`layer3.0.downsample`: the other branch is zero as it begins (`zero_init_last`), so zeros in its place would give
    the right numbers, and a network that cannot be trained. NaN in its place shows.
    """
    backbone = net("resnet18")
    batch = inputs(backbone)
    expected = whole(backbone, batch)
    with backbone.module.get_submodule("layer3.0.bn2").register_forward_hook(lambda _m, _a, out: torch.zeros_like(out)):
        assert difference(whole(backbone, batch), expected) <= 1e-5
    with pytest.raises(
        LayerError, match=r"cannot be cut after layer3\.0\.downsample.*Cut it after layer3\.0, the nearest"
    ):
        cut(backbone, "layer3.0.downsample")
    cuts_hold(backbone, ["layer3.0"])


def test_a_layer_inside_a_dense_block_is_refused():
    """Every layer of a DenseNet's block reads all before it."""
    own = ImagePreprocessing(resize="exact", resize_size=64)
    backbone = load("torchvision:densenet121@random", preprocess=own, device="cpu")
    with pytest.raises(LayerError, match=r"cannot be cut after features\.denseblock3\.denselayer5") as error:
        cut(backbone, "features.denseblock3.denselayer5")
    assert "Cut it after features.denseblock3, the nearest" in str(error.value)
    place, suffix = Cutter(backbone).before("features.denseblock3.denselayer20")
    assert place.at == "features.transition2"
    assert "features.denseblock3.denselayer1.norm1.weight" in suffix.trainable


def test_what_is_no_place_for_a_cut(net):
    """The nearest names for a module that there is not; the last place where a module comes too late."""
    with pytest.raises(LayerError, match=r"no layer 'layer3\.7'.*Did you mean layer3\.[01]"):
        cut(net("resnet18"), "layer3.7")
    for at in ("fc", "last"):
        with pytest.raises(LayerError, match=rf"cannot be cut after {at}.*Cut it after global_pool"):
            cut(net("resnet18"), at)


@pytest.mark.parametrize("name", ["vit", "bert", "wav2vec2-layer"])
def test_a_cut_at_the_input_leaves_nothing_frozen(net, name):
    """All that runs is trained, from the inputs themselves; nothing is stored."""
    backbone = net(name)
    prefix, suffix = cut(backbone, "input")
    batch = inputs(backbone, 2)
    assert (prefix.rows(batch), prefix.leaves("input"), prefix.live("input", batch)) == ({}, [], None)
    with torch.no_grad():
        found = features(backbone, suffix(prefix.boundary("input", {}, batch), backbone.stack(batch)), batch)
    assert difference(found, whole(backbone, batch)) <= 1e-5
    beyond = f"{backbone.classifier}."
    own = {name for name, _ in backbone.module.named_parameters() if not name.startswith(beyond)}
    assert suffix.trainable.keys() == own
    assert not {id(v) for v in suffix.parameters()} & {
        id(v) for name, v in backbone.module.named_parameters() if name in own
    }


def test_the_cut_before_a_module(net):
    """To train a module and all after it: the last place before it starts."""
    place, suffix = Cutter(net("resnet18")).before("layer4.1")
    assert place.at == "layer4.0"
    assert {name.partition(".conv")[0].partition(".bn")[0] for name in suffix.trainable} == {"layer4.1"}
    assert Cutter(net("vit")).before("patch_embed")[0] == Place("input")
    with pytest.raises(LayerError, match="no layer"):
        Cutter(net("vit")).before("blocks.99")


def test_other_ends_than_last(net):
    """A suffix up to the logits trains the classifier too."""
    backbone = net("resnet18")
    prefix, suffix = cut(backbone, "layer4", layer="logits")
    batch = inputs(backbone, 4)
    expected = backbone.run(batch, ["logits"], lambda _, value: value)["logits"]
    with torch.no_grad():
        found = suffix(prefix.live("layer4", batch), backbone.stack_thin([backbone.thin(x) for x in batch]))
    assert difference(found, expected) <= 1e-5
    assert list(suffix.trainable) == ["fc.weight", "fc.bias"]


def test_where_padding_is_mixed_in_only_equal_lengths_share_a_batch(net):
    """Group norm over time does mix it in; masked attention does not, wherever the cut is."""
    assert cut(net("wav2vec2"), "encoder.layers.1")[1].equal_lengths
    for name, at in (("bert", "encoder.layer.1"), ("t5", "encoder.block.0"), ("wav2vec2-layer", "encoder.layers.1")):
        assert not cut(net(name), at)[1].equal_lengths


def test_lengths_that_were_never_seen(net):
    """Ghosts follow the length: inputs longer and shorter than any before."""
    backbone = net("bert")
    prefix, suffix = cut(backbone, "encoder.layer.0")
    for words in ("one", "one two three four five six", " ".join(["seven"] * 22)):
        batch = [backbone.prepare(words)]
        with torch.no_grad():
            assert difference(replayed(prefix, suffix, batch), whole(backbone, batch)) <= 1e-5
