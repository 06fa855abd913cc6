"""`static:` model2vec folders equal to the library's own vectors, and word vectors in text files."""

import csv
import gzip
import json
import shutil

import numpy as np
import pytest
import torch
from model2vec import StaticModel
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers

import icecore
from icecore.backbones import INPUT, LAST, load
from icecore.backbones.reference import parse
from icecore.backbones.saved import load_saved, save
from icecore.data import read, remarks
from icecore.errors import PreprocessingError, UsageError, WeightsError
from icecore.features import extract
from icecore.prefix import Column, prefix_key
from icecore.store import Store
from icecore.testing import check_backbone

TEXTS = ["The cat sat on the mat", "A dog barked at the cat, loudly", "the mat", "zyzzyva"]
GLOVE = "the 0.1 0.2 0.3\ncat 1 0 0\ndog 0 1 0\ndo 2 0 0\nn't 0 0 4\n, 0 0 1\nnew york 5 5 5\n"


def last(backbone, texts):
    """The layer `last` of texts."""
    return backbone.run([backbone.prepare(text) for text in texts], [LAST], lambda layer, value: value)[LAST].numpy()


def make_model(folder, *, normalize=True, weights=True, mapping=True, max_length=None, dtype=np.float32):
    """A small model2vec folder, as the library itself writes it."""
    words = ["[PAD]", "[UNK]", "the", "cat", "dog", "mat", "sat", "on", "a", "at", "barked"]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    generator = np.random.default_rng(0)
    rows = 6 if mapping else len(words)
    StaticModel(
        generator.normal(size=(rows, 8)).astype(dtype),
        tokenizer,
        normalize=normalize,
        weights=generator.uniform(size=len(words)) if weights else None,
        token_mapping=generator.integers(0, rows, len(words)) if mapping else None,
        max_length=max_length,
    ).save_pretrained(folder)
    return folder


def write_vectors(path, content=GLOVE):
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "wt", encoding="utf-8") as file:
        file.write(content)
    return path


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"normalize": False, "weights": False},
        {"mapping": False, "weights": False},
        {"mapping": False, "max_length": 3},
        {"dtype": np.float16, "mapping": False, "weights": False},
    ],
)
def test_vectors_are_those_of_the_library(tmp_path, options):
    """Weights, mapping, normalisation, limit and half precision as in model2vec; no known token gives zeros."""
    folder = make_model(tmp_path / "model", **options)
    backbone, tolerance = load(f"static:{folder}"), 1e-3 if "dtype" in options else 1e-6
    expected = StaticModel.from_pretrained(folder).encode(TEXTS).astype(np.float32)
    np.testing.assert_allclose(last(backbone, TEXTS), expected, atol=tolerance)
    assert not last(backbone, ["zyzzyva"]).any()
    with remarks() as heard:
        backbone.prepare(TEXTS[0])
    assert bool(heard) == ("max_length" in options)


def test_a_real_model_is_the_librarys(assets):
    """The 64-number model of the assets, on questions of customers, one of them longer than the limit."""
    folder = assets / "weights" / "model2vec_static"
    with (assets / "data" / "banking77" / "test.csv").open(encoding="utf-8") as file:
        texts = [row["text"] for row in csv.DictReader(file)][:200]
    texts.append(" ".join(texts))
    backbone = load(str(folder))
    assert backbone.id == str(folder) or backbone.id.startswith("static:")
    np.testing.assert_allclose(last(backbone, texts), StaticModel.from_pretrained(folder).encode(texts), atol=1e-6)
    with remarks() as heard:
        backbone.prepare(texts[-2])
        assert not heard
        backbone.prepare(texts[-1])
    assert heard == ["are longer than the network reads: their ends were left out"]
    assert backbone.licence.name == "mit"


def test_random_vectors_with_the_tokens_of_a_folder(tmp_path):
    """They conform, and each seed has its key."""
    folder = make_model(tmp_path / "model")
    check_backbone(load(f"static:{folder}@random-3"), TEXTS, again=load(f"static:{folder}@random-3"))
    keys = {prefix_key(load(f"static:{folder}{end}"), LAST) for end in ("", "@random", "@random-3")}
    assert len(keys) == 3


def test_a_changed_vector_changes_the_key(tmp_path):
    """And so do another normalisation, another limit and another tokenizer; the folder's name does not."""
    folder = make_model(tmp_path / "model")
    first = prefix_key(load(f"static:{folder}"), LAST)
    shutil.copytree(folder, tmp_path / "copy")
    assert prefix_key(load(f"static:{tmp_path / 'copy'}"), LAST) == first
    tensors = load_file(folder / "model.safetensors")
    tensors["embeddings"][0, 0] += 1
    save_file(tensors, tmp_path / "copy" / "model.safetensors")
    others = [tmp_path / "copy", make_model(tmp_path / "n", normalize=False), make_model(tmp_path / "m", max_length=9)]
    assert len({first, *(prefix_key(load(f"static:{other}"), LAST) for other in others)}) == 4


def test_tokens_can_be_pooled_otherwise(tmp_path):
    """The vectors of the tokens are a layer: their mean is the model's where it does not normalise; texts of unequal
    length in one batch do not touch each other.
    """
    backbone = load(f"static:{make_model(tmp_path / 'model', normalize=False)}")
    columns = [Column("tokens", "mean"), Column("tokens", "max"), Column(LAST, "none")]
    found = extract(backbone, read(TEXTS, modality="text"), columns, store=Store(tmp_path / "store"))
    assert (
        "1 of the 4 texts computed now (25.0%) hold no word that the network knows: their features are zeros."
        in found.notes
    )
    np.testing.assert_allclose(found.matrix(columns[0]), found.matrix(columns[2]), atol=1e-6)
    ids = backbone.prepare(TEXTS[0]).ids
    np.testing.assert_allclose(found.matrix(columns[1])[0], backbone.module.tokens(ids).amax(0), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("glove.txt", GLOVE),
        ("word2vec.txt", "7 3\n" + GLOVE),
        ("fast.vec", "7 3\n" + GLOVE.replace("\n", " \n")),
        ("glove.txt.gz", GLOVE),
    ],
)
def test_word_vectors_of_every_format(tmp_path, name, content):
    """GloVe without a header, word2vec with one, fastText with spaces at the ends, gzipped: the mean of known words."""
    backbone = load(f"static:{write_vectors(tmp_path / name, content)}")
    expected = [[1.1 / 2, 0.1, 0.15], [0, 0.5, 0.5], [0, 0, 0]]
    np.testing.assert_allclose(last(backbone, ["The CAT!", "dog,", "???"]), expected, atol=1e-6)
    assert backbone.prepare("The CAT sat!").unknown == 2


def test_words_are_split_as_the_value_says(tmp_path):
    """Lowered unless told otherwise; a word with an apostrophe in the pieces that have vectors."""
    file = write_vectors(tmp_path / "v.txt")
    backbone = load(f"static:{file}")
    np.testing.assert_allclose(last(backbone, ["Don't"]), [[1, 0, 2]])
    assert backbone.preprocessing.value["type"] == "words.v1"
    cased = load(f"static:{file}?lower=false")
    assert cased.prepare("The cat").ids.tolist() == [1]
    assert prefix_key(cased, LAST) != prefix_key(backbone, LAST)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "its first line is no word with numbers"),
        ("the 1 2\ncat 1\n", "line 2 is no word with 2 numbers"),
        ("2 2\nthe 1 2\ncat 1 x\n", "line 3 is no word with 2 numbers"),
        ("3 2\nthe 1 2\ncat 1 2\n", "its first line promises 3 words, and it holds 2"),
    ],
)
def test_damaged_word_vectors_are_one_sentence(tmp_path, content, sentence):
    """The line that is wrong, and what was promised and is not there."""
    with pytest.raises(WeightsError, match=sentence):
        load(f"static:{write_vectors(tmp_path / 'v.txt', content)}")


def test_a_cut_off_gzip_file(tmp_path):
    """It ends before its end."""
    raw = write_vectors(tmp_path / "v.txt.gz").read_bytes()
    (tmp_path / "v.txt.gz").write_bytes(raw[:-12])
    with pytest.raises(WeightsError, match=r"cannot be read: .*end-of-stream"):
        load(f"static:{tmp_path / 'v.txt.gz'}")


def test_what_cannot_be_loaded(tmp_path):
    """A folder without its files, vectors for another tokenizer, an unknown name, option and preprocessing."""
    folder = make_model(tmp_path / "model", mapping=False)
    tensors = load_file(folder / "model.safetensors")
    save_file({"embeddings": tensors["embeddings"][:5]}, folder / "model.safetensors")
    with pytest.raises(WeightsError, match=r"do not fit its tokenizer: 11 tokens, and vectors for 5"):
        load(f"static:{folder}")
    (folder / "tokenizer.json").unlink()
    with pytest.raises(WeightsError, match=r"has no tokenizer\.json\..*write hf:FOLDER"):
        load(f"static:{folder}")
    with pytest.raises(WeightsError, match=r"looked for as a local path, in the hub's cache .*static:PATH"):
        load("static:nobody/nothing")
    with pytest.raises(UsageError, match="Got the option upper=true"):
        load("static:nobody/nothing?upper=true")
    with pytest.raises(PreprocessingError, match="takes texts and brings its own tokens"):
        load(f"static:{folder}", preprocess=lambda image: image)


def test_it_is_saved_whole(tmp_path):
    """What is written into an artifact gives the same vectors under the same key, for folders and files alike."""
    for name in (make_model(tmp_path / "model"), write_vectors(tmp_path / "v.txt")):
        backbone = load(f"static:{name}")
        save(backbone, tmp_path / "saved")
        again = load_saved(backbone.id, tmp_path / "saved", backbone.preprocessing.value, "cpu")
        assert prefix_key(again, LAST) == prefix_key(backbone, LAST)
        np.testing.assert_array_equal(last(again, TEXTS), last(backbone, TEXTS))


def test_a_folder_and_a_file_need_no_provider(tmp_path):
    """A model2vec folder is known by its configuration, a `.vec` file by its extension."""
    folder = make_model(tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "model2vec"}))
    assert parse(str(folder)).provider == "static"
    assert parse(str(write_vectors(tmp_path / "v.vec"))).provider == "static"


def test_the_whole_job(tmp_path):
    """Fit, save, load and predict; the words themselves are the baseline beside it."""
    texts = [
        f"the {animal} {rest}" for animal in ("cat", "dog") for rest in ("sat", "barked", "on a mat", "at a mat") * 3
    ]
    labels = [text.split()[1] for text in texts]
    model = icecore.TransferModel(f"static:{make_model(tmp_path / 'm')}", head="centroid", store=str(tmp_path / "s"))
    model.fit(texts, labels, folds=3, repeats=1, progress=False)
    model.save(tmp_path / "model", include_backbone=True)
    shutil.rmtree(tmp_path / "m")
    assert icecore.TransferModel.load(tmp_path / "model").predict(["a dog sat"])[0].label == "dog"
    assert INPUT in model.net.backbone.layers()
    assert isinstance(model.net.backbone.module.vectors, torch.nn.Parameter)
