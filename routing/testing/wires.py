"""Which interface a request speaks to, by its path, and how that one answers: `WIRES` is the place for one more."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from routing.testing import wire, wire_cohere, wire_rerank, wire_responses
from routing.testing.fakes import hashed_vector
from routing.testing.wire import Script
from routing.testing.wire_http import Answer, Received


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be answered: the script, the body of the request, and the length of embeddings."""

    script: Script
    body: Mapping[str, Any]
    dim: int

    @property
    def model(self) -> str:
        """The model asked."""
        return str(self.body.get("model"))


@dataclass(frozen=True, slots=True)
class Wire:
    """One interface: its answer in one piece, as a stream, and as an error with a status and a message.

    `error_event` is that error inside a stream.
    """

    document: Callable[[Asked], dict[str, Any]]
    error: Callable[[int, str], dict[str, Any]]
    events: Callable[[Asked], Iterator[bytes]] | None = None
    error_event: Callable[[int, str], bytes] = lambda status, message: b""

    def answer(self, asked: Asked) -> Answer:
        """What is sent when nothing goes wrong."""
        if asked.body.get("stream") and self.events is not None:
            return Answer(tuple(self.events(asked)), streamed=True, content_type="text/event-stream")
        return Answer((json.dumps(self.document(asked)).encode(),))


def wire_of(received: Received) -> Wire:
    """The interface that a request speaks to; what is not known is taken for OpenAI's chat completions."""
    path = received.path.partition("?")[0]
    return next((known for suffix, known in WIRES.items() if path.endswith(suffix)), OPENAI)


def _openai_error_event(status: int, message: str) -> bytes:
    return f"data: {json.dumps(_openai_error(status, message))}\n\n".encode()


def _anthropic_error_event(status: int, message: str) -> bytes:
    return wire.sse("error", _anthropic_error(status, message))


_openai_error = partial(wire.error_body, anthropic=False)
_anthropic_error = partial(wire.error_body, anthropic=True)


def _embeddings(asked: Asked) -> dict[str, Any]:
    texts = asked.body["input"]
    vectors = [hashed_vector(text, int(asked.body.get("dimensions", asked.dim))) for text in texts]
    as_base64 = asked.body.get("encoding_format") == "base64"
    return wire.openai_embeddings(vectors, asked.model, _words(texts), as_base64=as_base64)


def _cohere_embeddings(asked: Asked) -> dict[str, Any]:
    texts = asked.body["texts"]
    vectors = [hashed_vector(text, int(asked.body.get("output_dimension", asked.dim))) for text in texts]
    return wire_rerank.cohere_embeddings(vectors, _words(texts))


def _words(texts: list[str]) -> int:
    return sum(len(text.split()) for text in texts)


OPENAI = Wire(
    lambda asked: wire.openai_completion(asked.script, asked.model, asked.body),
    _openai_error,
    lambda asked: wire.openai_chunks(asked.script, asked.model, asked.body),
    _openai_error_event,
)
ANTHROPIC = Wire(
    lambda asked: wire.anthropic_message(asked.script, asked.model),
    _anthropic_error,
    lambda asked: wire.anthropic_events(asked.script, asked.model),
    _anthropic_error_event,
)
COHERE = Wire(
    lambda asked: wire_cohere.cohere_chat(asked.script),
    lambda status, message: wire_cohere.cohere_error(message),
    lambda asked: wire_cohere.cohere_events(asked.script),
    lambda status, message: wire_cohere.cohere_failed(message),
)
RESPONSES = Wire(
    lambda asked: wire_responses.response(asked.script, asked.body),
    _openai_error,
    lambda asked: wire_responses.events(asked.script, asked.body),
    wire_responses.error_event,
)
WIRES: Mapping[str, Wire] = {
    "/responses": RESPONSES,
    "/v2/chat": COHERE,
    "/messages": ANTHROPIC,
    "/embeddings": Wire(_embeddings, _openai_error),
    "/embed": Wire(_cohere_embeddings, _openai_error),
    "/v2/rerank": Wire(lambda asked: wire_rerank.cohere_results(asked.body), _openai_error),
    "/rerank": Wire(lambda asked: wire_rerank.served_results(asked.body), _openai_error),
    "/score": Wire(lambda asked: wire_rerank.served_scores(asked.body), _openai_error),
}
"""Interfaces by the end of their path; the first that fits counts."""
