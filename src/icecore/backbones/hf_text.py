"""Text networks of Transformers, with their own tokenizer.

`last` is what the classifier reads, for a network that classifies; else its pooled output, where it has one (BERT);
else the last hidden states of its tokens, to be pooled like any layer. Heads for anything else, such as guessing words,
are left off, and so are decoders beside an encoder.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import Tensor, nn

from icecore.backbones.base import Preprocessing
from icecore.backbones.hf_checkpoint import PROVIDER, Checkpoint, base
from icecore.backbones.network import TorchBackbone
from icecore.backbones.sequences import SequenceBackbone
from icecore.backbones.tokens import TokenPreprocessing
from icecore.data import bag_of_words
from icecore.errors import PreprocessingError

SAMPLES = ("one two three", "one two three four five six seven")
_UNLIMITED = 1 << 20  # tokenizers without a limit say a number beyond all use


def build(checkpoint: Checkpoint, preprocess: Preprocessing | None) -> TorchBackbone:
    """The backbone of a text checkpoint."""
    if preprocess is not None:
        raise PreprocessingError(
            f"{checkpoint.reference} reads texts, which its own tokenizer prepares.", do="Leave --preprocess out."
        )
    tokens = _tokens(checkpoint)
    module, notes = checkpoint.network(_class(checkpoint))
    make = partial(
        SequenceBackbone,
        module,
        id=str(checkpoint.reference),
        provider=PROVIDER,
        architecture={"class": type(module).__name__, "config": checkpoint.structure},
        preprocessing=tokens,
        modality="text",
        licence=checkpoint.licence,
        source=checkpoint.source,
        notes=notes,
        samples=SAMPLES,
        prefix_tokens=tokens.prefix_tokens,
        padding={"input_ids": tokens.tokenizer.pad_token_id or 0},
        raw=bag_of_words,
    )
    backbone = make()
    return backbone if backbone.classifier or base(module) is module else make(last=_base_output)


def _class(checkpoint: Checkpoint) -> Any:
    transformers, cls = checkpoint.transformers, checkpoint.cls
    if cls.__name__.endswith("Classification"):
        return cls
    return transformers.AutoModelForTextEncoding if checkpoint.config.is_encoder_decoder else transformers.AutoModel


def _tokens(checkpoint: Checkpoint) -> TokenPreprocessing:
    load = checkpoint.transformers.AutoTokenizer.from_pretrained
    tokenizer = checkpoint.attempt(lambda: load(**checkpoint.where))
    limits = (tokenizer.model_max_length, getattr(checkpoint.config, "max_position_embeddings", None) or _UNLIMITED)
    return TokenPreprocessing(tokenizer, min(limits))


def _base_output(module: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    """For heads that are no single linear layer: what the base gives, pooled where it pools."""
    output = base(module)(**batch)
    pooled: Tensor | None = output.get("pooler_output")
    first: Tensor = output[0]
    return first if pooled is None else pooled
