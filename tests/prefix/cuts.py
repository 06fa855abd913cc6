"""Cut networks in tests: what their replays are compared with, and the plain loop beside them."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from icecore.backbones import LAST, TorchBackbone, extras, load
from icecore.data import ImagePreprocessing
from icecore.prefix import Cutter, Prefix, Suffix, canonical_pooling, cut, pool
from tests.sounds import sound
from tests.texts import WORDS, write_network

IMAGES = {
    "resnet18": "timm:resnet18@random",
    "mobilenetv2": "timm:mobilenetv2_100@random",
    "efficientnet": "timm:efficientnet_b0@random",
    "convnext": "timm:convnext_tiny@random",
    "vit": "timm:vit_tiny_patch16_224?img_size=64@random",
    "swin": "timm:swin_tiny_patch4_window7_224?img_size=64@random",
}
_CONV = {
    "conv_dim": (16, 16, 16), "conv_kernel": (10, 3, 3), "conv_stride": (5, 4, 4), "num_feat_extract_layers": 3,
    "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2,
}  # fmt: skip
_BODY = _CONV | {"hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 2, "intermediate_size": 48}
_LAYER = {"feat_extract_norm": "layer", "do_stable_layer_norm": True}
SOUNDS = {"wav2vec2": ("Wav2Vec2", _BODY), "wav2vec2-layer": ("Wav2Vec2", _BODY | _LAYER), "wavlm": ("WavLM", _BODY)}
KERAS = "keras:VGG16?input_shape=[32,32,3]@random"
_STEPS = 10
WINDOWS = "?long=windows&max_length=9"


def marked(name: str) -> Any:
    """A parameter of a test: Keras copies networks slowly."""
    return pytest.param(name, marks=pytest.mark.slow) if name == "vgg16" else name


def network(name: str, home: Path) -> TorchBackbone:
    """A network by its name here, with `?options` for texts."""
    own, _, options = name.partition("?")
    if own in IMAGES:
        return load(IMAGES[own], preprocess=ImagePreprocessing(resize="exact", resize_size=64), device="cpu")
    if own == "vgg16":
        return load(KERAS, device="cpu")
    folder = home / own
    if not folder.is_dir():
        (_write_sounds if own in SOUNDS else write_network)(own, folder)
    return load(f"hf:{folder}{options and '?'}{options}", device="cpu")


def _write_sounds(name: str, folder: Path) -> None:
    transformers = extras.require("transformers", "hf")
    transformers.utils.logging.disable_progress_bar()
    family, config = SOUNDS[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        module = getattr(transformers, f"{family}Model")(getattr(transformers, f"{family}Config")(**config))
    module.save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(return_attention_mask="layer" in name).save_pretrained(folder)


def inputs(net: TorchBackbone, seed: int = 0) -> list[Any]:
    """Four prepared inputs, of mixed lengths where the network may take them together."""
    if net.modality == "image":
        return list(torch.randn(4, *net.layers()["input"].shape, generator=torch.Generator().manual_seed(seed)))
    if net.modality == "sound":
        lengths = (0.3, 0.3, 0.3, 0.3) if net.equal_lengths else (0.3, 0.42, 0.35, 0.5)
        return [net.prepare(sound(s, 300 + 100 * i, seed=seed + i)) for i, s in enumerate(lengths)]
    words = WORDS[seed:] + WORDS[:seed]
    return [net.prepare(" ".join((words * 2)[i : i + n])) for i, n in enumerate((5, 12, 3, 40))]


def whole(net: TorchBackbone, batch: Sequence[Any]) -> Tensor:
    """`last` by the full forward, pooled."""
    return net.run(batch, [LAST], _pooled)[LAST]


def replayed(prefix: Prefix, suffix: Suffix, batch: Sequence[Any], rows: Any = None) -> Tensor:
    """The same from rows as the store keeps them, without the real numbers of the inputs."""
    net, at = prefix.backbone, suffix.place.at
    rows = prefix.rows(batch) if rows is None else rows
    thin = [net.thin(item) for item in batch]
    return features(net, suffix(prefix.boundary(at, rows, thin), net.stack_thin(thin)), batch)


def features(net: TorchBackbone, value: Tensor, batch: Sequence[Any]) -> Tensor:
    """A vector an item of what a network gave."""
    return net.reduced(net.layers()[LAST], value, batch, _pooled)


def difference(found: Tensor, expected: Tensor) -> float:
    """The largest, relative to the largest value."""
    assert found.shape == expected.shape
    return float((found - expected).detach().abs().max() / expected.detach().abs().max())


def cuts_hold(net: TorchBackbone, places: Sequence[str], seed: int = 1) -> None:
    """Every replay from these places is the full forward, to 1e-5, on inputs that are not the probe's."""
    cutter = Cutter(net)
    found = [cutter.place(at) for at in places]
    prefix, batch = cutter.prefix(found), inputs(net, seed)
    rows, expected = prefix.rows(batch), whole(net, batch)
    for place in found:
        suffix = cutter.suffix(place)
        assert suffix is not None, place.at
        with torch.no_grad():
            assert difference(replayed(prefix, suffix, batch, rows), expected) <= 1e-5, place.at


def trains_alike(net: TorchBackbone, at: str, after: Sequence[str], rate: float) -> float:
    """The largest difference of weights after ten steps of SGD from stored rows, and of a plain loop that trains these
    modules.
    """
    batches = [inputs(net, seed) for seed in (1, 2)]
    expected = _plain_loop(net, after, batches, rate)
    found = _from_boundary(*cut(net, at), batches, rate)
    assert found.keys() == expected.keys()
    assert len(found) > 1
    moved = [difference(net.module.get_parameter(name), value) for name, value in expected.items() if name != "head"]
    assert max(moved) > 1e-3
    return max(difference(found[name], value) for name, value in expected.items())


def _from_boundary(prefix: Prefix, suffix: Suffix, batches: Sequence[Any], rate: float) -> dict[str, Tensor]:
    head = _head(prefix.backbone)
    stored = [prefix.rows(batch) for batch in batches]
    optimiser = torch.optim.SGD([*suffix.trainable.values(), *head.parameters()], rate)
    suffix.eval()
    for batch, rows in list(zip(batches, stored, strict=True)) * (_STEPS // len(batches)):
        _step(optimiser, head(replayed(prefix, suffix, batch, rows)))
    return {**suffix.trainable, "head": head.weight}


def _plain_loop(net: TorchBackbone, after: Sequence[str], batches: Sequence[Any], rate: float) -> dict[str, Tensor]:
    """The whole network every step, of which only modules with these paths are trained."""
    module, head = copy.deepcopy(net.module).requires_grad_(False).eval(), _head(net)
    tuned = {name: v for name, v in module.named_parameters() if name.startswith(tuple(f"{path}." for path in after))}
    for value in tuned.values():
        value.requires_grad = True
    optimiser = torch.optim.SGD([*tuned.values(), *head.parameters()], rate)
    for batch in list(batches) * (_STEPS // len(batches)):
        _step(optimiser, head(features(net, _last(net, module, net.stack(batch)), batch)))
    return {**tuned, "head": head.weight}


def _last(net: TorchBackbone, module: Any, stacked: Any) -> Tensor:
    """As each library documents it."""
    if hasattr(module, "forward_head"):
        return module.forward_head(module.forward_features(stacked), pre_logits=True)
    if net.classifier is None:
        output = module(**stacked)
        pooled = getattr(output, "pooler_output", None)
        return output.last_hidden_state if pooled is None else pooled
    taken: list[Tensor] = []
    with module.get_submodule(net.classifier).register_forward_pre_hook(lambda _module, args: taken.append(args[0])):
        module(stacked)
    return taken[0]


def _head(net: TorchBackbone) -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear([size for size in net.layers()[LAST].shape if size > 0][-1], 3)


def _step(optimiser: torch.optim.Optimizer, scores: Tensor) -> None:
    optimiser.zero_grad()
    F.cross_entropy(scores, torch.arange(len(scores)) % 3).backward()
    optimiser.step()


def _pooled(layer: Any, value: Tensor) -> Tensor:
    return pool(layer, value, canonical_pooling(layer, "mean"))
