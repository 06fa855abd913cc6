"""Columns: from what the user asks for to layers and keys."""

import pytest
from torch import nn

from icecore.backbones import load, wrap
from icecore.data import ImagePreprocessing
from icecore.errors import LayerError, UsageError
from icecore.prefix import Column, blocks, column_key, columns_of, network_about, network_key, prefix_key


@pytest.fixture(scope="module")
def net():
    """The bundled network: four blocks, `stages.0` to `stages.3`."""
    return load("icecore:vision-s@random", device="cpu")


def names(net, layers, pooling="mean") -> list[str]:
    return [column.layer for column in columns_of(net, layers, pooling)]


REQUESTS = {
    "last": ["last"],
    -1: ["stages.3"],
    "-1": ["stages.3"],
    0: ["stages.0"],
    "0": ["stages.0"],
    -4: ["stages.0"],
    "all": ["stages.0", "stages.1", "stages.2", "stages.3", "last"],
    "stages.?": ["stages.0", "stages.1", "stages.2", "stages.3"],
    "stages.3.1*": [
        *("stages.3.1.first.0", "stages.3.1.first.1", "stages.3.1.first.2", "stages.3.1.first"),
        *("stages.3.1.second.0", "stages.3.1.second.1", "stages.3.1.second", "stages.3.1.activation", "stages.3.1"),
    ],
    "stem": ["stem"],
}


@pytest.mark.parametrize("request_", REQUESTS)
def test_what_can_be_asked_for(request_, net):
    """Paths, `last`, block numbers from either end, `all`, and patterns; in the order in which layers finish."""
    assert names(net, request_) == REQUESTS[request_]


def test_several_requests_give_each_layer_once(net):
    """Whatever overlaps and in whatever order."""
    assert names(net, ["last", -1, "stages.3", "all", "stem"]) == ["stem", *REQUESTS["all"]]


def test_patterns_never_bring_the_input_or_the_logits():
    """They are had by name alone."""
    net = load("timm:test_resnet@random", device="cpu")
    assert {"input", "logits"}.isdisjoint(names(net, "*"))
    assert names(net, ["input", "logits"], "mean") == ["input", "logits"]


def test_a_number_is_a_block_and_digits_are_a_module():
    """In an `nn.Sequential` the path "0" is its first module, the number 0 the first block."""
    block = [nn.Sequential(nn.Conv2d(3, 3, 3), nn.ReLU(), nn.Conv2d(3, 3, 3)) for _ in range(3)]
    net = wrap(nn.Sequential(nn.Conv2d(3, 3, 3), *block), preprocess=ImagePreprocessing(resize="exact", resize_size=32))
    assert blocks(net) == ["1", "2", "3"]
    assert names(net, 0) == ["1"]
    assert names(net, "0") == ["0"]


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        ("stages.9", r"no layer 'stages\.9' that can be taken.*Did you mean stages\.\d"),
        ("nothing*", r"no layer 'nothing\*' that can be taken"),
        (4, "has no block 4. It has 4: from 0 to 3, or -4 to -1 counted from the end"),
        (-5, "has no block -5"),
    ],
)
def test_what_cannot_be_had(request_, says, net):
    """The nearest names, or the range of the blocks."""
    with pytest.raises(LayerError, match=says):
        columns_of(net, request_)


def test_poolings_are_canonical(net):
    """`avg` is `mean`; a vector is not pooled, whatever is asked."""
    assert columns_of(net, ["last", -1], "avg") == [Column("stages.3", "mean"), Column("last", "none")]
    with pytest.raises(UsageError, match="no pooling"):
        columns_of(net, -1, "sum")


def test_keys_differ_by_layer_and_pooling(net):
    """Each column has one key, the same on every call."""
    columns = [Column(layer, pooling) for layer in ("stages.2", "stages.3") for pooling in ("mean", "max", "none")]
    keys = {column_key(net, column) for column in columns}
    assert len(keys) == 6
    assert keys == {column_key(load("icecore:vision-s@random", device="cpu"), column) for column in columns}


def test_networks_of_other_weights_share_a_folder(net):
    """The folder in the store is that of network and preprocessing; the weights are in the columns' keys."""
    other = load("icecore:vision-s@random-1", device="cpu")
    assert network_key(net) == network_key(other)
    assert prefix_key(net, "last") != prefix_key(other, "last")
    assert prefix_key(net, "input") == prefix_key(other, "input")
    assert network_about(other)["id"] == "icecore:vision-s@random-1"
