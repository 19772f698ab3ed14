"""Embedders of OpenAI, and of every server that speaks its embeddings (vLLM and others), on the `openai` SDK."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from plumbline.text.tokens import tokenizer
from routing.chat import Usage
from routing.errors import BadRequestError
from routing.models.batches import Limits, Piece, add_up, batches, pieces, requests_of, to_unit_length
from routing.models.clients import Connections
from routing.models.facts import UNKNOWN, ModelFacts
from routing.models.failures import calling, invalid, of_status
from routing.models.openai_batches import OpenAIBatches
from routing.models.openai_client import OPENAI_ADDRESS, openai_clients, openai_endpoint
from routing.vectors import Embeddings

if TYPE_CHECKING:
    from routing.vectors import Vectors

# A request may carry 2,048 texts and 300,000 tokens. Half of each: our counts are another model's on other servers.
_MOST_TEXTS = 1024
_MOST_TOKENS = 150_000


class OpenAIEmbedder:
    """The embedder "openai/NAME", or "PROVIDER/NAME" on another server at `base_url`.

    `dim` shortens the vectors of models that can (Matryoshka) and must otherwise be the length the model gives.
    `max_tokens` is how much the model reads of one text, `None` for unknown: then long texts go out whole. A text
    longer than that is cut into windows, whose vectors are averaged by tokens. Tokens are counted by cl100k_base,
    which is OpenAI's own for its embedders.
    """

    def __init__(
        self,
        name: str,
        *,
        dim: int,
        api_key: str | None,
        provider: str = "openai",
        base_url: str = OPENAI_ADDRESS,
        key_variable: str | None = "OPENAI_API_KEY",
        facts: ModelFacts = UNKNOWN,
        max_tokens: int | None = None,
        timeout: float = 60.0,
        connections: Connections | None = None,
    ) -> None:
        self.dim = dim
        self.max_tokens = max_tokens if max_tokens is not None else facts.context
        self._name = name
        self._shortened = facts.shortens and dim != facts.dimensions
        self._endpoint = openai_endpoint(provider, name, base_url, key_variable)
        self._clients = openai_clients(provider, base_url, api_key, timeout, connections)

    @property
    def name(self) -> str:
        """The model as "provider/name"."""
        return self._endpoint.model

    async def embed_queries(self, texts: Sequence[str]) -> Embeddings:
        """Embed texts that ask; raises `ModelError`."""
        return await self._embed(texts)

    async def embed_passages(self, texts: Sequence[str]) -> Embeddings:
        """Embed texts that are searched; raises `ModelError`."""
        return await self._embed(texts)

    def requests(self, texts: Sequence[str]) -> list[list[int]]:
        """The rows of `texts` by the request they go out in; see `routing.vectors.RequestingEmbedder`."""
        return requests_of(texts, self._limits, tokenizer())

    def body(self, texts: Sequence[str]) -> dict[str, Any]:
        """What is sent for `texts` as one of a batch; raises `BadRequestError` for more than one request takes."""
        found = list(pieces(texts, self.max_tokens, tokenizer()))
        if len(list(batches(found, self._limits))) > 1:
            raise BadRequestError(
                f"{len(texts):,} texts are more than one request to {self.name} takes.",
                model=self.name,
                hint="Divide them with its method `requests`.",
            )
        return self._arguments(found)

    def read(self, texts: Sequence[str], document: Any, *, status: int = 200) -> Embeddings:
        """The vectors of `texts` in an answer, parsed from its JSON; raises `ModelError`, also for a `status`."""
        import numpy as np

        if status >= 400:
            raise of_status(status, document, self._endpoint, headers={})
        found = list(pieces(texts, self.max_tokens, tokenizer()))
        try:
            rows = [SimpleNamespace(index=row["index"], embedding=row["embedding"]) for row in document["data"]]
            usage = SimpleNamespace(**document["usage"])
        except (KeyError, TypeError) as error:
            raise invalid(self._endpoint, "has no list of vectors") from error
        response = SimpleNamespace(data=rows, usage=usage)
        pooled = np.zeros((len(texts), self.dim), np.float32)
        add_up(pooled, found, self._vectors(response, len(found)))
        to_unit_length(pooled)
        return Embeddings(pooled, _usage(response, found))

    def batches(self) -> OpenAIBatches:
        """Where batches of requests to this model are sent."""
        return OpenAIBatches(self._clients, self._endpoint)

    async def close(self) -> None:
        """Close the connections."""
        await self._clients.close()

    @property
    def _limits(self) -> Limits:
        return Limits(_MOST_TEXTS, _MOST_TOKENS, self.max_tokens)

    async def _embed(self, texts: Sequence[str]) -> Embeddings:
        import numpy as np

        pooled = np.zeros((len(texts), self.dim), np.float32)
        usage = Usage()
        for batch in batches(pieces(texts, self.max_tokens, tokenizer()), self._limits):
            vectors, used = await self._request(batch)
            usage += used
            add_up(pooled, batch, vectors)
        to_unit_length(pooled)
        return Embeddings(pooled, usage)

    async def _request(self, batch: Sequence[Piece]) -> tuple[Vectors, Usage]:
        async with calling(self._endpoint, None):
            client = await self._clients.get()
            response = await client.embeddings.create(**self._arguments(batch))
        return self._vectors(response, len(batch)), _usage(response, batch)

    def _arguments(self, batch: Sequence[Piece]) -> dict[str, Any]:
        arguments: dict[str, Any] = {"model": self._name, "input": [text for _, text, _ in batch]}
        return arguments | ({"dimensions": self.dim} if self._shortened else {})

    def _vectors(self, response: Any, count: int) -> Vectors:
        """The unit vectors of a response, in the order of its texts."""
        import numpy as np

        try:
            rows = sorted(response.data, key=lambda row: row.index)
            vectors = np.asarray([row.embedding for row in rows], np.float32).reshape(len(rows), -1)
        # The SDK builds its objects without validating them, so anything may be missing or of another type.
        except (AttributeError, TypeError, ValueError) as error:
            raise invalid(self._endpoint, "has no list of vectors") from error
        if len(rows) != count or not np.isfinite(vectors).all():
            raise invalid(self._endpoint, f"has {len(rows)} vectors for {count} texts, or numbers that are none")
        if vectors.shape[1] != self.dim:
            found = vectors.shape[1]
            raise invalid(
                self._endpoint,
                f"has vectors of {found} numbers, not {self.dim}",
                hint=f"Set embedding.dimensions: {found}.",
            )
        to_unit_length(vectors)
        return vectors


def _usage(response: Any, batch: Sequence[Piece]) -> Usage:
    reported = getattr(getattr(response, "usage", None), "prompt_tokens", None)
    if isinstance(reported, int) and reported > 0:
        return Usage(input_tokens=reported)
    return Usage(input_tokens=sum(tokens for _, _, tokens in batch), estimated=True)
