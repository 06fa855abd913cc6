"""Cuts of networks of one's own: whatever is written between the modules is done."""

import pytest
import torch

from icecore.errors import BackboneError, LayerError
from icecore.prefix import Cutter, cut
from tests.prefix import own
from tests.prefix.cuts import cuts_hold, difference, inputs, replayed, trains_alike, whole

PLACES = {
    own.Plain: ["stem", "one", "two", "three", "two.conv", "two.norm"],
    own.ReadsShapes: ["stem", "two", "three"],
    own.WritesInPlace: ["stem", "one", "two", "three"],
    own.Twice: ["stem", "two", "one", "pair", "three"],
    own.Dictionaries: ["one", "two", "three"],
    own.Notes: ["stem", "one", "two", "three"],
    own.Halves: ["one", "halved", "two"],
    own.Checkpoints: ["stem", "one", "two"],
}


@pytest.mark.parametrize("kind", PLACES)
def test_every_cut_replays(kind):
    """Functional code, sizes read from activations, writing in place, dictionaries, repeated calls, notes."""
    cuts_hold(own.wrapped(kind), PLACES[kind])


@pytest.mark.parametrize("kind", PLACES)
def test_every_cut_trains_as_a_plain_loop_does(kind):
    """What starts after the cut, and it alone."""
    assert trains_alike(own.wrapped(kind), "two", ["three"], rate=0.1) <= 1e-4


def test_a_call_inside_of_a_repeated_module():
    """The second call of a module inside of the second call of another, where the first ones are not run at all."""
    net = own.wrapped(own.Twice)
    prefix, suffix = cut(net, "one")
    batch = inputs(net, 4)
    with torch.no_grad():
        assert difference(replayed(prefix, suffix, batch), whole(net, batch)) <= 1e-5
    assert set(suffix.trainable) == {
        f"three.{name}" for name in ("conv.weight", "conv.bias", "norm.weight", "norm.bias")
    }


def test_an_object_of_another_kind_is_no_boundary():
    """It could hold tensors that nobody sees; above and below it the network can be cut."""
    net = own.wrapped(own.Objects)
    with pytest.raises(LayerError, match=r"cannot be cut after two: what it gives cannot be told apart by items"):
        cut(net, "two")
    assert Cutter(net).before("three")[0].at == "two.norm"
    cuts_hold(net, ["one", "two.norm", "three"])


def test_weights_that_a_frozen_module_holds_too_are_not_trained():
    """Else training would change what the store keeps."""
    _, suffix = cut(own.wrapped(own.Tied), "two")
    assert set(suffix.trainable) == {"three.conv.bias", "three.norm.weight", "three.norm.bias"}
    assert "three.conv.weight" not in suffix.state()


def test_a_network_that_runs_other_modules_for_other_data():
    """Is told so, and gets no row."""
    net = own.wrapped(own.Chooses)
    cutter, at = Cutter(net), "one" if "one" in net.layers() else "two"
    prefix, dark = cutter.prefix([cutter.place(at)]), torch.full((3, 16, 16), -5.0)
    found = [_raised(prefix, item) for item in (dark, -dark)]
    assert {type(error) for error in found} == {BackboneError, type(None)}
    assert f"The layers {at} did not run on this input" in "".join(map(str, found))


def _raised(prefix, item):
    try:
        prefix.rows([item])
    except BackboneError as error:
        return error


def test_a_boundary_of_half_precision_stays_so():
    """The store gives float32; the network gets back what it had."""
    net = own.wrapped(own.Halves)
    prefix, _ = cut(net, "halved")
    batch = inputs(net)
    rows = {name: [row.float() for row in kept] for name, kept in prefix.rows(batch).items()}
    found = prefix.boundary("halved", rows, batch)
    assert found.dtype is torch.bfloat16
    assert torch.equal(found, prefix.live("halved", batch))
