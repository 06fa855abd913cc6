"""`SequenceBackbone`: inputs of any length, whatever shares a batch with them."""

import pytest
import torch
from torch import nn

from icecore.backbones import FREE, Layer, SequenceBackbone, Window, Windows
from icecore.data import bag_of_words
from icecore.errors import BackboneError
from icecore.prefix import Column, column_key, pool
from icecore.testing import check_backbone
from tests.backbones.networks import close, seeded

WIDTH, KERNEL = 8, 2
TEXTS = ("a b c d e f g h i j", "b d f h j l n p r t v", "z z z z z z z z z z a", "q w e r t z u i o p")  # 11, 12 steps


class Letters:
    """A window of letters as numbers, or several of at most `most`."""

    def __init__(self, most: int = 99) -> None:
        self.most = most

    @property
    def value(self):
        return {"type": "letters", "most": self.most}

    def __call__(self, text: str) -> Windows:
        numbers = torch.tensor([0] + [ord(letter) % 32 for letter in text.split()])
        parts = [numbers[i : i + self.most] for i in range(0, len(numbers), self.most)]
        return Windows(tuple(Window({"ids": part}, len(part)) for part in parts), text)


class Reader(nn.Module):
    """Attention over letters, and frames of a convolution before it; padding is masked."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(32, WIDTH)
        self.frames = nn.Conv1d(WIDTH, 6, KERNEL, KERNEL)
        self.blocks = nn.ModuleList(nn.TransformerEncoderLayer(WIDTH, 2, 16, 0.0, batch_first=True) for _ in range(2))
        self.fc = nn.Linear(WIDTH, 3)

    def forward(self, ids, attention_mask):
        x = self.embed(ids)
        self.frames(x.mT)
        for block in self.blocks:
            x = block(x, src_key_padding_mask=attention_mask == 0)
        weights = attention_mask[:, :, None] / attention_mask.sum(1)[:, None, None]
        return self.fc((x * weights).sum(1))


def reader(most: int = 99, **options) -> SequenceBackbone:
    return SequenceBackbone(
        seeded(Reader()), samples=("a", "a b c d e f g h"), id="reader", provider="test.v1", architecture={},
        preprocessing=Letters(most), modality="text", raw=bag_of_words, **{"prefix_tokens": 1} | options,
    )  # fmt: skip


def whole_frames(steps: int, padded: int, length: int) -> int:
    return length if steps == padded else length // KERNEL


def mean(layer: Layer, value: torch.Tensor) -> torch.Tensor:
    return pool(layer, value, "none" if layer.axes == ("channels",) else "mean")


def each_alone(net, texts, layers):
    runs = [net.run([net.prepare(text)], layers, mean) for text in texts]
    return {name: torch.cat([run[name] for run in runs]) for name in layers}


def test_it_conforms():
    """Texts of different length in one batch, alone and in any order."""
    check_backbone(reader(steps=whole_frames), TEXTS, again=reader())


def test_layers_say_which_axis_follows_the_length():
    """Tokens and frames are found by trying two lengths; what has none keeps its shape."""
    layers = reader().layers()
    assert layers["blocks.1"] == Layer("blocks.1", (FREE, WIDTH), ("tokens", "channels"), block=1, prefix_tokens=1)
    assert layers["frames"] == Layer("frames", (6, FREE), ("channels", "tokens"))
    assert (layers["last"].shape, layers["logits"].shape) == ((WIDTH,), (3,))
    assert layers["input"].shape == bag_of_words("a").shape


def test_padding_never_changes_a_value():
    """Very different lengths in one batch: every layer, pooled over what is real, is as it is alone."""
    net = reader()
    texts = ["a b", *TEXTS, " ".join("abcdefghijklmnopqrstuvwxyz" * 2), "a b"]
    layers = [name for name in net.layers() if name != "frames"]
    found = net.run([net.prepare(text) for text in texts], layers, mean)
    assert all(close(found[name], expected) for name, expected in each_alone(net, texts, layers).items())


def test_real_frames_are_counted_by_the_network_s_own_rule():
    """Of a layer with fewer steps, only those are kept that padding has no part in."""
    net = reader(steps=whole_frames)
    texts = ["a b c d", "a b c d e f g h i j k l m n"]
    found = net.run([net.prepare(text) for text in texts], ["frames"], mean)
    assert close(found["frames"], each_alone(net, texts, ["frames"])["frames"])


def test_windows_are_joined():
    """Tokens of all windows in order, the later class tokens left out; what has no tokens is averaged,
    each window by its own tokens.
    """
    text, net = "a b c d e f g h i j", reader(most=4)
    found = net.run([net.prepare("c"), net.prepare(text)], ["blocks.0", "last"], lambda _layer, value: value[:, -2:])
    parts = [
        SequenceBackbone.run(net, [Windows((w,))], ["blocks.0", "last"], lambda _l, v: v)
        for w in net.prepare(text).windows
    ]
    tokens = torch.cat([part["blocks.0"][0, (1 if i else 0) :] for i, part in enumerate(parts)])
    assert close(found["blocks.0"][1:], tokens[None, -2:])
    shares = torch.tensor([window.length - 1 for window in net.prepare(text).windows])[:, None]
    mean = (torch.stack([part["last"][0] for part in parts]) * shares).sum(0) / shares.sum()
    assert close(found["last"][1:], mean[None, -2:])


def test_buckets_hold_similar_lengths():
    """No more than a quarter of a batch is padding; where padding must not be, lengths are equal."""
    net, equal, lengths = reader(), reader(equal_lengths=True), range(2, 200)
    prepared = [Windows((Window({}, length),)) for length in lengths]
    assert all(length <= net.bucket(one) < length * 4 / 3 for length, one in zip(lengths, prepared, strict=True))
    assert len({equal.bucket(one) for one in prepared}) == len(prepared)


def test_an_input_that_is_cut_too_short_to_look_at():
    """The network cannot be asked which axes follow the length."""
    net = reader()
    net.preprocessing = lambda text: Windows((Window({"ids": torch.tensor([1, 2])}, 2),), text)
    with pytest.raises(BackboneError, match="cuts its inputs to 2 steps"):
        net.layers()


def test_the_windows_are_part_of_the_key():
    """Another length of window, another key."""
    column = Column("last", "none")
    assert column_key(reader(), column) != column_key(reader(most=4), column)
