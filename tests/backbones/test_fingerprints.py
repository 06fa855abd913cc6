"""Keys: what changes them, and what does not."""

import enum
import functools
import importlib
import types

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from icecore.backbones import load, wrap
from icecore.data import ImagePreprocessing
from icecore.prefix import network_key, prefix_key
from tests.backbones.networks import PREPARE, ByName, Reuses, plain, seeded, wrapped


def keys_of(net) -> dict[str, str]:
    return {layer: prefix_key(net, layer) for layer in net.layers()}


def changed(before, after) -> set[str]:
    return {layer for layer in before if before[layer] != after[layer]}


def test_the_same_network_has_the_same_keys():
    """Built twice from one seed, every layer has the same key, and no two layers share one."""
    first, second = keys_of(wrapped(plain())), keys_of(wrapped(plain()))
    assert first == second
    assert len(set(first.values())) == len(first)


def test_a_weight_changes_the_keys_from_its_layer_on():
    """What runs below a changed weight keeps its key."""
    module = seeded(plain())
    before = keys_of(wrap(module, preprocess=PREPARE))
    with torch.no_grad():
        module[2].bias[0] += 1
    after = keys_of(wrap(module, preprocess=PREPARE))
    assert changed(before, after) == {"2", "3", "4", "5", "6", "last", "logits"}


def test_tuning_the_classifier_keeps_the_key_of_last():
    """`last` is taken before the classifier, whose weights it does not depend on."""
    net = wrapped(plain())
    before = keys_of(net)
    with torch.no_grad():
        net.module[6].weight += 1
    assert changed(before, keys_of(net)) == {"6", "logits"}


@pytest.mark.parametrize("name", ["timm:deit_tiny_distilled_patch16_224", "timm:resnetv2_50x1_bit"])
@pytest.mark.slow
def test_tuning_a_head_that_is_no_linear_layer_keeps_the_key_of_last(name):
    """Also where timm's own way leads to `last`, which the classifier's weights have no part in."""
    net = load(f"{name}@random", device="cpu")
    before = net.weights_digest("last"), net.weights_digest("logits")
    with torch.no_grad():
        next(net.module.get_classifier().parameters() if "bit" in name else net.module.head.parameters()).add_(1)
    assert (net.weights_digest("last"), net.weights_digest("logits")) != before
    assert net.weights_digest("last") == before[0]


def test_weights_changed_in_place_are_seen():
    """The digest is that of the weights as they are now, not as they were when it was first asked for."""
    net = wrapped(plain())
    before = net.weights_digest("last")
    with torch.no_grad():
        net.module[0].weight.mul_(2)
    changed_once = net.weights_digest("last")
    net.module[0].weight.data = net.module[0].weight.data * 2
    assert len({before, changed_once, net.weights_digest("last")}) == 3


def test_a_buffer_counts_and_a_counter_does_not():
    """Running statistics are part of the function; how many batches they were taken from is not."""
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    net = wrapped(module)
    before = keys_of(net)
    net.module[1].num_batches_tracked += 7
    assert keys_of(net) == before
    net.module[1].running_mean += 1
    assert changed(before, keys_of(net)) == {"1", "last"}


def test_a_module_that_is_never_called_counts_with_what_holds_it():
    """Its weights may be used by name, so they belong to the keys of all that its parent gives."""
    net = wrapped(ByName())
    before = keys_of(net)
    with torch.no_grad():
        net.module.by_name.weight.add_(1)
    assert {"last", "logits"} <= changed(before, keys_of(net))


def test_a_module_called_several_times_counts_from_its_first_call():
    """The first of three calls is enough for what comes after it."""
    net = wrapped(Reuses())
    before = keys_of(net)
    with torch.no_grad():
        net.module.again.weight.add_(1)
    assert changed(before, keys_of(net)) == {"again", "last", "fc", "logits"}


def test_the_preprocessing_is_part_of_every_key():
    """Another mean, and no key is the same; the input's key depends on it alone."""
    module = seeded(plain())
    other = ImagePreprocessing(resize="exact", resize_size=32, mean=(0.5, 0.5, 0.5))
    first, second = (wrap(module, preprocess=prepare) for prepare in (PREPARE, other))
    assert changed(keys_of(first), keys_of(second)) == set(first.layers())
    assert prefix_key(first, "input") == prefix_key(wrapped(Reuses()), "input")


class Mode(enum.Enum):
    """A choice that a module holds."""

    ONE = 1
    TWO = 2


class Holds(nn.Module):
    """A module that computes with whatever it was given."""

    def __init__(self, value) -> None:
        super().__init__()
        self.conv, self.value = nn.Conv2d(3, 4, 3), value

    def forward(self, x):
        return self.conv(x)


def scaled(by):
    return lambda x: x * by


CHANGES = {
    "number": (1, 2),
    "float": (0.1, float("inf")),
    "none": (None, 0),
    "tuple": ((1, 2), (2, 1)),
    "nested": ([[1], [2]], [[1], [3]]),
    "mapping": ({"depth": 1}, {"depth": 2}),
    "set": ({1, 2}, {1, 3}),
    "namespace": (types.SimpleNamespace(depth=1), types.SimpleNamespace(depth=2)),
    "enum": (Mode.ONE, Mode.TWO),
    "dtype": (torch.float32, torch.float16),
    "tensor": (torch.ones(2), torch.zeros(2)),
    "function": (F.relu, F.gelu),
    "own function": (keys_of, changed),
    "closure": (scaled(1), scaled(2)),
    "partial": (
        functools.partial(F.leaky_relu, negative_slope=0.1),
        functools.partial(F.leaky_relu, negative_slope=0.2),
    ),
    "class": (nn.ReLU, nn.GELU),
    "unregistered module": ([seeded(nn.Linear(2, 2), 0)], [seeded(nn.Linear(2, 2), 1)]),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_an_attribute_changes_the_key(kind):
    """Whatever plain thing a module of the user's own holds belongs to its structure, in a stable form."""
    first, second = CHANGES[kind]
    same = [network_key(wrapped(Holds(first))) for _ in range(2)]
    assert same[0] == same[1] != network_key(wrapped(Holds(second)))


def test_a_stride_changes_the_key():
    """Two networks of equal weights and another stride are two networks."""
    module = seeded(plain())
    before = keys_of(wrap(module, preprocess=PREPARE))
    module[2].stride = (1, 1)
    assert changed(before, keys_of(wrap(module, preprocess=PREPARE))) == set(before) - {"input"}


def test_a_forward_hook_changes_the_key():
    """A hook may change what a module gives; where it was registered in the process does not matter."""
    hooked = [seeded(plain()) for _ in range(2)]
    for module in hooked:
        module[0].register_forward_hook(double)
    assert network_key(wrapped(hooked[0])) == network_key(wrapped(hooked[1])) != network_key(wrapped(plain()))


def double(_module, _args, output):
    return output * 2


def test_a_module_that_knows_its_parent_does_not_go_round_in_circles():
    """A reference back to the network, hidden in a list, is no second network."""
    module = Holds(None)
    module.conv.parent = [module]
    assert network_key(wrapped(module)) == network_key(wrapped(module))


EDITS = {
    "a constant that a function names": ("SLOPE = 0.1", "SLOPE = 0.2"),
    "a function that the forward names": ("leaky_relu(x, SLOPE)", "relu(x)"),
    "the forward": ("self.fc(self.pooled(x))", "self.fc(self.pooled(x)) * 2"),
    "a base class": ("x.mean((2, 3))", "x.amax((2, 3))"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_code_changes_the_key(edit, nets_file, tmp_path, monkeypatch):
    """The code of a class, and of what it calls by name, is part of what a wrapped network is."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "edited_nets.py").write_text(nets_file.read_text("utf-8").replace(*EDITS[edit]), "utf-8")
    names = ("nets", "nets", "edited_nets")
    found = []
    for name in names:
        (tmp_path / "current.py").write_text((tmp_path / f"{name}.py").read_text("utf-8"), "utf-8")
        module = types.ModuleType("current")
        module.__file__ = str(tmp_path / "current.py")
        monkeypatch.setitem(importlib.sys.modules, "current", module)
        exec(compile((tmp_path / "current.py").read_text("utf-8"), module.__file__, "exec"), module.__dict__)
        found.append(network_key(wrapped(module.build())))
    assert found[0] == found[1] != found[2]


def test_moving_and_using_a_network_keeps_its_keys(images):
    """Neither running nor the device nor the mode it was found in is part of a key."""
    module = seeded(plain())
    net = wrap(module.train(), preprocess=PREPARE)
    before = keys_of(net)
    net.run([net.prepare(image) for image in images], ["last"], lambda layer, value: value)
    assert keys_of(net.to("cpu")) == before == keys_of(wrap(module.eval(), preprocess=PREPARE))


def test_scripted_networks_differ_by_their_code():
    """A TorchScript module has no Python class of its own; its code tells it apart."""

    class Times(nn.Module):
        def __init__(self, by: int) -> None:
            super().__init__()
            self.by = by

        def forward(self, x):
            return x * self.by

    with pytest.warns(DeprecationWarning, match=r"torch\.jit"):
        scripted = [torch.jit.trace(Times(by), torch.ones(1, 3, 32, 32)) for by in (1, 2)]
    assert network_key(wrapped(scripted[0])) != network_key(wrapped(scripted[1]))
