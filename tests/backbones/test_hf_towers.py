"""`hf:` networks with two towers: CLIP, SigLIP and BLIP give features of images, of texts, or of both joined."""

import shutil

import pytest
import torch
from torch.nn.functional import normalize

from icecore.backbones import JoinedBackbone, extras, load, load_saved, save
from icecore.errors import BackboneError, PreprocessingError, UsageError
from icecore.prefix import Column, blocks, column_key, pool, raw_columns
from icecore.testing import check_backbone
from tests.backbones.networks import close, whole
from tests.towers import FAMILIES, write_towers

TEXTS = ["red cat one", "dog two red", "one cat dog"]  # of equal length for every tokenizer
RAGGED = ["a photo of the red cat", "dog", "the square"]
BOTH = [name for name in FAMILIES if name != "blip-captions"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """By the name of a family, its folder."""
    home = tmp_path_factory.mktemp("towers")
    return lambda name: home / name if (home / name).is_dir() else write_towers(name, home / name)


def mean(layer, value):
    return pool(layer, value, "none" if layer.axes == ("channels",) else "mean")


def run(net, inputs, layers=("last",), reduce=mean):
    return net.run([net.prepare(one) for one in inputs], list(layers), reduce)


def theirs(folder, images, texts):
    """What the library's own processor, tokenizer and network give: features of images and of texts."""
    transformers = extras.require("transformers", "hf")
    config = transformers.AutoConfig.from_pretrained(folder)
    net = getattr(transformers, config.architectures[0]).from_pretrained(folder).eval()
    padding = "max_length" if config.model_type == "siglip" else True
    tokens = transformers.AutoTokenizer.from_pretrained(folder)(texts, padding=padding, return_tensors="pt")
    tokens = {name: value for name, value in tokens.items() if name != "token_type_ids"}
    if config.model_type == "siglip":
        del tokens["attention_mask"]
    pixels = transformers.AutoImageProcessor.from_pretrained(folder)(images=images, return_tensors="pt")
    with torch.no_grad():
        if hasattr(net, "get_text_features"):
            return net.get_image_features(**pixels).pooler_output, net.get_text_features(**tokens).pooler_output
        return net(**pixels, **tokens, use_itm_head=False).itm_score


@pytest.mark.parametrize("name", [name for name in BOTH if name != "blip-retrieval"])
def test_each_half_equals_the_library(name, folder, images):
    """`last` is what `get_image_features` and `get_text_features` give, of texts in any company; joined, both."""
    expected = theirs(folder(name), images, RAGGED)
    image = run(load(f"hf:{folder(name)}", device="cpu"), images)["last"]
    text = run(load(f"hf:{folder(name)}?input=text", device="cpu"), RAGGED)["last"]
    assert close(image, expected[0])
    assert close(text, expected[1])
    both = load(f"hf:{folder(name)}?input=image+text", device="cpu")
    assert close(run(both, list(zip(images, RAGGED, strict=True)))["last"], torch.cat(expected, 1))
    assert both.modality == "image+text"


def test_blip_for_retrieval_matches_as_its_own_forward_does(folder, images):
    """The product of the normalised halves is the score that the library gives each image and text."""
    net = load(f"hf:{folder('blip-retrieval')}?input=image+text", device="cpu")
    found = run(net, list(zip(images, RAGGED, strict=True)), ["image.last", "text.last"])
    score = normalize(found["image.last"], dim=-1) @ normalize(found["text.last"], dim=-1).T
    assert close(score, theirs(folder("blip-retrieval"), images, RAGGED))


def test_blip_for_captions_gives_images_alone(folder, images):
    """Its image tower's pooled output; of texts it says what it lacks."""
    net = load(f"hf:{folder('blip-captions')}", device="cpu")
    with torch.no_grad():
        own = net.module.whole[0].vision_model(torch.stack([net.prepare(image) for image in images])).pooler_output
    assert close(run(net, images)["last"], own)
    with pytest.raises(BackboneError, match="BlipForConditionalGeneration gives no features of a text alone"):
        load(f"hf:{folder('blip-captions')}?input=text", device="cpu")


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("wanted", ["image", "text", "image+text"])
def test_it_conforms(name, wanted, folder, images):
    """Frozen, the same in any company, with honest shapes and stable keys; the blocks of each tower are found."""
    if name not in BOTH and wanted != "image":
        pytest.skip("a decoder of captions gives no features of texts")
    inputs = {"image": images, "text": TEXTS, "image+text": list(zip(images, TEXTS, strict=True))}[wanted]
    net = load(f"hf:{folder(name)}?input={wanted}", device="cpu")
    layers = None if name == "clip" else [blocks(net)[0], blocks(net)[-1], "input", "last"]
    check_backbone(net, inputs, again=load(f"hf:{folder(name)}?input={wanted}", device="cpu"), layers=layers)
    assert len(blocks(net)) == 3 * len(wanted.split("+"))
    assert net.layers()["last"].axes == ("channels",)
    assert "logits" not in net.layers()


def test_siglip_reads_padding_but_pools_words(folder):
    """Its texts are always padded to one length, as it was trained; the mean of a layer is over real tokens alone."""
    net = load(f"hf:{folder('siglip')}?input=text", device="cpu")
    (first,) = blocks(net)[:1]
    with torch.no_grad():
        prepared = [net.prepare(text) for text in RAGGED]
        assert net._stack(prepared)["input_ids"].shape == (3, 16)
        found = [run(net, [text], [first], whole)[first] for text in RAGGED]
    assert [one.shape[1] for one in found] == [item.shape[1] for item in prepared]
    assert close(run(net, RAGGED, [first])[first], torch.cat([one[:, 1:].mean(1) for one in found]))


def test_joined_layers_are_those_of_the_halves(folder, images):
    """Under the half's name, whatever else comes in the same pass."""
    pairs = list(zip(images, RAGGED, strict=True))
    both = load(f"hf:{folder('clip')}?input=image+text", device="cpu")
    image, text = (load(f"hf:{folder('clip')}?input={name}", device="cpu") for name in ("image", "text"))
    names = ["image.last", blocks(both)[0], blocks(both)[-1], "text.last", "last", "input"]
    found = run(both, pairs, names)
    halves = run(image, images, [blocks(image)[0], "last"]), run(text, RAGGED, [blocks(text)[-1], "last"])
    assert close(found[blocks(both)[0]], halves[0][blocks(image)[0]])
    assert close(found[blocks(both)[-1]], halves[1][blocks(text)[-1]])
    assert torch.equal(found["last"], torch.cat([found["image.last"], found["text.last"]], 1))
    assert close(found["image.last"], halves[0]["last"])
    assert raw_columns(both) == [Column("input", "none")]
    assert list(found) == names
    raw = run(image, images, ["input"], lambda layer, value: pool(layer, value, "thumbnail"))["input"]
    assert close(found["input"], torch.cat([raw, run(text, RAGGED, ["input"])["input"]], 1))


def test_another_text_tower_is_no_other_image_tower(folder, tmp_path):
    """The key of a half depends on its own weights alone; that of both on all."""
    shutil.copytree(folder("clip"), tmp_path / "other")
    net = load(f"hf:{tmp_path / 'other'}?input=text", device="cpu")
    net.module.text_projection.weight.data += 1
    save(net, tmp_path / "other")

    def keys(wanted):
        nets = [load(f"hf:{one}?input={wanted}", device="cpu") for one in (folder("clip"), tmp_path / "other")]
        return {column_key(net, Column("last", "none")) for net in nets}

    assert [len(keys(wanted)) for wanted in ("image", "text", "image+text")] == [1, 2, 2]


@pytest.mark.parametrize("wanted", ["image", "text", "image+text"])
def test_a_saved_backbone_is_whole(wanted, folder, images, tmp_path):
    """From the artifact's folder alone come the same features under the same keys."""
    shutil.copytree(folder("blip-retrieval"), tmp_path / "original")
    inputs = {"image": images, "text": RAGGED, "image+text": list(zip(images, RAGGED, strict=True))}[wanted]
    net = load(f"hf:{tmp_path / 'original'}?input={wanted}", device="cpu")
    expected, key = run(net, inputs)["last"], column_key(net, Column("last", "none"))
    save(net, tmp_path / "backbone")
    shutil.rmtree(tmp_path / "original")
    again = load_saved(net.id, tmp_path / "backbone", net.preprocessing.value, "cpu")
    assert column_key(again, Column("last", "none")) == key
    assert torch.equal(run(again, inputs)["last"], expected)


def test_random_weights_and_an_image_preprocessing_of_one_s_own(folder):
    """`@random` goes with `?input=`; `--preprocess` is for the images, and no use for texts."""
    name = f"hf:{folder('clip')}?input=image+text@random"
    own = load(name, device="cpu").parts["image"].preprocessing
    net = load(name, preprocess=own, device="cpu")
    assert isinstance(net, JoinedBackbone)
    assert net.preprocessing.parts["image"] is own
    with pytest.raises(PreprocessingError, match="reads texts"):
        load(f"hf:{folder('clip')}?input=text", preprocess=own, device="cpu")


def test_an_unknown_input(folder):
    """The error lists what can be asked for."""
    with pytest.raises(UsageError, match=r"asks for the input 'sound'\. One of image, text, image\+text"):
        load(f"hf:{folder('clip')}?input=sound", device="cpu")
