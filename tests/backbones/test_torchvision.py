"""`torchvision:`: the transforms of the weights enum, and the network below its classifier."""

import pytest
import torch

from icecore.backbones import extras, load, load_saved, save
from icecore.errors import WeightsError
from icecore.prefix import Column, column_key
from tests.backbones.networks import close, run


def test_real_weights_of_a_file(assets):
    """MobileNetV2 from a local file has the preprocessing of the named weights, which is said aloud."""
    file = assets / "weights" / "mobilenet_v2_torchvision" / "model.safetensors"
    net = load(f"torchvision:mobilenet_v2?weights={file}", device="cpu")
    assert "taken from MobileNet_V2_Weights.IMAGENET1K_V1" in net.notes[0]
    assert (net.source, net.licence.name) == (str(file), "unknown")


def test_preprocessing_beside_the_file_wins(assets, tmp_path):
    """`preprocess.json` in the folder of the weights is theirs."""
    file = tmp_path / "model.safetensors"
    file.symlink_to(assets / "weights" / "mobilenet_v2_torchvision" / "model.safetensors")
    (tmp_path / "preprocess.json").write_text('{"resize": "exact", "resize_size": 64}', "utf-8")
    net = load(f"torchvision:mobilenet_v2?weights={file}", device="cpu")
    assert (net.layers()["input"].shape, net.notes) == ((3, 64, 64), ())


@pytest.mark.parametrize("name", ["mobilenet_v3_small@random-3", "shufflenet_v2_x0_5?num_classes=7@random"])
def test_a_saved_backbone_is_whole(name, images, tmp_path):
    """The folder brings back features and keys."""
    same_again(name, images, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["googlenet@random", "inception_v3@random", "vit_b_32@random"])
def test_a_saved_backbone_is_whole_for_networks_with_ways_of_their_own(name, images, tmp_path):
    """Those that transform their input again when they are pretrained, and those of another size."""
    same_again(name, images, tmp_path)


def same_again(name, images, folder):
    net = load(f"torchvision:{name}", device="cpu")
    save(net, folder)
    again = load_saved(net.id, folder, net.preprocessing.value, "cpu")
    assert column_key(again, Column("last", "none")) == column_key(net, Column("last", "none"))
    assert torch.equal(run(again, images, ["last"])["last"], run(net, images, ["last"])["last"])


@pytest.mark.slow
def test_googlenet_of_a_file_transforms_its_input(images, tmp_path):
    """Pretrained GoogLeNet normalises its input again inside: so does the one whose weights come from a file."""
    models = extras.require("torchvision.models", "timm")
    own = models.googlenet(aux_logits=True, transform_input=True, init_weights=True).eval()
    torch.save(own.state_dict(), tmp_path / "w.pt")
    net = load(f"torchvision:googlenet?weights={tmp_path}/w.pt", device="cpu")
    x = torch.stack([net.prepare(image) for image in images])
    with torch.no_grad():
        assert close(run(net, images, ["logits"])["logits"], own(x))


def test_named_weights_that_there_are_not():
    """The error lists those that there are."""
    with pytest.raises(WeightsError, match=r"no weights called 'V9'.*It has IMAGENET1K_V1, IMAGENET1K_V2"):
        load("torchvision:mobilenet_v2@V9")


def test_wrong_options():
    """One sentence with torchvision's own reason."""
    with pytest.raises(WeightsError, match=r"cannot be built:.*no_such_option"):
        load("torchvision:mobilenet_v2?no_such_option=1@random")


def test_weights_that_do_not_fit(assets):
    """Another architecture's file: what is missing is counted, not filled with random numbers."""
    file = assets / "weights" / "mobilenet_v2_torchvision" / "model.safetensors"
    with pytest.raises(WeightsError, match=r"do not fit the network: \d+ names are missing"):
        load(f"torchvision:resnet18?weights={file}", device="cpu")
