"""Static vectors as an extractor: every token has one vector wherever it stands, and a text is their mean."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from icecore import keys
from icecore.backbones.base import INPUT, LAST, Layer, Licence, Preprocessing, Reduce
from icecore.backbones.fingerprint import tensor_chunks
from icecore.backbones.layers import no_such_layer
from icecore.backbones.sequences import FREE
from icecore.data.texts import WORDS, bag_of_words

TOKENS = "tokens"


@dataclass(frozen=True, slots=True)
class TokenIds:
    """A prepared text.

    Attributes:
        ids: of its known tokens, int64, (tokens,); empty where none is known.
        decoded: the text.
        unknown: how many tokens have no vector.
    """

    ids: Tensor
    decoded: str
    unknown: int = 0

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the ids."""
        return tuple(self.ids.shape)


class StaticVectors(nn.Module):
    """From the ids of tokens to their vectors, and to the mean of these for each text.

    Args:
        vectors: (rows, channels).
        weights: what the vector of each token is multiplied by, (tokens,); 1 where None.
        mapping: which row is the vector of each token, (tokens,); its own where None.
        normalize: whether the mean is scaled to length 1. Where no token is known it stays 0.
    """

    weights: Tensor | None
    mapping: Tensor | None

    def __init__(
        self, vectors: Tensor, weights: Tensor | None = None, mapping: Tensor | None = None, *, normalize: bool = False
    ) -> None:
        super().__init__()
        self.vectors = nn.Parameter(vectors.float(), requires_grad=False)
        self.register_buffer("weights", None if weights is None else weights.float())
        self.register_buffer("mapping", None if mapping is None else mapping.long())
        self.normalize = normalize

    def tokens(self, ids: Tensor) -> Tensor:
        """The vector of each token, times its weight: (tokens, channels)."""
        found = F.embedding(self._rows(ids), self.vectors)
        return found if self.weights is None else found * self.weights[ids][:, None]

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """The mean for each text, (texts, channels), of the ids of all texts in a row and their lengths."""
        weights = self.vectors.new_ones(len(ids)) if self.weights is None else self.weights[ids]
        starts = lengths.cumsum(0) - lengths
        sums = F.embedding_bag(self._rows(ids), self.vectors, starts, mode="sum", per_sample_weights=weights)
        means = sums / lengths.clamp(min=1)[:, None]
        return F.normalize(means, dim=1) if self.normalize else means

    def _rows(self, ids: Tensor) -> Tensor:
        return ids if self.mapping is None else self.mapping[ids]


class StaticBackbone:
    """Static vectors as a frozen network for texts. Implements `Cuttable`.

    Its layers are `tokens`, the vectors themselves, and `last`, their mean as the model takes it.

    Args:
        module: the vectors.
        id: as the user wrote it.
        provider: our name and version of the computation.
        preprocessing: from a text to `TokenIds`.
        licence: of the vectors.
        source: where they came from.
        notes: what the user should be told.
    """

    modality = "text"

    def __init__(
        self,
        module: StaticVectors,
        *,
        id: str,  # noqa: A002 - the public word for it
        provider: str,
        preprocessing: Preprocessing,
        licence: Licence,
        source: str,
        notes: Sequence[str] = (),
    ) -> None:
        self.module = module.eval()
        self.id, self.provider, self.preprocessing = id, provider, preprocessing
        self.licence, self.source, self.notes = licence, source, tuple(notes)
        self.architecture: Mapping[str, Any] = {"vectors": list(module.vectors.shape), "normalize": module.normalize}
        self.device = torch.device("cpu")
        state = sorted((name, value) for name, value in module.state_dict().items() if value is not None)
        self._digest = keys.digest("weights", [chunk for name, value in state for chunk in tensor_chunks(name, value)])

    def to(self, device: str | torch.device) -> StaticBackbone:
        """Move the vectors. Returns itself."""
        self.device = torch.device(device)
        self.module.to(self.device)
        return self

    def layers(self) -> Mapping[str, Layer]:
        """`input`, the words of the text as numbers; `tokens`; `last`."""
        width = self.module.vectors.shape[1]
        return {
            INPUT: Layer(INPUT, (WORDS,), ("channels",)),
            TOKENS: Layer(TOKENS, (FREE, width), ("tokens", "channels")),
            LAST: Layer(LAST, (width,), ("channels",)),
        }

    def weights_digest(self, layer: str) -> str:
        """Hash of the vectors, their weights and their mapping. Raises LayerError."""
        self._require([layer])
        return "" if layer == INPUT else self._digest.hex()

    def prepare(self, decoded: str) -> TokenIds:
        """The ids of a text's tokens."""
        prepared: TokenIds = self.preprocessing(decoded)
        return prepared

    def bucket(self, prepared: TokenIds) -> Hashable:
        """All texts share a batch: nothing is padded."""
        del prepared
        return ()

    def forward(self, batch: Sequence[TokenIds]) -> Tensor:
        """The mean for each text, (n, channels)."""
        ids = torch.cat([item.ids for item in batch]).to(self.device)
        means: Tensor = self.module(ids, torch.tensor([len(item.ids) for item in batch], device=self.device))
        return means

    def run(self, batch: Sequence[TokenIds], layers: Sequence[str], reduce: Reduce) -> dict[str, Tensor]:
        """See `Extractor.run`. A text without a known token has one token of zeros."""
        self._require(layers)
        known = self.layers()
        self.module.eval()
        taken: dict[str, Tensor] = {}
        with torch.inference_mode():
            if INPUT in layers:
                words = torch.stack([torch.from_numpy(bag_of_words(item.decoded)) for item in batch])
                taken[INPUT] = reduce(known[INPUT], words)
            if TOKENS in layers:
                taken[TOKENS] = self._tokens(batch, known[TOKENS], reduce)
            if LAST in layers:
                taken[LAST] = reduce(known[LAST], self.forward(batch))
        return {name: taken[name] for name in layers}

    def _tokens(self, batch: Sequence[TokenIds], layer: Layer, reduce: Reduce) -> Tensor:
        """Texts of equal length together; the rows in the order of the batch."""
        groups: dict[int, list[int]] = defaultdict(list)
        for place, item in enumerate(batch):
            groups[len(item.ids)].append(place)
        kept: dict[int, Tensor] = {}
        for length, places in groups.items():
            ids = torch.cat([batch[place].ids for place in places]).to(self.device)
            flat = self.module.tokens(ids) if length else self.module.vectors.new_zeros(len(places), layer.shape[1])
            rows = reduce(layer, flat.reshape(len(places), max(1, length), layer.shape[1]))
            kept.update(zip(places, rows, strict=True))
        return torch.stack([kept[place] for place in range(len(batch))])

    def _require(self, layers: Sequence[str]) -> None:
        for name in layers:
            if name not in self.layers():
                raise no_such_layer(self, name)
