"""`hf:` networks with two towers: CLIP, SigLIP and BLIP give features of images, of texts, or of both joined."""

import shutil

import pytest
import torch
from torch.nn.functional import normalize

from icecore.backbones import JoinedBackbone, extras, load, load_saved, save
from icecore.errors import BackboneError, PreprocessingError, UsageError
from icecore.prefix import Column, blocks, column_key, pool, raw_columns
from tests.backbones.networks import close, whole
from tests.towers import write_towers

RAGGED = ["a photo of the red cat", "dog", "the square"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """By the name of a family, its folder."""
    home = tmp_path_factory.mktemp("towers")
    return lambda name: home / name if (home / name).is_dir() else write_towers(name, home / name)


def mean(layer, value):
    return pool(layer, value, "none" if layer.axes == ("channels",) else "mean")


def run(net, inputs, layers=("last",), reduce=mean):
    return net.run([net.prepare(one) for one in inputs], list(layers), reduce)


def test_blip_for_retrieval_matches_as_its_own_forward_does(folder, images):
    """The product of the normalised halves is the score that the library gives each image and text."""
    transformers = extras.require("transformers", "hf")
    own = transformers.BlipForImageTextRetrieval.from_pretrained(folder("blip-retrieval")).eval()
    tokens = transformers.AutoTokenizer.from_pretrained(folder("blip-retrieval"))(
        RAGGED, padding=True, return_token_type_ids=False, return_tensors="pt"
    )
    net = load(f"hf:{folder('blip-retrieval')}?input=image+text", device="cpu")
    found = run(net, list(zip(images, RAGGED, strict=True)), ["image.last", "text.last"])
    score = normalize(found["image.last"], dim=-1) @ normalize(found["text.last"], dim=-1).T
    pixels = torch.stack([net.parts["image"].prepare(image) for image in images])
    with torch.no_grad():
        assert close(score, own(pixel_values=pixels, **tokens, use_itm_head=False).itm_score)


def test_blip_for_captions_gives_images_alone(folder):
    """Of texts it says what it lacks."""
    with pytest.raises(BackboneError, match="BlipForConditionalGeneration gives no features of a text alone"):
        load(f"hf:{folder('blip-captions')}?input=text", device="cpu")


@pytest.mark.parametrize("wanted", ["image", "text", "image+text"])
def test_the_blocks_of_each_tower_are_found(wanted, folder):
    """Three of each; there are no logits."""
    net = load(f"hf:{folder('clip')}?input={wanted}", device="cpu")
    assert len(blocks(net)) == 3 * len(wanted.split("+"))
    assert net.modality == wanted
    assert "logits" not in net.layers()


def test_blip_2_reads_images_alone(folder):
    """`last` is what its queries find, one token each; a changed query is another network."""
    name = f"hf:{folder('blip2')}"
    net, other = load(name, device="cpu"), load(name, device="cpu")
    assert (net.layers()["last"].shape, net.layers()["last"].axes) == ((4, 32), ("tokens", "channels"))
    other.module.query_tokens.data.add_(1)
    assert column_key(other, Column("last", "mean")) != column_key(net, Column("last", "mean"))
    with pytest.raises(BackboneError, match="Blip2ForConditionalGeneration gives no features of a text alone"):
        load(f"{name}?input=text", device="cpu")


def test_siglip_reads_padding_but_pools_words(folder):
    """Its texts are always padded to one length, as it was trained; the mean of a layer is over real tokens alone."""
    net = load(f"hf:{folder('siglip')}?input=text", device="cpu")
    (first,) = blocks(net)[:1]
    with torch.no_grad():
        prepared = [net.prepare(text) for text in RAGGED]
        assert net.stack(prepared)["input_ids"].shape == (3, 16)
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
