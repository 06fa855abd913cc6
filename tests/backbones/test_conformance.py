"""`check_backbone` finds what is wrong with a backbone."""

import pytest
import torch
from torch import nn

from icecore.backbones import Layer, load
from icecore.errors import LayerError
from icecore.testing import check_backbone
from tests.backbones.networks import plain, wrapped


class Fake:
    """A backbone that passes everything on to a good one; each subclass breaks one thing."""

    def __init__(self) -> None:
        self.net = wrapped(plain())

    def __getattr__(self, name):
        return getattr(self.net, name)

    # A Protocol that can be checked at run time asks for each name.
    id, provider, modality, source, notes = "fake", "fake.v1", "image", "", ()

    @property
    def preprocessing(self):
        return self.net.preprocessing

    @property
    def licence(self):
        return self.net.licence

    @property
    def architecture(self):
        return self.net.architecture

    @property
    def module(self):
        return self.net.module

    def layers(self):
        return self.net.layers()

    def weights_digest(self, layer):
        return self.net.weights_digest(layer)

    def prepare(self, decoded):
        return self.net.prepare(decoded)

    def bucket(self, prepared):
        return self.net.bucket(prepared)

    def forward(self, batch):
        return self.net.forward(batch)

    def to(self, device):
        return self

    def run(self, batch, layers, reduce):
        return self.net.run(batch, layers, reduce)


class Normalises(Fake):
    def run(self, batch, layers, reduce):
        mean = torch.stack(list(batch)).mean(0)
        return self.net.run([item - mean / 10 for item in batch], layers, reduce)


class ByPlace(Fake):
    def run(self, batch, layers, reduce):
        found = self.net.run(batch, layers, reduce)
        return {name: value * (1 + torch.arange(len(value)).view(-1, 1) / 9) for name, value in found.items()}


class EarlyStop(Fake):
    def run(self, batch, layers, reduce):
        found = self.net.run(batch, layers, reduce)
        return {name: value * (1 if len(layers) > 1 else 2) for name, value in found.items()}


class Shapes(Fake):
    def layers(self):
        return {**self.net.layers(), "0": Layer("0", (6, 14, 14), ("channels", "height", "width"))}

    def run(self, batch, layers, reduce):
        return self.net.run(batch, layers, lambda layer, value: reduce(self.layers()[layer.name], value))


class Training(Fake):
    def run(self, batch, layers, reduce):
        found = self.net.run(batch, layers, reduce)
        self.net.module.train()
        return found


class Counts(Fake):
    def __init__(self) -> None:
        super().__init__()
        self.net.module.register_buffer("seen", torch.zeros(1))

    def run(self, batch, layers, reduce):
        self.net.module.seen += len(batch)
        return self.net.run(batch, layers, reduce)


class Misnames(Fake):
    def layers(self):
        return {**self.net.layers(), "1": Layer("0", (6, 15, 15), ("channels", "height", "width"))}


class Axes(Fake):
    def layers(self):
        return {**self.net.layers(), "last": Layer("last", (8,), ("tokens", "channels"))}


class Silent(Fake):
    def run(self, batch, layers, reduce):
        known = [name for name in layers if name in self.layers()]
        return self.net.run(batch, known, reduce)


class Unhelpful(Fake):
    def run(self, batch, layers, reduce):
        if any(name not in self.layers() for name in layers):
            raise LayerError("No.")
        return self.net.run(batch, layers, reduce)


BROKEN = {
    Normalises: "must be the same alone as in the batch",
    ByPlace: "must be the same beside others as in the batch|must be the same alone as in the batch",
    EarlyStop: "must be the same asked for alone as in the batch",
    Shapes: r"must have the shape \(6, 14, 14\) that layers\(\) says, not \(6, 15, 15\)",
    Training: "must be in eval mode",
    Counts: "it changed",
    Misnames: "must name '1' by its own name, not '0'",
    Axes: "last has 1 axes; it names",
    Silent: "must raise LayerError for a layer that is not there",
    Unhelpful: r"must name 'logits'; it says: No\.",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_backbone_is_found_out(kind, images):
    """Each breach has its sentence."""
    with pytest.raises(AssertionError, match=BROKEN[kind]):
        check_backbone(kind(), images)


def test_a_good_one_passes(images):
    """The same wrapper without a breach, and the bundled network."""
    check_backbone(Fake(), images, again=Fake())
    check_backbone(load("icecore:vision-s@random", device="cpu"), images, layers=["stem", "stages.3", "last"])


def test_another_network_is_not_the_same_again(images):
    """`again` must have the same keys."""
    with pytest.raises(AssertionError, match="must have the same keys"):
        check_backbone(wrapped(plain()), images, again=wrapped(plain(), seed=1))


def test_what_is_needed(images):
    """Two inputs, and of one bucket."""
    with pytest.raises(AssertionError, match="at least two inputs"):
        check_backbone(Fake(), images[:1])
    with pytest.raises(AssertionError, match="all that the Extractor protocol names"):
        check_backbone(nn.Identity(), images)
