"""The client of `/v1/embeddings`: patient with what passes, clear about what does not, and silent about the key."""

from __future__ import annotations

import base64
import os
import random
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icecore.backbones import extras
from icecore.errors import BackboneError, BadBatchError, BadItemError, UsageError

_ATTEMPTS, _ATTEMPTS_TO_CONNECT = 8, 4
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 60.0
_PASSING = {408, 409, 429, 500, 502, 503, 504}
_OF_THE_ITEMS = {400, 413, 422}
_SAID = 300  # characters of a server's message
_PROBE = "icecore"


@dataclass(eq=False)
class EmbeddingsClient:
    """Asks for embeddings of texts, from several threads at once.

    Attributes:
        endpoint: the address before `/embeddings`.
        model: as the server calls it.
        dimensions: numbers a vector, where the server is to shorten it.
        encoding: `base64` or `float`: how numbers are asked for. Both are read, whatever was asked for.
        key_env: the environment variable that holds the key; it is read for each request and kept nowhere.
        a_minute: requests at most.
        width: numbers a vector, once the server has answered.
    """

    endpoint: str
    model: str
    dimensions: int | None = None
    encoding: str = "base64"
    key_env: str = "OPENAI_API_KEY"
    a_minute: float | None = None
    width: int | None = None
    _next: float = 0.0
    _http: Any = None
    _lock: Any = field(default_factory=threading.Lock)

    def __getstate__(self) -> dict[str, Any]:
        """For other processes: without what is open here."""
        return {name: value for name, value in vars(self).items() if name not in ("_http", "_lock", "_next")}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        """Open again where it is needed."""
        vars(self).update(state, _http=None, _lock=threading.Lock(), _next=0.0)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of texts, (n, width).

        Raises:
            BadItemError: the server does not take this one text; the reason is what it says.
            BadBatchError: it does not take one or more of several.
            BackboneError: it cannot be reached, refuses the key or the model, or answers with something else.
        """
        response = self._answer(texts)
        if response.status_code in _OF_THE_ITEMS:
            raise self._refusal(response, texts)
        if response.status_code != 200:
            raise self._hopeless(response)
        vectors = self._vectors(response, len(texts))
        self.width = vectors.shape[1]
        return vectors

    def _answer(self, texts: Sequence[str]) -> Any:
        """The first answer that another attempt would not change."""
        attempt, reason = 0, ""
        while True:
            attempt += 1
            asked, most = None, _ATTEMPTS
            try:
                response = self._post(texts)
            except self._httpx.TransportError as error:
                reason = self._without_key(f"{type(error).__name__}: {error}".rstrip(": "))
                never = isinstance(error, self._httpx.ConnectError) and self.width is None
                most = _ATTEMPTS_TO_CONNECT if never else _ATTEMPTS
            else:
                if response.status_code not in _PASSING or "insufficient_quota" in response.text:
                    return response
                reason, asked = f"status {response.status_code}, {self._said(response)}", _retry_after(response)
            if attempt >= most:
                raise self._given_up(attempt, reason)
            time.sleep(_wait(attempt, asked))

    def _post(self, texts: Sequence[str]) -> Any:
        body: dict[str, Any] = {"model": self.model, "input": list(texts), "encoding_format": self.encoding}
        if self.dimensions is not None:
            body["dimensions"] = self.dimensions
        self._pace()
        return self._client().post(f"{self.endpoint}/embeddings", json=body, headers=self._headers())

    def _headers(self) -> dict[str, str]:
        key = self._key()
        if not (key.isascii() and key.isprintable()):
            raise UsageError(
                f"The variable {self.key_env} holds signs that no key has.", do="Set it again, without line breaks."
            )
        return {"Authorization": f"Bearer {key}"} if key else {}

    def _key(self) -> str:
        return os.environ.get(self.key_env, "").strip()

    def _pace(self) -> None:
        """Wait for this request's turn."""
        if not self.a_minute:
            return
        with self._lock:
            turn = max(time.monotonic(), self._next)
            self._next = turn + 60 / self.a_minute
        time.sleep(max(0.0, turn - time.monotonic()))

    def _client(self) -> Any:
        with self._lock:
            if self._http is None:
                self._http = self._httpx.Client(timeout=self._httpx.Timeout(120, connect=10))
                weakref.finalize(self, self._http.close)
            return self._http

    @property
    def _httpx(self) -> Any:
        return extras.require("httpx2", "api")

    def _refusal(self, response: Any, texts: Sequence[str]) -> Exception:
        """Whether it is these texts that the server does not take, or any: a server that has answered takes some."""
        said = f"the server says: {self._said(response)}"
        if len(texts) > 1:
            return BadBatchError(said)
        works = self.width is not None or self._answer([_PROBE]).status_code == 200
        return BadItemError(said) if works else self._hopeless(response)

    def _hopeless(self, response: Any) -> BackboneError:
        status = response.status_code
        where = f"{self.endpoint} answered with status {status}"
        if status in (401, 403):
            return BackboneError(
                f"{where}: it refuses the key, or asks for one.",
                do=f"Put a valid key into the environment variable {self.key_env}.",
            )
        if status == 404:
            return BackboneError(
                f"{where}: there is no model {self.model!r}, or no /embeddings at this address. {self._said(response)}",
                do="Check the model's name, and that the url ends like http://localhost:11434/v1.",
            )
        return BackboneError(
            f"{where} for the model {self.model!r}: {self._said(response)}", do="Check model, url and dimensions."
        )

    def _given_up(self, attempts: int, reason: str) -> BackboneError:
        return BackboneError(
            f"{self.endpoint} gave no embeddings in {attempts} attempts; the last: {reason.rstrip('.')}.",
            do="What it gave before is stored: run the command again once the server can be reached.",
        )

    def _said(self, response: Any) -> str:
        """The server's own message, on one line, without the key."""
        try:
            told = response.json()
        except ValueError:
            told = response.text
        if isinstance(told, Mapping):
            found = told.get("error") or told.get("detail") or told.get("message") or told
            told = found.get("message", found) if isinstance(found, Mapping) else found
        return self._without_key(" ".join(str(told).split())[:_SAID]) or "nothing"

    def _without_key(self, text: str) -> str:
        return text.replace(self._key(), "***") if self._key() else text

    def _vectors(self, response: Any, n: int) -> NDArray[np.float32]:
        """The vectors of an answer in the order of the texts."""
        try:
            data = sorted(response.json()["data"], key=lambda entry: entry["index"])
            vectors = np.stack([_vector(entry["embedding"]) for entry in data])
        except (ValueError, KeyError, TypeError) as error:
            raise self._strange("something else than embeddings") from error
        if [entry["index"] for entry in data] != list(range(n)):
            raise self._strange(f"{len(data)} vectors for {n} texts")
        wanted = self.dimensions or self.width or vectors.shape[1]
        if vectors.shape[1] != wanted:
            raise self._strange(f"vectors of {vectors.shape[1]} numbers instead of {wanted}")
        return vectors

    def _strange(self, what: str) -> BackboneError:
        return BackboneError(
            f"{self.endpoint} answered with {what}.",
            expected="The answer of an OpenAI-compatible /v1/embeddings.",
            do="Check the url, which ends like http://localhost:11434/v1.",
        )


def _vector(embedding: Any) -> NDArray[np.float32]:
    """A list of numbers, or float32 in base64."""
    if isinstance(embedding, str):
        return np.frombuffer(base64.b64decode(embedding, validate=True), "<f4").astype(np.float32)
    return np.asarray(embedding, np.float32).reshape(-1)


def _wait(attempt: int, asked: float | None) -> float:
    """Seconds before the next attempt: what the server asks for, else ever longer; with a jitter."""
    jitter = random.random()  # noqa: S311 - so that requests do not come back all at once
    if asked is not None:
        return min(asked, 2 * _LONGEST_WAIT) * (1 + 0.1 * jitter)
    return min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** (attempt - 1)) * (0.5 + 0.5 * jitter)


def _retry_after(response: Any) -> float | None:
    """Seconds, or a date."""
    told = response.headers.get("retry-after", "")
    try:
        return max(0.0, float(told))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(told) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
