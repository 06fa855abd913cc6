"""Text networks of Transformers and folders of sentence-transformers, with their own tokenizer.

`last` is, the first that there is of:

- the sentence vector of a sentence-transformers folder (its own pooling, dense layers and normalisation);
- what the classifier reads, for a network that classifies;
- the pooled output, where the checkpoint has the weights for it (`pooler_output` of BERT);
- the last hidden states of the tokens, to be pooled like any layer (RoBERTa, DistilBERT, T5, GPT-2, Llama).

Heads for anything else, such as guessing words, are left off, and so are decoders beside an encoder.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from icecore.backbones.base import Preprocessing
from icecore.backbones.hf_checkpoint import PROVIDER, Checkpoint, base
from icecore.backbones.network import TorchBackbone
from icecore.backbones.seeding import seeded
from icecore.backbones.sentences import MODULES, SentenceEncoder, steps_of
from icecore.backbones.sequences import SequenceBackbone
from icecore.backbones.tokens import TokenPreprocessing
from icecore.data import bag_of_words
from icecore.errors import PreprocessingError, UsageError

SAMPLES = ("one", "one two three four five six seven eight nine ten")
OPTIONS = ("long", "max_length", "overlap")
_LIMITS = "sentence_bert_config.json"
_UNLIMITED = 1 << 20  # tokenizers without a limit say a number beyond all use
_OFFSET = ("roberta", "camembert", "mpnet", "longformer")  # whose positions count from behind the padding's number


def build(checkpoint: Checkpoint, preprocess: Preprocessing | None) -> TorchBackbone:
    """The backbone of a text checkpoint. Raises PreprocessingError for a `preprocess`, UsageError for wrong options."""
    if preprocess is not None:
        raise PreprocessingError(
            f"{checkpoint.reference} reads texts, which its own tokenizer prepares.",
            do=f"Leave --preprocess out; options of the id are {', '.join(OPTIONS)}: hf:FOLDER?long=windows",
        )
    tokens = tokens_of(checkpoint)
    config = checkpoint.config
    if config.pad_token_id is None:  # classifiers of the GPT kind find the last word by it
        config.pad_token_id = tokens.tokenizer.pad_token_id or 0
    module, notes = _network(checkpoint)
    structure = {name: value for name, value in checkpoint.structure.items() if name != "is_encoder_decoder"}
    _without_cache(module)
    about: dict[str, Any] = {"class": _named(module), "config": structure}  # the class says what it encodes
    sentences = checkpoint.has_file(MODULES)
    if sentences:
        seed = checkpoint.reference.seed
        steps = seeded(seed, lambda: steps_of(checkpoint.folder, random=seed is not None))
        module = SentenceEncoder(module, steps)
        about["sentence"] = module.about
    make = partial(
        SequenceBackbone,
        module,
        id=str(checkpoint.reference),
        provider=PROVIDER,
        architecture=about,
        preprocessing=tokens,
        modality="text",
        licence=checkpoint.licence,
        source=checkpoint.source,
        notes=notes,
        samples=SAMPLES,
        prefix_tokens=tokens.prefix_tokens,
        padding={"input_ids": config.pad_token_id},
        raw=bag_of_words,
    )
    if sentences:
        return make(classifier="")
    backbone = make()
    return backbone if backbone.classifier or base(module) is module else make(last=_base_output)


def _without_cache(module: nn.Module) -> None:
    """Networks that write keep keys and values for words to come, of which there are none."""
    for part in module.modules():
        config: Any = getattr(part, "config", None)
        if hasattr(config, "use_cache"):
            config.use_cache = False


def _class(checkpoint: Checkpoint) -> Any:
    transformers, cls = checkpoint.transformers, checkpoint.cls
    if cls.__name__.endswith(("Classification", "EncoderModel")):
        return cls
    known = type(checkpoint.config) in transformers.MODEL_FOR_TEXT_ENCODING_MAPPING
    return (
        transformers.AutoModelForTextEncoding
        if checkpoint.config.is_encoder_decoder and known
        else transformers.AutoModel
    )


def _network(checkpoint: Checkpoint) -> tuple[nn.Module, tuple[str, ...]]:
    cls = _class(checkpoint)
    module, notes = checkpoint.network(cls)
    decodes = checkpoint.config.is_encoder_decoder and cls is checkpoint.transformers.AutoModel
    return Encoder(module) if decodes else module, notes


def _named(module: nn.Module) -> str:
    return f"{type(module.whole[0]).__name__}.encoder" if isinstance(module, Encoder) else type(module).__name__


class Encoder(nn.Module):
    """The encoder of a network that has a decoder and no class without it: BART, Marian, Pegasus."""

    base_model_prefix = ""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.whole = (model,)  # in a tuple: the decoder is no part of this
        self.encoder = model.get_encoder()

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Any:
        """The encoder's own output."""
        return self.encoder(input_ids=input_ids, attention_mask=attention_mask)

    def save_pretrained(self, folder: Any) -> None:
        """Write the whole model."""
        self.whole[0].save_pretrained(folder)


def tokens_of(checkpoint: Checkpoint) -> TokenPreprocessing:
    """The tokenizer, with the network's limit or that of its folder, and what the id's options say."""
    load = checkpoint.transformers.AutoTokenizer.from_pretrained
    tokenizer = checkpoint.attempt(lambda: load(**checkpoint.where))
    told = _json(checkpoint.folder / _LIMITS)
    limit = _limit(checkpoint.config, tokenizer)
    options = dict(checkpoint.reference.options)
    length = _number(options, "max_length", told.get("max_seq_length") or limit)
    long = options.pop("long", "truncate")
    overlap = _number(options, "overlap", length // 8) if long == "windows" else 0
    special = len(tokenizer("")["input_ids"])
    fits = special < length <= limit and 0 <= overlap < length - special
    if options or long not in ("truncate", "windows") or not fits:
        raise UsageError(
            f"The options of {checkpoint.reference} cannot be followed.",
            expected=f"Options are {', '.join(OPTIONS)}: long is truncate or windows, max_length is from {special + 1} "
            f"to {limit} tokens, and overlap, with long=windows, is less than it.",
        )
    return TokenPreprocessing(tokenizer, length, long, overlap, bool(told.get("do_lower_case")))  # type: ignore[arg-type]


def _limit(config: Any, tokenizer: Any) -> int:
    """Tokens that the network can take at once."""
    positions = getattr(config, "max_position_embeddings", None) or _UNLIMITED
    positions = positions if positions > 0 else _UNLIMITED  # XLNet says -1
    if any(name in config.model_type for name in _OFFSET):
        positions -= (config.pad_token_id or 0) + 1
    return int(min(tokenizer.model_max_length, positions, _UNLIMITED))


def _number(options: dict[str, str], name: str, usual: int) -> int:
    text = options.pop(name, None)
    return usual if text is None else int(text) if text.isdigit() else -1


def _json(file: Path) -> dict[str, Any]:
    return dict(json.loads(file.read_text("utf-8"))) if file.is_file() else {}


def _base_output(module: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    """For heads that are no single linear layer: what the base gives, pooled where it pools."""
    output = base(module)(**batch)
    pooled: Tensor | None = output.get("pooler_output")
    first: Tensor = output[0]
    return first if pooled is None else pooled
