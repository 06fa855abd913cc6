"""The recipe of the bundled vectors of texts, made small."""

from types import SimpleNamespace

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from icecore import PretrainedModel
from pretraining.text import corpus
from pretraining.text.vectors import compressed, trained

WORDS = ["[PAD]", "[UNK]", "cat", "dog", "lion", "rain", "snow", "wind", "猫"]


@pytest.fixture
def teacher() -> SimpleNamespace:
    """A tokenizer of whole words, under the names that Transformers gives its own."""
    tokenizer = Tokenizer(models.WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return SimpleNamespace(tokenizer=SimpleNamespace(get_vocab=tokenizer.get_vocab, backend_tokenizer=tokenizer))


def test_blends_keep_the_form_of_a_sentence():
    """Function words, signs and the number of words stay; the others are drawn, frequent ones more often."""
    words = [f"w{number}" for number in range(1000)]
    original = "What is the 3rd price of a card, and who pays it?"
    made = corpus.blends(np.random.default_rng(0), [original] * 300, words)
    assert made == corpus.blends(np.random.default_rng(0), [original] * 300, words)
    assert {len(each.split()) for each in made} == {len(original.split())}
    assert {tuple(each.split()[i] for i in (0, 1, 2, 5, 6)) for each in made} == {("What", "is", "the", "of", "a")}
    drawn = [int(each.split()[4][1:]) for each in made if each.split()[4] != "price"]
    assert 200 < len(drawn) < 290
    assert np.median(drawn) < 400


def test_trained_vectors_point_where_the_teacher_does(teacher, tmp_path):
    """On texts of two matters the mean of the vectors comes close; bytes on the disk give the same features."""
    rng = np.random.default_rng(0)
    matters = rng.normal(size=(2, 8))
    ids = [list(rng.integers(2, 5, 4) + 3 * (number % 2)) for number in range(400)]
    said = np.stack([matters[number % 2] for number in range(400)]) + rng.normal(0, 0.05, (400, 8))
    tokens = rng.normal(size=(len(WORDS), 8))
    vectors, loss = trained(tokens, ids, said.astype(np.float32), width=4, steps=600, seed=0)
    assert vectors.shape == (len(WORDS), 4)
    assert loss < 0.1
    compressed(vectors, teacher, tmp_path / "made")
    net = PretrainedModel.load(f"static:{tmp_path / 'made'}", device="cpu")
    found = net.extract_features(["cat dog", "rain", "猫 rain"], progress=False)["last"]
    wanted = np.stack([vectors[2:4].mean(0), vectors[5], vectors[5]])
    np.testing.assert_allclose(found, wanted / np.linalg.norm(wanted, axis=1, keepdims=True), atol=0.02)
    assert (tmp_path / "made" / "model.safetensors").stat().st_size < 1000
