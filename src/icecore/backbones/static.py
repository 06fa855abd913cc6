"""`static:` vectors of words and tokens: model2vec folders, and GloVe or word2vec text files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from icecore.backbones import hub, licence, saved, weights
from icecore.backbones.base import Entry, Licence, Preprocessing
from icecore.backbones.reference import Reference
from icecore.backbones.seeding import seeded
from icecore.backbones.static_module import StaticBackbone, StaticVectors
from icecore.backbones.static_tokens import TokenizerPreprocessing, WordPreprocessing
from icecore.backbones.word_vectors import read_word_vectors
from icecore.errors import PreprocessingError, UsageError, WeightsError

PROVIDER = "static.v1"
_CONFIG, _TOKENIZER, _WORDS = "config.json", "tokenizer.json", "words.json"
_MAX_LENGTH = 512  # model2vec's own, where the configuration says nothing


class StaticProvider:
    """Vectors of words and tokens."""

    summary = "vectors of words and tokens: model2vec folders, GloVe and word2vec text files"
    extra = "static"
    requires: tuple[str, ...] = ("huggingface_hub",)
    example = "static:minishlab/potion-base-8M"

    def load(
        self, reference: Reference, *, preprocess: Preprocessing | None, trust_remote_code: bool
    ) -> StaticBackbone:
        """A model2vec folder, local or on the hub, or a file of word vectors (`?lower=false` keeps capitals)."""
        del trust_remote_code  # there is no code
        require_no_preprocessing(reference, preprocess)
        _require_options(reference)
        path = reference.path or hub.snapshot(reference, [_CONFIG, _TOKENIZER, saved.WEIGHTS], "static")
        if path.is_file():
            return _of_file(reference, path)
        return of_folder(reference, path, hub.licence_of(reference, path), hub.source(reference, path))

    def save(self, backbone: StaticBackbone, folder: Path) -> None:
        """Write the vectors, and the tokenizer or the words."""
        state = {name: value.cpu().contiguous() for name, value in backbone.module.state_dict().items()}
        names = {"vectors": "embeddings", "weights": "weights", "mapping": "mapping"}
        save_file({names[name]: value for name, value in state.items()}, folder / saved.WEIGHTS)
        config = {"model_type": "model2vec", "normalize": backbone.module.normalize}
        preprocessing = backbone.preprocessing
        if isinstance(preprocessing, TokenizerPreprocessing):
            preprocessing.tokenizer.save(str(folder / _TOKENIZER))
            config["max_length"] = preprocessing.max_length
        elif isinstance(preprocessing, WordPreprocessing):
            (folder / _WORDS).write_text(json.dumps(list(preprocessing.vocabulary.items())), "utf-8")
        (folder / _CONFIG).write_text(json.dumps(config), "utf-8")

    def load_saved(self, reference: Reference, folder: Path, preprocessing: Mapping[str, Any]) -> StaticBackbone:
        """From what `save` wrote."""
        if preprocessing.get("type") != "words.v1":
            found = of_folder(replace(reference, revision=None), folder)
            found.id = str(reference)  # with the revision that its vectors had
            return found
        vocabulary = dict(json.loads((folder / _WORDS).read_text("utf-8")))
        vectors = weights.read(folder / saved.WEIGHTS)["embeddings"]
        words = WordPreprocessing(vocabulary, lower=preprocessing["lower"])
        return _backbone(reference, StaticVectors(vectors), words, Licence(), str(folder))

    def names(self) -> list[str]:
        """None: there is no list of them."""
        return []

    def catalogue(self) -> list[Entry]:
        """None: there is no list of them."""
        return []


provider = StaticProvider()


def of_folder(
    reference: Reference, folder: Path, stated: Licence | None = None, source: str | None = None
) -> StaticBackbone:
    """A model2vec folder: config.json, tokenizer.json, model.safetensors. Its licence is its own unless `stated`."""
    from tokenizers import Tokenizer

    missing = [name for name in (_CONFIG, _TOKENIZER, saved.WEIGHTS) if not (folder / name).is_file()]
    if missing:
        raise WeightsError(
            f"The folder {folder} has no {' and no '.join(missing)}.",
            expected=f"A model2vec folder holds {_CONFIG}, {_TOKENIZER} and {saved.WEIGHTS}.",
            do="For a Transformers or sentence-transformers folder write hf:FOLDER.",
        )
    config = json.loads((folder / _CONFIG).read_text("utf-8"))
    tensors = weights.read(folder / saved.WEIGHTS)
    tokenizer = Tokenizer.from_file(str(folder / _TOKENIZER))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    _require_fit(folder, tensors, tokenizer.get_vocab_size())
    vectors = _vectors(reference, tensors["embeddings"])
    weights_of = tensors.get("weights") if reference.seed is None else None  # they are learned too
    module = StaticVectors(vectors, weights_of, tensors.get("mapping"), normalize=bool(config.get("normalize", False)))
    tokens = TokenizerPreprocessing(tokenizer, config.get("max_length", _MAX_LENGTH))
    return _backbone(reference, module, tokens, stated or licence.of_folder(folder), source or str(folder))


def _of_file(reference: Reference, path: Path) -> StaticBackbone:
    """A text file of word vectors."""
    vocabulary, vectors = read_word_vectors(path)
    words = WordPreprocessing(vocabulary, lower=reference.options.get("lower", "true") == "true")
    module = StaticVectors(_vectors(reference, torch.from_numpy(vectors)))
    return _backbone(reference, module, words, licence.of_folder(path.parent), str(path))


def _backbone(
    reference: Reference,
    module: StaticVectors,
    preprocessing: WordPreprocessing | TokenizerPreprocessing,
    stated: Licence,
    source: str,
) -> StaticBackbone:
    return StaticBackbone(
        module,
        id=str(reference),
        provider=PROVIDER,
        preprocessing=preprocessing,
        licence=stated,
        source=source if reference.seed is None else "random weights",
    )


def _vectors(reference: Reference, own: Tensor) -> Tensor:
    """The vectors, or for `@random` as many random ones."""
    return own if reference.seed is None else seeded(reference.seed, lambda: torch.randn(own.shape))


def _require_fit(folder: Path, tensors: Mapping[str, Tensor], tokens: int) -> None:
    """Every token needs a row: its own, or one that the mapping names."""
    vectors, mapping = tensors.get("embeddings"), tensors.get("mapping")
    if vectors is None or vectors.dim() != 2:
        raise WeightsError(f"The file {folder / saved.WEIGHTS} holds no matrix called embeddings.")
    rows = len(vectors) if mapping is None else len(mapping)
    weights_of = tensors.get("weights")
    highest = -1 if mapping is None or not len(mapping) else int(mapping.max())
    if rows < tokens or highest >= len(vectors) or (weights_of is not None and len(weights_of) < tokens):
        raise WeightsError(
            f"The vectors of {folder} do not fit its tokenizer: {tokens:,} tokens, and vectors for {rows:,}.",
            do="Check that model.safetensors and tokenizer.json belong together.",
        )


def require_no_preprocessing(reference: Reference, preprocess: Preprocessing | None) -> None:
    """Raises PreprocessingError where one is given."""
    if preprocess is not None:
        raise PreprocessingError(
            f"{reference} takes texts and brings its own tokens.", do="Leave the preprocessing out (--preprocess)."
        )


def _require_options(reference: Reference) -> None:
    known = {"lower": ("true", "false")}
    for name, value in reference.options.items():
        if value not in known.get(name, ()):
            raise UsageError(
                f"Got the option {name}={value} in {reference}.",
                expected="Options of static: are lower=true, lower=false.",
            )
