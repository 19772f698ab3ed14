"""Embedders of Cohere, on the v2 API of its SDK."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from plumbline.text.tokens import tokenizer
from routing.chat import Usage
from routing.models.batches import Limits, Piece, add_up, batches, pieces, requests_of, to_unit_length
from routing.models.clients import Connections
from routing.models.cohere_client import COHERE_ADDRESS, cohere_clients, cohere_endpoint
from routing.models.facts import UNKNOWN, ModelFacts
from routing.models.failures import calling, invalid
from routing.models.rerank_answers import whole_number
from routing.vectors import Embeddings

if TYPE_CHECKING:
    from routing.vectors import Vectors

# A request may carry 96 texts, and of the models that read long ones 128,000 tokens in all.
_MOST_TEXTS = 96
_MOST_TOKENS = 96_000
_MARGIN = 0.75  # our tokens are cl100k_base's: what we cut by them must still fit when Cohere counts

InputType = Literal["search_query", "search_document"]


class CohereEmbedder:
    """The embedder "cohere/NAME". Queries and passages are embedded each in their own way.

    `dim` shortens the vectors of models that can (Matryoshka). A text longer than three quarters of what the model
    reads is cut into windows, whose vectors are averaged by tokens; nothing is cut off (`truncate` is "NONE"). Raises
    `ModelError`.
    """

    def __init__(
        self,
        name: str,
        *,
        dim: int,
        api_key: str,
        base_url: str = COHERE_ADDRESS,
        facts: ModelFacts = UNKNOWN,
        timeout: float = 60.0,
        connections: Connections | None = None,
    ) -> None:
        self.dim = dim
        self.max_tokens = None if facts.context is None else int(facts.context * _MARGIN)
        self._name = name
        self._shortened = facts.shortens and dim != facts.dimensions
        self._endpoint = cohere_endpoint(name, base_url)
        self._clients = cohere_clients(base_url, api_key, timeout, connections)

    @property
    def name(self) -> str:
        """The model as "cohere/name"."""
        return self._endpoint.model

    async def embed_queries(self, texts: Sequence[str]) -> Embeddings:
        """Embed texts that ask ("search_query")."""
        return await self._embed(texts, "search_query")

    async def embed_passages(self, texts: Sequence[str]) -> Embeddings:
        """Embed texts that are searched ("search_document")."""
        return await self._embed(texts, "search_document")

    def requests(self, texts: Sequence[str]) -> list[list[int]]:
        """The rows of `texts` by the request they go out in; see `routing.vectors.RequestingEmbedder`."""
        return requests_of(texts, self._limits, tokenizer())

    async def close(self) -> None:
        """Close the connections."""
        await self._clients.close()

    @property
    def _limits(self) -> Limits:
        return Limits(_MOST_TEXTS, _MOST_TOKENS, self.max_tokens)

    async def _embed(self, texts: Sequence[str], kind: InputType) -> Embeddings:
        import numpy as np

        pooled = np.zeros((len(texts), self.dim), np.float32)
        usage = Usage()
        for batch in batches(pieces(texts, self.max_tokens, tokenizer()), self._limits):
            vectors, used = await self._request(batch, kind)
            usage += used
            add_up(pooled, batch, vectors)
        to_unit_length(pooled)
        return Embeddings(pooled, usage)

    async def _request(self, batch: Sequence[Piece], kind: InputType) -> tuple[Vectors, Usage]:
        options: dict[str, Any] = {"output_dimension": self.dim} if self._shortened else {}
        async with calling(self._endpoint, None):
            client = await self._clients.get()
            response = await client.sdk.embed(
                model=self._name,
                input_type=kind,
                texts=[text for _, text, _ in batch],
                embedding_types=["float"],
                truncate="NONE",
                **options,
            )
        return self._vectors(response, len(batch)), _usage(response, batch)

    def _vectors(self, response: Any, count: int) -> Vectors:
        import numpy as np

        try:
            vectors = np.asarray(response.embeddings.float_, np.float32).reshape(count, -1)
        # The SDK builds its objects without validating them, so anything may be missing or of another type.
        except (AttributeError, TypeError, ValueError) as error:
            raise invalid(self._endpoint, f"has no list of {count} vectors") from error
        if not np.isfinite(vectors).all():
            raise invalid(self._endpoint, "has numbers that are none")
        if vectors.shape[1] != self.dim:
            found = vectors.shape[1]
            hint = f"Set embedding.dimensions: {found}."
            raise invalid(self._endpoint, f"has vectors of {found} numbers, not {self.dim}", hint=hint)
        to_unit_length(vectors)
        return vectors


def _usage(response: Any, batch: Sequence[Piece]) -> Usage:
    billed = getattr(getattr(response, "meta", None), "billed_units", None)
    tokens = whole_number(getattr(billed, "input_tokens", None))
    if tokens is not None:
        return Usage(input_tokens=tokens)
    return Usage(input_tokens=sum(tokens for *_, tokens in batch), estimated=True)
