"""The table of systems that must work: each keeps to the rules, and gives what its own library gives, to 1e-5."""

from contextlib import ExitStack

import pytest
import torch

from icecore.prefix import blocks, pool
from icecore.testing import check_backbone
from tests.backbones import systems
from tests.backbones.networks import close
from tests.backbones.systems import Bench
from tests.backbones.test_hf_sound import TINY as SOUNDS
from tests.texts import FAMILIES as TEXTS

# By provider and builder: systems that are quick to look at, and others.
QUICK = {
    "torchvision": ["resnet18", "mobilenet_v3_small", "mnasnet0_5", "shufflenet_v2_x0_5", "squeezenet1_1"],
    "torchvision_file": ["mobilenet_v2"],
    "timm": [
        *("test_vit", "test_resnet", "test_convnext", "test_efficientnet", "mobilenetv3_small_050"),
        "xcit_nano_12_p16_224",
    ],
    "hf_image": [
        *("vit", "vit-base", "deit", "dinov2", "beit", "resnet", "convnext", "swin", "efficientnet", "mobilenet"),
        "mobilenet_v2_hf",
    ],
    "hf_text": [*TEXTS, "sentence"],
    "minilm": [],
    "stories": [],
    "hf_towers": [
        *(f"{name} {way}" for name in ("clip", "siglip", "blip") for way in ("image", "text", "image+text")),
        *(f"blip-retrieval {way}" for way in ("image", "text", "image+text")),
        *("blip-captions image", "blip2 image", "blip2-base image", "blip2-retrieval image"),
    ],
    "hf_sound": [*SOUNDS],
    "keras_file": ["net.keras", "pretrainedResnet.h5", "vww_96.h5"],
    "keras_memory": [],
    "onnx": [],
    "onnx_of_torch": [],
    "silero": [],
    "tflite": [
        ("kws_ref_model_float32.tflite", 49, 10, 1),
        ("yamnet_spectra_in.tflite", 96, 64),
        "mobilenet_v1_0.25_128_quant.tflite",
        "mobilenet_v1_1.0_224_quant_embedding_extractor.tflite",
        "tf2_mobilenet_v2_1.0_224_ptq.tflite",
    ],
    "model2vec": ["small", "model2vec_static"],
    "text_s": [],
    "glove": [],
    "api": [],
    "bundled": ["icecore:vision-s", "icecore:vision-s@random", "icecore:audio-s", "icecore:audio-s@random"],
    "resnet20_file": [],
    "efficientat": [],
}
SLOW = {
    "torchvision": [
        *("alexnet", "vgg11_bn", "resnext50_32x4d", "inception_v3", "googlenet", "densenet121", "squeezenet1_0"),
        *("mobilenet_v2", "mobilenet_v3_large", "efficientnet_b0", "efficientnet_v2_s", "convnext_tiny", "vit_b_32"),
        *("swin_t", "swin_v2_t", "maxvit_t", "wide_resnet50_2", "regnet_y_400mf"),
    ],
    "timm": [
        *("vit_tiny_patch16_224", "deit_tiny_distilled_patch16_224", "cait_xxs24_224", "levit_128s", "mixer_s32_224"),
        *("swin_tiny_patch4_window7_224", "resmlp_12_224", "pit_ti_224", "pvt_v2_b0", "poolformer_s12", "regnetx_002"),
        *("densenet121", "efficientnet_b0", "inception_v3", "mobilevit_xxs", "edgenext_xx_small", "ghostnet_050"),
        *("repvgg_a0", "resnetv2_50x1_bit", "twins_pcpvt_small", "coat_tiny", "crossvit_tiny_240", "hrnet_w18_small"),
        *("maxvit_nano_rw_256", "nfnet_l0", "tiny_vit_5m_224", "dpn48b", "fastvit_t8", "hiera_tiny_224"),
        *("volo_d1_224", "efficientformer_l1", "mobilenetv4_conv_small_035", "convnext_atto"),
        *("eva02_tiny_patch14_224", "test_vit4"),
    ],
    "keras": [
        *("VGG16?input_shape=[32,32,3]", "ResNet50?input_shape=[32,32,3]", "InceptionV3?input_shape=[75,75,3]"),
        *("MobileNet?alpha=0.25&input_shape=[32,32,3]", "EfficientNetB0?input_shape=[32,32,3]"),
    ],
}


def rows(table, marks=()):
    """A parameter for each system: a builder with what it is told."""
    for builder, names in table.items():
        for name in names or [()]:
            told = name if isinstance(name, tuple) else (name,)
            label = " ".join([builder, *map(str, told[:1])])
            yield pytest.param(getattr(systems, builder), told, id=label, marks=marks)


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("systems")


@pytest.fixture
def bench(request, home):
    with ExitStack() as ends:
        yield Bench(request, home, ends)


def features(net, inputs, layers):
    def reduce(layer, value):
        return pool(layer, value, "none" if layer.axes == ("channels",) else "mean")

    return net.run([net.prepare(one) for one in inputs], layers, reduce)


@pytest.mark.parametrize(("builder", "told"), [*rows(QUICK), *rows(SLOW, pytest.mark.slow)])
def test_a_system_works(builder, told, bench):
    """Equal to its library, every block can be pooled; frozen, the same in any company; for quick ones keys last."""
    system = builder(bench, *told)
    net = system.open()
    compared = system.compared or system.inputs
    with torch.no_grad():
        expected = system.expected(net)
    chain = [name for name in blocks(net) if "channels" in net.layers()[name].axes]
    found = features(net, compared, list(dict.fromkeys([*expected, *chain])))
    wrong = [layer for layer, value in expected.items() if not close(found[layer].flatten(1), value.flatten(1))]
    assert not wrong
    for name in chain:
        layer = net.layers()[name]
        assert found[name].shape == (len(compared), layer.shape[layer.axes.index("channels")])
    assert len(blocks(net)) >= system.blocks
    quick = bench.request.node.get_closest_marker("slow") is None
    ends = [name for name in ("input", "last", "logits") if name in net.layers()] if quick else ["last"]
    middle = chain[len(chain) // 2 :][:1]
    check_backbone(net, system.inputs, again=system.open() if quick else None, layers=[*middle, *ends])
