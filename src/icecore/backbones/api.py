"""`api:` embeddings of any OpenAI-compatible server: the hosted models, vLLM, Ollama, Text Embeddings Inference.

`api:MODEL?url=http://localhost:11434/v1`. Options: `url` (or the variable OPENAI_BASE_URL), `dimensions`, `revision`,
`key_env` (the variable that holds the key, by default OPENAI_API_KEY), `rpm` (requests a minute at most), `parallel`
(requests at once, 8), `encoding_format` (`base64` or `float`). `--batch-size` is the number of texts in a request.
"""

from __future__ import annotations

import json
import os
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import torch
from torch import Tensor

from icecore.backbones.api_client import EmbeddingsClient
from icecore.backbones.base import INPUT, LAST, Entry, Layer, Licence, Preprocessing, Reduce
from icecore.backbones.layers import no_such_layer
from icecore.backbones.reference import Reference
from icecore.backbones.sequences import FREE
from icecore.data.texts import WORDS, bag_of_words
from icecore.errors import PreprocessingError, UsageError

PROVIDER = "api.v1"
_HOSTED = "https://api.openai.com/v1"
_OPTIONS = ("url", "dimensions", "revision", "key_env", "rpm", "parallel", "encoding_format")
_ENDPOINT = "endpoint.json"


class TextAsItIs:
    """The server has its own tokenizer: a text is sent as it is."""

    value: Mapping[str, Any] = {"type": "text.v1"}

    def __call__(self, decoded: str) -> str:
        """The text."""
        return decoded


class ApiBackbone:
    """A server as a network for texts. Implements `Extractor`.

    Its layers are `input` and `last`. How wide `last` is shows with the server's first answer, unless `dimensions` are
    declared; until then its shape says -1, so that features in the store can be had without the server.

    Attributes:
        client: asks the server.
        in_flight: requests at once.
    """

    provider, modality = PROVIDER, "text"
    licence = Licence()

    def __init__(self, reference: Reference, client: EmbeddingsClient, *, revision: str | None, in_flight: int) -> None:
        self.id, self.client, self.in_flight = str(reference), client, in_flight
        self.preprocessing: Preprocessing = TextAsItIs()
        self.source = client.endpoint
        self.notes: tuple[str, ...] = (f"texts are sent to {client.endpoint}",)
        self.written_by: Mapping[str, str] = {"engine": "api"}
        self.architecture: Mapping[str, Any] = {
            "endpoint": client.endpoint,
            "model": client.model,
            "revision": revision,
            "dimensions": client.dimensions,
        }

    def layers(self) -> Mapping[str, Layer]:
        """`input`, the words of the text as numbers, and `last`."""
        width = self.client.dimensions or self.client.width or FREE
        return {INPUT: Layer(INPUT, (WORDS,), ("channels",)), LAST: Layer(LAST, (width,), ("channels",))}

    def weights_digest(self, layer: str) -> str:
        """Empty: what the server computes with is known by endpoint, model and declared revision alone."""
        self._require([layer])
        return ""

    def prepare(self, decoded: str) -> str:
        """The text."""
        return decoded

    def bucket(self, prepared: str) -> Hashable:
        """All texts share a request."""
        del prepared
        return ()

    def run(self, batch: Sequence[str], layers: Sequence[str], reduce: Reduce) -> dict[str, Tensor]:
        """See `Extractor.run`. One request, where `last` is asked for; raises what `EmbeddingsClient.embed` does."""
        self._require(layers)
        taken: dict[str, Tensor] = {}
        if LAST in layers:
            vectors = torch.from_numpy(self.client.embed(batch))
            taken[LAST] = reduce(self.layers()[LAST], vectors)
        if INPUT in layers:
            words = torch.stack([torch.from_numpy(bag_of_words(text)) for text in batch])
            taken[INPUT] = reduce(self.layers()[INPUT], words)
        return {name: taken[name] for name in layers}

    def _require(self, layers: Sequence[str]) -> None:
        for name in layers:
            if name not in self.layers():
                raise no_such_layer(self, name)


class ApiProvider:
    """OpenAI-compatible servers."""

    summary = "embeddings of any OpenAI-compatible server, hosted or local (vLLM, Ollama, TEI)"
    extra = "api"
    requires: tuple[str, ...] = ("httpx2",)
    example = "api:nomic-embed-text?url=http://localhost:11434/v1"

    def load(self, reference: Reference, *, preprocess: Preprocessing | None, trust_remote_code: bool) -> ApiBackbone:
        """Note where to ask; nothing is asked yet."""
        del trust_remote_code  # there is no code
        options = reference.options
        _require_sense(reference, preprocess)
        url = options.get("url") or os.environ.get("OPENAI_BASE_URL") or _HOSTED
        client = EmbeddingsClient(
            _endpoint(url),
            reference.name,
            dimensions=_number(options, "dimensions"),
            encoding=options.get("encoding_format", "base64"),
            key_env=options.get("key_env", "OPENAI_API_KEY"),
            a_minute=_number(options, "rpm"),
        )
        revision = options.get("revision") or reference.revision
        return ApiBackbone(reference, client, revision=revision, in_flight=_number(options, "parallel") or 8)

    def save(self, backbone: ApiBackbone, folder: Path) -> None:
        """The address, which the id need not name."""
        (folder / _ENDPOINT).write_text(json.dumps({"url": backbone.client.endpoint}), "utf-8")

    def load_saved(self, reference: Reference, folder: Path, preprocessing: Mapping[str, Any]) -> ApiBackbone:
        """At the address that `save` wrote."""
        del preprocessing  # there is but one
        url = json.loads((folder / _ENDPOINT).read_text("utf-8"))["url"]
        options = {**reference.options, "url": url}
        return self.load(
            Reference(reference.provider, reference.name, options, reference.revision),
            preprocess=None,
            trust_remote_code=False,
        )

    def names(self) -> list[str]:
        """None: the servers have them."""
        return []

    def catalogue(self) -> list[Entry]:
        """None: the servers have it."""
        return []


provider = ApiProvider()


def _endpoint(url: str) -> str:
    """The address before `/embeddings`. What is refused is not repeated: it may hold a password."""
    text = url.strip().rstrip("/").removesuffix("/embeddings")
    try:
        parts = urlsplit(text)
        right = parts.scheme in ("http", "https") and bool(parts.hostname)
        plain = not (parts.username or parts.password or parts.query or parts.fragment)
    except ValueError:
        right = plain = False
    if not right or not plain:
        raise UsageError(
            "The url of api: is no plain http address"
            + (", or holds a user, a password or a query." if right else "."),
            expected="Something like http://localhost:11434/v1.",
            do="Put the key into the environment variable OPENAI_API_KEY, or into one named by key_env=.",
        )
    return parts._replace(scheme=parts.scheme.lower(), netloc=parts.netloc.lower()).geturl()


def _require_sense(reference: Reference, preprocess: Preprocessing | None) -> None:
    """Values of options are not repeated: a key may have got among them."""
    if preprocess is not None:
        raise PreprocessingError("api: takes texts as they are.", do="Leave the preprocessing out (--preprocess).")
    if reference.seed is not None:
        raise UsageError("A server has no random weights, so api: has no @random.", do="Leave @random out.")
    unknown = [name for name in reference.options if name not in _OPTIONS]
    if unknown:
        raise UsageError(
            f"api: has no option {', '.join(unknown)}.",
            expected=f"Options are {', '.join(_OPTIONS)}.",
            do="A key is never part of an id: put it into the environment variable OPENAI_API_KEY.",
        )
    if reference.options.get("encoding_format", "float") not in ("float", "base64"):
        raise UsageError("encoding_format is float or base64.")


def _number(options: Mapping[str, str], name: str) -> int | None:
    text = options.get(name)
    if text is None:
        return None
    if not text.isdigit() or int(text) < 1:
        raise UsageError(f"The option {name} of api: is a whole number from 1, not {text!r}.")
    return int(text)
