"""`hf:` text networks of every family: padding, poolings, keys, windows, saving."""

import json
import shutil
import string
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from icecore.backbones import extras, load, load_saved, save
from icecore.data import remarks
from icecore.errors import BackboneError, PreprocessingError, UsageError
from icecore.prefix import Column, blocks, column_key, pool
from tests.backbones.networks import close, whole
from tests.texts import FAMILIES, LONGEST, WORDS, write_network, write_steps

TEXTS = ["my card is lost", "where is the refund", "I", " ".join(WORDS[:20])]
ALL = [*FAMILIES, "sentence"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """By the name of a family, its folder."""
    home = tmp_path_factory.mktemp("texts")
    return lambda name: home / name if (home / name).is_dir() else write_network(name, home / name)


def mean(layer, value):
    return pool(layer, value, "none" if layer.axes == ("channels",) else "mean")


def run(net, texts, layers=("last",), reduce=mean):
    return net.run([net.prepare(text) for text in texts], list(layers), reduce)


def theirs(folder, text):
    """What Transformers gives one text: its own class, and all hidden states."""
    transformers = extras.require("transformers", "hf")
    config = transformers.AutoConfig.from_pretrained(folder)
    kind = config.architectures[0]
    if "T5" in kind:
        kind = "T5EncoderModel"
    tokens = transformers.AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt")
    cls = getattr(transformers, kind)
    with torch.no_grad():
        return cls.from_pretrained(folder).eval()(**tokens, output_hidden_states=True), tokens


@pytest.mark.parametrize("name", [name for name in FAMILIES if name.endswith("-classes")])
def test_logits_are_the_classifier_s(name, folder):
    """In a batch of different lengths, too, where GPT-2 looks for the last word."""
    net = load(f"hf:{folder(name)}", device="cpu")
    expected = torch.cat([theirs(folder(name), text)[0].logits for text in TEXTS])
    assert close(run(net, TEXTS, ["logits"])["logits"], expected)


@pytest.mark.parametrize("name", ALL)
def test_padding_never_changes_a_vector(name, folder):
    """One word beside twenty, every block and `last` under mean, max and last-token, as alone."""
    net = load(f"hf:{folder(name)}", device="cpu")
    layers = [*blocks(net), "last"]
    for way in ("mean", "max", "last-token"):

        def reduce(layer, value, way=way):
            return pool(layer, value, "none" if layer.axes == ("channels",) else way)

        together = run(net, TEXTS, layers, reduce)
        for place, text in enumerate(TEXTS):
            alone = run(net, [text], layers, reduce)
            assert all(close(together[layer][place][None], alone[layer]) for layer in layers)


@pytest.mark.parametrize("name", ["bert", "t5", "gpt2", "llama", "sentence", "gpt2-classes"])
def test_a_saved_network_is_whole(name, folder, tmp_path):
    """From the artifact's folder alone come the same vectors under the same keys."""
    original = shutil.copytree(folder(name), tmp_path / "original")
    net = load(f"hf:{original}", device="cpu")
    expected, key = run(net, TEXTS)["last"], column_key(net, Column("last", "mean"))
    save(net, tmp_path / "backbone")
    shutil.rmtree(original)
    again = load_saved(net.id, tmp_path / "backbone", net.preprocessing.value, "cpu")
    assert column_key(again, Column("last", "mean")) == key
    assert torch.equal(run(again, TEXTS)["last"], expected)


POOLINGS = {
    "cls_token": lambda h: h[:, 0],
    "max_tokens": lambda h: h.amax(1),
    "mean_sqrt_len_tokens": lambda h: h.sum(1) / h.shape[1] ** 0.5,
    "weightedmean_tokens": lambda h: (
        torch.einsum("ntc,t->nc", h, torch.arange(1.0, h.shape[1] + 1)) / sum(range(h.shape[1] + 1))
    ),
    "lasttoken": lambda h: h[:, -1],
}


@pytest.mark.parametrize("mode", POOLINGS)
def test_sentence_transformers_own_pooling_is_followed(mode, folder, tmp_path):
    """Every pooling that it knows, then a dense layer, its activation and the normalisation."""
    original = shutil.copytree(folder("sentence"), tmp_path / "net")
    dense = {"in_features": 32, "out_features": 5, "activation_function": "torch.nn.modules.activation.Tanh"}
    pooling = {"pooling_mode_mean_tokens": False, f"pooling_mode_{mode}": True}
    write_steps(original, [("Pooling", pooling), ("Dense", dense), ("Normalize", {})])
    weight, bias = torch.randn(5, 32), torch.randn(5)
    save_file({"linear.weight": weight, "linear.bias": bias}, original / "2_Dense" / "model.safetensors")
    net = load(f"hf:{original}", device="cpu")
    found = run(net, TEXTS)["last"]
    assert net.layers()["last"].shape == (5,)
    for text, one in zip(TEXTS, found, strict=True):
        pooled = POOLINGS[mode](theirs(original, text)[0].hidden_states[-1])
        assert close(one[None], F.normalize(torch.tanh(pooled @ weight.T + bias), dim=1))


def test_poolings_side_by_side_and_in_the_newer_form(folder, tmp_path):
    """Several modes are joined in sentence-transformers' order; newer folders name the mode in a word."""
    original = shutil.copytree(folder("sentence"), tmp_path / "net")
    write_steps(original, [("Pooling", {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": True})])
    tokens = theirs(original, TEXTS[0])[0].hidden_states[-1]
    found = run(load(f"hf:{original}", device="cpu"), TEXTS[:1])["last"]
    assert close(found, torch.cat([tokens[:, 0], tokens.mean(1)], 1))
    write_steps(original, [("Pooling", {"pooling_mode": "lasttoken"})])
    assert close(run(load(f"hf:{original}", device="cpu"), TEXTS[:1])["last"], tokens[:, -1])


def test_an_unknown_step_is_told(folder, tmp_path):
    """A folder is not half followed."""
    original = shutil.copytree(folder("sentence"), tmp_path / "net")
    write_steps(original, [("LSTM", {})])
    with pytest.raises(BackboneError, match="a step of the kind LSTM"):
        load(f"hf:{original}", device="cpu")


def test_what_is_too_long_is_cut_or_read_in_windows(folder):
    """The tokenizer's limit, or the id's; windows cover all of it and overlap by an eighth."""
    text = " ".join(WORDS)
    with remarks() as heard:
        assert load(f"hf:{folder('bert')}", device="cpu").prepare(text).shape == (1, LONGEST)
    assert heard == ["are longer than the network reads: their ends were left out"]
    assert load(f"hf:{folder('bert')}?max_length=9", device="cpu").prepare(text).shape == (1, 9)
    net = load(f"hf:{folder('bert')}?long=windows&max_length=16", device="cpu")
    with remarks() as heard:
        windows = net.prepare(text)
    assert not heard
    read = [window.inputs["input_ids"][1:-1].tolist() for window in windows.windows]
    assert all(after[:2] == before[-2:] for before, after in pairwise(read))
    assert read[0] + [number for part in read[1:] for number in part[2:]] == list(range(4, 4 + len(WORDS)))
    parts = [run(net, [" ".join(WORDS[n - 4] for n in part)]) for part in read]
    shares = torch.tensor([window.length - 1 for window in windows.windows])[:, None, None]
    expected = (torch.stack([part["last"] for part in parts]) * shares).sum(0) / shares.sum()
    assert close(run(net, [text])["last"], expected)


def test_tokenizers_that_are_written_in_python_read_windows_too(tmp_path):
    """ByT5's, whose tokens are bytes: a short text as Transformers has it, a long one cut, or whole in windows."""
    transformers = extras.require("transformers", "hf")
    config = transformers.T5Config(vocab_size=384, d_model=32, d_kv=16, d_ff=64, num_layers=2, num_heads=2)
    transformers.T5EncoderModel(config).save_pretrained(tmp_path)
    transformers.ByT5Tokenizer().save_pretrained(tmp_path)
    tokens, module = transformers.ByT5Tokenizer(), transformers.T5EncoderModel.from_pretrained(tmp_path).eval()
    with torch.no_grad():
        expected = module(**tokens(TEXTS[0], return_tensors="pt")).last_hidden_state.mean(1)
    assert close(run(load(f"hf:{tmp_path}", device="cpu"), TEXTS)["last"][:1], expected)
    text = string.ascii_letters
    with remarks() as heard:
        assert load(f"hf:{tmp_path}?max_length=16", device="cpu").prepare(text).shape == (1, 16)
    assert heard == ["are longer than the network reads: their ends were left out"]
    windows = load(f"hf:{tmp_path}?max_length=16&long=windows&overlap=3", device="cpu").prepare(text).windows
    read = [tokens.decode(window.inputs["input_ids"][:-1]) for window in windows]
    assert all(after[:3] == before[-3:] for before, after in pairwise(read))
    assert read[0] + "".join(part[3:] for part in read[1:]) == text


@pytest.mark.parametrize("options", ["long=middle", "max_length=2", "max_length=99", "overlap=99&long=windows", "a=1"])
def test_options_that_cannot_be_followed(options, folder):
    """The error says which there are."""
    with pytest.raises(UsageError, match=r"max_length is from 3 to 24 tokens"):
        load(f"hf:{folder('bert')}?{options}", device="cpu")


def test_keys_hold_the_tokenizer_and_what_becomes_of_long_texts(folder, tmp_path):
    """Another word in the vocabulary, another length, windows: other keys. Where the folder lies is none of it."""
    other = shutil.copytree(folder("bert"), tmp_path / "other")
    told = json.loads((other / "tokenizer.json").read_text("utf-8"))
    told["model"]["vocab"]["card"], told["model"]["vocab"]["lost"] = 7, 5
    (other / "tokenizer.json").write_text(json.dumps(told), "utf-8")
    ids = [folder("bert"), other, f"{folder('bert')}?max_length=9", f"{folder('bert')}?long=windows"]
    nets = [load(f"hf:{one}", device="cpu") for one in ids]
    assert len({column_key(net, Column("last", "none")) for net in nets}) == len(nets)
    moved = shutil.copytree(folder("bert"), tmp_path / "moved")
    keys = {column_key(net, Column("last", "none")) for net in (nets[0], load(f"hf:{moved}", device="cpu"))}
    assert len(keys) == 1


def test_class_tokens_are_no_places(folder):
    """`cls` takes the first token where the tokenizer puts one there, and the mean leaves it out."""
    net = load(f"hf:{folder('bert')}", device="cpu")
    layer = net.layers()[blocks(net)[-1]]
    (value,) = run(net, TEXTS[:1], [layer.name], whole).values()
    assert (layer.axes, layer.prefix_tokens) == (("tokens", "channels"), 1)
    assert close(pool(layer, value, "cls"), value[:, 0])
    assert close(pool(layer, value, "mean"), value[:, 1:].mean(1))
    gpt = load(f"hf:{folder('gpt2')}", device="cpu")
    assert gpt.layers()[blocks(gpt)[-1]].prefix_tokens == 0


def test_random_weights_and_a_preprocessing_of_ones_own(folder):
    """`@random` is seeded, steps included; the tokenizer is not to be replaced."""
    digests = [
        load(f"hf:{folder('sentence')}{end}", device="cpu").weights_digest("last")
        for end in ("@random", "@random", "@random-1", "")
    ]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3
    with pytest.raises(PreprocessingError, match="its own tokenizer"):
        load(f"hf:{folder('bert')}", preprocess=object(), device="cpu")


@pytest.mark.parametrize("name", ["bart", "xlnet"])
def test_an_encoder_beside_a_decoder_and_one_with_tokens_first(name, tmp_path):
    """Their last hidden states, each text as alone; BART's decoder is left off, and it is saved whole."""
    transformers = extras.require("transformers", "hf")
    write_network(name, tmp_path / "net")
    net = load(f"hf:{tmp_path / 'net'}", device="cpu")
    module = transformers.AutoModel.from_pretrained(tmp_path / "net").eval()
    module = module.get_encoder() if name == "bart" else module
    tokens = transformers.AutoTokenizer.from_pretrained(tmp_path / "net")
    with torch.no_grad():
        states = [module(**tokens(text, return_tensors="pt")).last_hidden_state for text in TEXTS]
    expected = torch.cat([state[:, net.preprocessing.prefix_tokens :].mean(1) for state in states])
    assert close(run(net, TEXTS)["last"], expected)
    assert len(blocks(net)) == (3 if name == "bart" else 0)
    save(net, tmp_path / "saved")
    again = load_saved(net.id, tmp_path / "saved", net.preprocessing.value, "cpu")
    assert torch.equal(run(again, TEXTS)["last"], run(net, TEXTS)["last"])
