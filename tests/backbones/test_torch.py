"""`torch:`: the user's own code and a local checkpoint; and `wrap`, for a network in memory."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from icecore.backbones import load, load_saved, save, wrap
from icecore.backbones.reference import absolute
from icecore.data import ImagePreprocessing, read
from icecore.data import load as load_item
from icecore.errors import BackboneError, PreprocessingError, UnknownBackboneError, WeightsError
from icecore.prefix import prefix_key
from tests.backbones.networks import PREPARE, close, plain, resnet20, run, seeded, wrapped

CIFAR = ImagePreprocessing(resize="exact", resize_size=32, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


def test_resnet20_from_its_own_checkpoint(assets, photos):
    """A real checkpoint with `module.` before its names, and the features of a hand-written forward."""
    file = assets / "weights" / "resnet20_cifar10" / "resnet20-12fca82f.th"
    net = load(f"torch:tests.backbones.networks:resnet20?weights={file}", preprocess=CIFAR, device="cpu")
    found = run(net, photos, ["last", "logits", "layer3.2"])
    own = resnet20().eval()
    state = torch.load(file, weights_only=True, map_location="cpu")["state_dict"]
    own.load_state_dict({name.removeprefix("module."): value for name, value in state.items()})
    with torch.no_grad():
        logits = own(torch.stack([net.prepare(photo) for photo in photos]))
        assert close(found["logits"], logits)
        assert close(own.linear(found["last"]), logits)
    assert close(found["layer3.2"].mean((2, 3)), found["last"])
    assert net.source == str(file)


def test_real_accuracy_on_cifar(assets):
    """The checkpoint is read right: it knows most CIFAR-10 images, though these are JPEG copies."""
    data = read(assets / "data" / "cifar10_sample" / "test", labelled=True)
    pick = data.take(torch.arange(0, len(data), 5).numpy())
    file = assets / "weights" / "resnet20_cifar10" / "resnet20-12fca82f.th"
    net = load(f"torch:tests.backbones.networks:resnet20?weights={file}", preprocess=CIFAR, device="cpu")
    logits = run(net, [load_item(item)[1] for item in pick.inputs], ["logits"])["logits"]
    names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    (labels,) = pick.targets.values()
    right = [names[code] == label for code, label in zip(logits.argmax(1).tolist(), labels, strict=True)]
    assert sum(right) / len(right) > 0.75


def test_a_factory_in_a_file(nets_file, images, tmp_path):
    """`torch:path.py:factory` reads the file itself; options after `?` are its arguments; preprocessing lies beside."""
    sys.path[:] = [entry for entry in sys.path if entry != str(tmp_path)]
    (tmp_path / "preprocess.json").write_text('{"resize": "exact", "resize_size": 32}', "utf-8")
    reference = load(f"torch:{nets_file}:build?width=6@random", preprocess=PREPARE, device="cpu")
    torch.save(reference.module.state_dict(), tmp_path / "w.pt")
    net = load(f"torch:{nets_file}:build?weights={tmp_path}/w.pt&width=6", device="cpu")
    assert net.layers()["last"].shape == (6,)
    assert torch.equal(run(net, images, ["last"])["last"], run(reference, images, ["last"])["last"])
    assert prefix_key(net, "last") == prefix_key(reference, "last")


def test_an_edited_file_is_read_again(nets_file, images):
    """In one process: an edit changes the network that is built and its key, and undoing it brings both back."""
    name = f"torch:{nets_file}:build@random"
    text = nets_file.read_text("utf-8")

    def features():
        net = load(name, preprocess=PREPARE, device="cpu")
        return run(net, images, ["last"])["last"], prefix_key(net, "last")

    first, key = features()
    nets_file.write_text(text.replace("SLOPE = 0.1", "SLOPE = 0.9"), "utf-8")
    other, other_key = features()
    nets_file.write_text(text, "utf-8")
    again, again_key = features()
    assert not torch.equal(first, other)
    assert torch.equal(first, again)
    assert (key == again_key, key == other_key) == (True, False)


def test_random_weights_are_seeded(nets_file):
    """`@random` is seed 0, `@random-7` another; the generator of the caller is left as it was."""
    before = torch.random.get_rng_state()
    keys = [
        prefix_key(load(f"torch:{nets_file}:build@{seed}", preprocess=PREPARE, device="cpu"), "last")
        for seed in ("random", "random-0", "random-7")
    ]
    assert keys[0] == keys[1] != keys[2]
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_module_from_the_current_directory(nets_file):
    """A module is found where the command is run, as a script there would find it."""
    code = (
        "from icecore.backbones import load; from icecore.data import ImagePreprocessing as P; "
        "print(load('torch:nets:build@random', preprocess=P(resize='exact', resize_size=32), device='cpu').id)"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=nets_file.parent, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "torch:nets:build@random", done.stderr


ERRORS = {
    "torch:{nets}:build": (WeightsError, "names no weights"),
    "torch:{nets}@random": (UnknownBackboneError, "names no callable|cannot be imported"),
    "torch:{nets}:no_such@random": (UnknownBackboneError, "has no callable 'no_such'"),
    "torch:{nets}:WIDTH@random": (UnknownBackboneError, "has no callable 'WIDTH'"),
    "torch:{nets}:activation?x=1@random": (UnknownBackboneError, "cannot be built"),
    "torch:{nets}:build?depth=3@random": (UnknownBackboneError, "unexpected keyword argument 'depth'"),
    "torch:no.such.module:build@random": (UnknownBackboneError, "'no.such.module' cannot be imported"),
    "torch:no/such.py:build@random": (UnknownBackboneError, r"There is no file no.such\.py"),
    "torch:{nets}:build?weights=none.pt": (WeightsError, "There is no weights file none.pt"),
    "torch:builtins:dict@random": (UnknownBackboneError, "returned dict.*must return a torch.nn.Module"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_what_can_be_wrong_with_a_factory(name, nets_file):
    """Each mistake has its sentence."""
    kind, says = ERRORS[name]
    with pytest.raises(kind, match=says):
        load(name.format(nets=nets_file), preprocess=PREPARE, device="cpu")


def test_a_file_that_cannot_be_run_leaves_nothing_behind(nets_file):
    """After the mistake is mended, the same file loads."""
    text = nets_file.read_text("utf-8")
    nets_file.write_text(text + "\n1 / 0\n", "utf-8")
    for _ in range(2):
        with pytest.raises(UnknownBackboneError, match="cannot be run: ZeroDivisionError"):
            load(f"torch:{nets_file}:build@random", preprocess=PREPARE)
    nets_file.write_text(text, "utf-8")
    assert load(f"torch:{nets_file}:build@random", preprocess=PREPARE, device="cpu").layers()


def test_preprocessing_is_asked_for_not_guessed(nets_file):
    """Without `preprocess.json` beside the weights and without an argument there is an error with an example."""
    with pytest.raises(PreprocessingError, match=r"does not guess.*preprocess\.json.*--preprocess FILE"):
        load(f"torch:{nets_file}:build@random")
    with pytest.raises(PreprocessingError, match="wrapped does not say"):
        wrap(plain(), preprocess=None)


def test_an_artifact_holds_the_weights(nets_file, tmp_path, images):
    """`save` and `load_saved` give the same features and keys, from the same code and the folder alone."""
    name = f"torch:{nets_file}:build?width=6@random-3"
    net = load(name, preprocess=PREPARE, device="cpu")
    save(net, tmp_path / "backbone")
    again = load_saved(absolute(name), tmp_path / "backbone", net.preprocessing.value, "cpu")
    assert prefix_key(again, "last") == prefix_key(net, "last")
    assert torch.equal(run(again, images, ["last"])["last"], run(net, images, ["last"])["last"])


def test_wrap_leaves_the_network_as_it_is(images):
    """The user may go on training: mode, gradients and weights of the original are its own."""
    module = seeded(plain()).train()
    net = wrap(module, preprocess=PREPARE)
    before = run(net, images, ["last"])["last"]
    with torch.no_grad():
        module[0].weight.add_(1)
    assert module.training
    assert all(value.requires_grad for value in module.parameters())
    assert torch.equal(run(net, images, ["last"])["last"], before)


def test_a_backbone_put_into_training_mode_is_put_back(images):
    """A pass always runs in eval mode: batch statistics and dropout never get into features."""
    net = wrapped(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.Flatten()))
    before = run(net, images, ["last"])["last"]
    net.module.train()
    assert torch.equal(run(net, images, ["last"])["last"], before)


def test_parallel_and_compiled_wrappers_are_taken_off(images):
    """What they wrap is the network: the same layers, keys and features."""
    module = seeded(plain())
    bare = wrap(module, preprocess=PREPARE)
    for outer in (nn.DataParallel(module), torch.compile(module, backend="eager")):
        net = wrap(outer, preprocess=PREPARE)
        assert list(net.layers()) == list(bare.layers())
        assert prefix_key(net, "last") == prefix_key(bare, "last")


def test_a_module_that_cannot_be_copied_says_why():
    """A tensor with a history, kept as an attribute, is the usual reason."""
    module = plain()
    module.kept = module[0].weight * 2
    with pytest.raises(BackboneError, match=r"wrapped cannot be copied.*Detach the tensors"):
        wrap(module, preprocess=PREPARE)


def test_paths_in_ids(nets_file, tmp_path):
    """Signs that mean something in an id mean nothing inside a path that exists."""
    odd = tmp_path / "a@b c+d%20e"
    odd.mkdir()
    file = odd / "w@2.pt"
    torch.save(load(f"torch:{nets_file}:build@random", preprocess=PREPARE).module.state_dict(), file)
    (odd / "nets.py").write_bytes(nets_file.read_bytes())
    net = load(f"torch:{odd}/nets.py:build?weights={file}", preprocess=PREPARE, device="cpu")
    assert net.source == str(file)
    here = Path.cwd()
    os.chdir(odd)
    try:
        assert load("torch:nets.py:build?weights=w@2.pt", preprocess=PREPARE, device="cpu").source == "w@2.pt"
        assert absolute("torch:nets.py:build?weights=w@2.pt") == f"torch:{odd}/nets.py:build?weights={file}"
    finally:
        os.chdir(here)
