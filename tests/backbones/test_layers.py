"""What layers a network has, and that what is taken from them is right, whatever the network's habits."""

import copy
import threading

import pytest
import torch
from torch import nn

from icecore.backbones import load, wrap
from icecore.data import ImagePreprocessing
from icecore.errors import BackboneError, LayerError
from icecore.prefix import blocks
from tests.backbones.networks import (
    Chooses,
    Counts,
    Output,
    Outputs,
    Reuses,
    TokensFirst,
    close,
    plain,
    run,
    seeded,
    whole,
    wrapped,
)


def test_layers_come_in_the_order_in_which_they_finish():
    """`input` first, modules as they finish, `last` and `logits` at the end, each with shape and axes."""
    layers = wrapped(plain()).layers()
    assert list(layers) == ["input", "0", "1", "2", "3", "4", "5", "6", "last", "logits"]
    assert (layers["input"].shape, layers["input"].axes) == ((3, 32, 32), ("channels", "height", "width"))
    assert (layers["2"].shape, layers["last"].shape, layers["logits"].shape) == ((8, 7, 7), (8,), (5,))


@pytest.mark.parametrize("end", [[], [nn.Softmax(-1)], [nn.LogSoftmax(-1)], [nn.Sigmoid()], [nn.Dropout(0.5)]])
def test_last_is_what_the_classifier_reads(end, images):
    """A softmax, a sigmoid or a dropout after the classifier hides it from nobody."""
    net = wrapped(plain(*end))
    found = run(net, images, ["5", "last", "logits"])
    assert net.classifier == "6"
    assert torch.equal(found["last"], found["5"])
    with torch.no_grad():
        assert torch.equal(found["logits"], net.forward([net.prepare(image) for image in images]))


def test_without_a_classifier_last_is_the_result(images):
    """A network that ends in pooling has no logits, and `last` is what it returns."""
    net = wrapped(plain()[:-1])
    assert "logits" not in net.layers()
    assert torch.equal(run(net, images, ["last"])["last"], run(net, images, ["5"])["5"])


def test_activations_are_taken_before_the_next_module_overwrites_them(images):
    """In-place activation functions do not corrupt the layer before them, nor the input."""
    module = seeded(plain())
    found = run(wrapped(module), images, ["input", "0", "1", "2", "3", "last"])
    pristine = copy.deepcopy(module).eval()
    for part in pristine.modules():
        if isinstance(part, nn.ReLU):
            part.inplace = False
    x = found["input"]
    with torch.no_grad():
        for name, part in list(pristine.named_children())[:4]:
            x = part(x)
            assert close(found[name], x), name
    assert found["0"].min() < 0


def test_torchvision_resnet_is_not_corrupted_by_its_inplace_relu(images):
    """Every batch norm of a ResNet keeps its negative numbers, though a ReLU follows in place."""
    net = load("torchvision:resnet18@random", device="cpu")
    norms = [name for name in net.layers() if ".bn" in name or name == "bn1"]
    together = run(net, images[:1], norms)
    assert len(norms) == 17
    assert all(value.min() < 0 for value in together.values())


def test_a_module_called_several_times_gives_its_last_output(images):
    """Its shape, value and place in the order are those of the last call, also when the pass ends there."""
    net = wrapped(Reuses())
    found = run(net, images, ["again"])["again"]
    x = net.module.stem(torch.stack([net.prepare(image) for image in images]))
    for _ in range(3):
        output = net.module.again(x)
        x = output.relu()
    assert close(found, output)
    assert list(net.layers()).index("again") > list(net.layers()).index("stem")


def test_the_forward_stops_at_the_last_layer_asked_for(images):
    """What comes after the last layer asked for does not run."""
    net = wrapped(nn.Sequential(nn.Conv2d(3, 4, 3), Counts(), nn.Conv2d(4, 4, 3), Counts(), nn.Flatten()))
    net.layers()
    early, late = net.module[1], net.module[3]
    early.calls = late.calls = 0
    run(net, images, ["0"])
    assert (early.calls, late.calls) == (0, 0)
    run(net, images, ["2", "1"])
    assert (early.calls, late.calls) == (1, 0)
    run(net, images, ["0", "last"])
    assert (early.calls, late.calls) == (2, 1)


def test_what_the_classifier_costs_is_not_paid_for_last(images):
    """`last` is taken on entering the classifier, which then does not run."""
    net = wrapped(nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(48, 3), Counts()))
    net.layers()
    counter = net.module[3]
    counter.calls = 0
    run(net, images, ["last"])
    assert counter.calls == 0


def test_a_network_may_catch_exceptions(images):
    """Leaving the forward early is no `Exception` that a cautious forward could swallow."""

    class Cautious(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.rest = nn.Conv2d(3, 4, 3), Counts()

        def forward(self, x):
            try:
                x = self.conv(x)
            except Exception:  # noqa: BLE001 - the habit that is tested
                x = x * 0
            return self.rest(x)

    net = wrapped(Cautious())
    net.layers()
    net.module.rest.calls = 0
    run(net, images, ["conv"])
    assert net.module.rest.calls == 0


@pytest.mark.parametrize(
    "form",
    [
        lambda mask, maps, logits: (mask, logits, maps),
        lambda mask, maps, logits: {"mask": mask, "out": logits, "maps": maps},
        lambda mask, maps, logits: {"maps": maps, "logits": logits},
        lambda mask, maps, logits: Output(mask, logits),
        lambda mask, maps, logits: [[mask], (logits,)],
    ],
    ids=["tuple", "mapping", "named", "dataclass", "nested"],
)
def test_outputs_of_any_form(form, images):
    """Tuples, mappings, dataclasses: the logits, or the first tensor of real numbers; masks are passed over."""
    net = wrapped(Outputs(form))
    found = run(net, images, ["last", "logits"])
    assert (net.classifier, found["last"].shape, found["logits"].shape) == ("fc", (3, 4), (3, 3))


def test_a_network_that_returns_no_tensor_is_refused():
    """The sentence says what it returned."""
    with pytest.raises(BackboneError, match="returned str, which holds no tensor"):
        wrapped(Outputs(lambda mask, maps, logits: "cat")).layers()


def test_an_input_that_the_network_does_not_take():
    """The error says the shape, the network's own words, and what to do."""
    with pytest.raises(BackboneError, match=r"cannot run on an input of shape \(3, 32, 32\).*--preprocess FILE"):
        wrapped(nn.Sequential(nn.Flatten(), nn.Linear(10, 2))).layers()


def test_a_network_whose_course_depends_on_the_data(images):
    """A layer that does not run for an input is an error, not another item's or another layer's number."""
    net = wrapped(Chooses())
    assert {"light"} == {"light", "dark"} & set(net.layers())
    dark = [net.prepare(images[0]) * 0]
    with pytest.raises(BackboneError, match="light did not run on this input"):
        net.run(dark, ["light"], whole)
    assert net.run(dark, ["last"], whole)["last"].shape == (1, 4)


def test_layers_whose_first_axis_is_not_the_items_cannot_be_taken(images):
    """Inside a network that puts tokens first only what has one row for each item is listed."""
    net = wrapped(TokensFirst())
    assert "layers.0" not in net.layers()
    assert run(net, images, ["patches", "last"])["last"].shape == (3, 16)


def test_a_squeeze_that_swallows_the_only_item(images):
    """A network that mixes axes for a batch of one is told so."""

    class Squeezes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.pool = nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1)

        def forward(self, x):
            return self.pool(self.conv(x)).squeeze()

    net = wrapped(Squeezes())
    assert run(net, images, ["last"])["last"].shape == (3, 4)
    with pytest.raises(BackboneError, match=r"for 1 items\. One row for each item"):
        run(net, images[:1], ["last"])


def test_one_number_an_item_is_a_vector_of_one(images):
    """A network that estimates a single quantity gives (n, 1)."""

    class Single(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 1, 3)

        def forward(self, x):
            return self.conv(x).mean((1, 2, 3))

    net = wrapped(Single())
    assert net.layers()["last"].shape == (1,)
    assert run(net, images, ["last"])["last"].shape == (3, 1)


def test_modules_named_like_the_reserved_layers(images):
    """A network's own `last` and `input` do not shadow the layers of those names."""

    class Names(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.input, self.last, self.fc = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 6, 3), nn.Linear(6, 2)

        def forward(self, x):
            return self.fc(self.last(self.input(x)).mean((2, 3)))

    net = wrapped(Names())
    assert list(net.layers()) == ["input", "fc", "last", "logits"]
    found = run(net, images, ["input", "last"])
    assert (found["input"].shape, found["last"].shape) == ((3, 3, 32, 32), (3, 6))


def test_a_module_shared_under_two_names(images):
    """It is listed once, under its first name, with its last output."""
    shared = nn.Conv2d(3, 3, 3, padding=1)
    net = wrapped(nn.Sequential(shared, nn.ReLU(inplace=True), shared, nn.Flatten()))
    found = run(net, images, ["0", "last"])
    assert "2" not in net.layers()
    assert close(found["0"].flatten(1), found["last"])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_any_precision_are_computed_in_float32(dtype, images):
    """Prepared inputs are float32, so the network's copy is too; the original stays what it was."""
    module = seeded(plain()).to(dtype)
    found = run(wrapped(copy.deepcopy(module).float()), images, ["last"])["last"]
    net = wrapped(module, seed=0)
    assert run(net, images, ["last"])["last"].dtype == torch.float32
    assert next(module.parameters()).dtype == dtype
    assert close(run(net, images, ["last"])["last"], found) or dtype != torch.float64


def test_convolutions_of_float32_are_whole(images):
    """On a GPU cuDNN would round to TF32, and features were not those of a CPU; the user's setting comes back."""
    seen, module = [], seeded(plain())
    module[0].register_forward_hook(lambda *_: seen.append(torch.backends.cudnn.allow_tf32))
    net = wrapped(module)
    net.layers()
    seen.clear()
    before = torch.backends.cudnn.allow_tf32
    run(net, images, ["last"])
    assert seen == [False]
    assert torch.backends.cudnn.allow_tf32 is before is True


def test_threads_do_not_take_each_others_activations(images):
    """Passes through one network in several threads at once each get their own."""
    net = wrapped(plain())
    alone = [run(net, [image], ["1", "last"]) for image in images]
    wrong = []

    def work(number: int) -> None:
        for _ in range(30):
            found = run(net, [images[number]], ["1", "last"])
            wrong.extend(name for name in found if not close(found[name], alone[number][name]))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_an_unknown_layer_is_answered_with_the_nearest():
    """The error names what was asked for and what is near."""
    net = load("icecore:vision-s@random", device="cpu")
    with pytest.raises(LayerError, match=r"no layer 'stages.9'.*Did you mean stages\.\d"):
        net.weights_digest("stages.9")


def test_no_hook_stays_behind(images):
    """After a pass, also one that failed, the network is as it was."""
    net = wrapped(plain())
    run(net, images, ["0", "last"])
    with pytest.raises(ZeroDivisionError):
        net.run([net.prepare(images[0])], ["1"], lambda layer, value: 1 / 0)
    assert not [part for part in net.module.modules() if part._forward_hooks or part._forward_pre_hooks]


CHAINS = {
    "torchvision:squeezenet1_1": (8, "features.3", "features.12"),
    "torchvision:shufflenet_v2_x0_5": (16, "stage2.0", "stage4.3"),
    "torchvision:regnet_y_400mf": (16, "trunk_output.block1.block1-0", "trunk_output.block4.block4-5"),
    "timm:test_resnet": (4, "layer1.0", "layer4.0"),
    "timm:test_vit": (6, "blocks.0", "blocks.5"),
    "timm:mobilenetv3_small_050": (12, "blocks.0.0", "blocks.5"),
}


@pytest.mark.parametrize("name", CHAINS)
def test_blocks_of_a_few_families(name):
    """Blocks are the repeated units of the network, first to last."""
    net = load(f"{name}@random", device="cpu")
    count, first, last = CHAINS[name]
    found = blocks(net)
    assert (len(found), found[0], found[-1]) == (count, first, last)


def test_channels_last_preprocessing(images):
    """A network that takes (height, width, channels) has the axes named so."""

    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(3, 4)

        def forward(self, x):
            return self.fc(x)

    prepare = ImagePreprocessing(resize="exact", resize_size=(24, 32), channels_last=True)
    layers = wrap(Last(), preprocess=prepare).layers()
    assert layers["input"].axes == layers["fc"].axes == ("height", "width", "channels")
