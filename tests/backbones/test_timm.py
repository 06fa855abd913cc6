"""`timm:`: timm's own transform, network and pooled features, in every family."""

import json

import pytest
import torch

from icecore.backbones import extras, load, load_saved, save
from icecore.errors import WeightsError
from icecore.prefix import Column, blocks, column_key, pool
from tests.backbones.networks import close, run


def test_the_mean_of_tokens_is_timms_own(images):
    """Leaving the class and register tokens out, as timm's average pooling does."""
    for name in ("test_vit", "test_vit4"):
        net = load(f"timm:{name}?global_pool=avg&fc_norm=false@random", device="cpu")
        x = torch.stack([net.prepare(image) for image in images])
        layer = net.layers()["norm"]
        with torch.no_grad():
            expected = net.module.pool(net.module.forward_features(x))
        found = pool(layer, run(net, images, ["norm"])["norm"], "mean")
        assert close(found, expected)
        assert layer.prefix_tokens == net.module.num_prefix_tokens > 0


@pytest.mark.slow
def test_class_tokens_that_come_late():
    """CaiT adds its class token in the last two blocks: before, every token is a place."""
    layers = load("timm:cait_xxs24_224@random", device="cpu").layers()
    assert (layers["blocks.0"].shape[0], layers["blocks.0"].prefix_tokens) == (196, 0)
    assert (layers["norm"].shape[0], layers["norm"].prefix_tokens) == (197, 1)


@pytest.mark.slow
def test_swin_has_its_channels_last():
    """Its activations are (height, width, channels), and are pooled so."""
    layers = load("timm:swin_tiny_patch4_window7_224@random", device="cpu").layers()
    assert layers["layers.3.blocks.1"].shape == (7, 7, 768)
    assert layers["layers.3.blocks.1"].axes == ("height", "width", "channels")


def test_last_and_blocks_come_from_one_pass(images):
    """Also where timm's own way leads to `last`, as for a network without a classifier."""
    net = load("timm:test_resnet?num_classes=0@random", device="cpu")
    net.layers()
    calls = []
    handle = net.module.conv1.register_forward_hook(lambda *_: calls.append(1))
    run(net, images, ["last", *blocks(net)])
    handle.remove()
    assert len(calls) == 1


def test_options_are_timms_own(images):
    """Arguments of `create_model` go into the id, and into the key."""
    small = load("timm:test_resnet?in_chans=3&num_classes=7@random", device="cpu")
    assert small.layers()["logits"].shape == (7,)
    other = load("timm:test_resnet@random", device="cpu")
    assert column_key(small, Column("last", "none")) != column_key(other, Column("last", "none"))


def test_grey_networks_take_grey_images(images):
    """A network of one channel sees the luma of an RGB image."""
    net = load("timm:test_resnet?in_chans=1@random", device="cpu")
    assert run(net, images, ["input"])["input"].shape[1] == 1


@pytest.mark.parametrize(
    "name",
    [
        "test_resnet?num_classes=7&global_pool=max@random",
        "test_vit@random-2",
        "vit_tiny_patch16_224.augreg_in21k?depth=2@random",  # a tag of other classes than the first tag's
    ],
)
def test_a_saved_backbone_is_whole(name, images, tmp_path):
    """The folder is a timm folder, and brings back features and keys, options and tag included."""
    net = load(f"timm:{name}", device="cpu")
    save(net, tmp_path)
    again = load_saved(net.id, tmp_path, net.preprocessing.value, "cpu")
    for layer in ("last", "logits"):
        assert torch.equal(run(again, images, [layer])[layer], run(net, images, [layer])[layer])
        assert column_key(again, Column(layer, "none")) == column_key(net, Column(layer, "none"))


def test_a_local_folder_and_a_local_file(images, tmp_path):
    """A folder of timm's own making, by path alone; and a state dict for a named architecture."""
    timm = extras.require("timm", "timm")
    net = load("timm:test_resnet@random-4", device="cpu")
    timm.models.save_for_hf(net.module, tmp_path / "folder", safe_serialization=True)
    torch.save({"state_dict": net.module.state_dict()}, tmp_path / "w.pt")
    expected = run(net, images, ["last"])["last"]
    folder = load(str(tmp_path / "folder"), device="cpu")
    file = load(f"timm:test_resnet?weights={tmp_path}/w.pt", device="cpu")
    assert torch.equal(run(folder, images, ["last"])["last"], expected)
    assert torch.equal(run(file, images, ["last"])["last"], expected)
    assert column_key(file, Column("last", "none")) == column_key(net, Column("last", "none"))
    assert (folder.source, file.source) == (str(tmp_path / "folder"), f"{tmp_path}/w.pt")


def test_what_a_folder_says_about_the_build_is_part_of_the_key(tmp_path):
    """Two folders of equal weights and another pooling are two networks."""
    nets = []
    for kind in ("avg", "max"):
        folder = tmp_path / kind
        save(load("timm:test_resnet@random", device="cpu"), folder)
        config = json.loads((folder / "config.json").read_text("utf-8"))
        config["model_args"] = {"global_pool": kind}
        (folder / "config.json").write_text(json.dumps(config), "utf-8")
        nets.append(load(f"timm:{folder}", device="cpu"))
    first, second = (column_key(net, Column("last", "none")) for net in nets)
    assert first != second


def test_an_unknown_tag_and_wrong_options():
    """One sentence with the reason."""
    with pytest.raises(WeightsError, match=r"timm:resnet18\.no_such_tag cannot be loaded"):
        load("timm:resnet18.no_such_tag")
    with pytest.raises(WeightsError, match=r"cannot be loaded:.*no_such_option"):
        load("timm:resnet18?no_such_option=1@random")
