"""Cohere's rerankers, on the v2 API of its SDK."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from plumbline.text.tokens import tokenizer
from routing.chat import Usage
from routing.models.clients import Connections
from routing.models.cohere_client import COHERE_ADDRESS, cohere_clients, cohere_endpoint
from routing.models.facts import UNKNOWN, ModelFacts
from routing.models.failures import calling
from routing.models.rerank_answers import scores_of, whole_number
from routing.models.rerank_windows import windowed
from routing.vectors import Scores

if TYPE_CHECKING:
    from routing.vectors import Vectors

_MOST_PASSAGES = 1000  # of one request, as Cohere advises
_READS = 4096  # tokens of query and passage that every model reads, and that are read unless asked otherwise
_MARGIN = 0.75  # our tokens are cl100k_base's: what we cut by them must still fit when Cohere counts
_UNIT_PASSAGES = 100
_UNIT_TOKENS = 500


class CohereReranker:
    """The reranker "cohere/NAME"; scores are in [0, 1].

    Cohere would cut passages off at 4,096 tokens; longer ones are sent in windows and count by the best. Usage is what
    Cohere says it bills: tokens, or searches (a query with up to 100 passages, of 500 tokens each with the query);
    what it leaves out is estimated. Raises `ModelError`.
    """

    def __init__(
        self,
        name: str,
        *,
        api_key: str,
        base_url: str = COHERE_ADDRESS,
        facts: ModelFacts = UNKNOWN,
        timeout: float = 60.0,
        connections: Connections | None = None,
    ) -> None:
        self._name = name
        self._by_search = facts.by_search
        self._endpoint = cohere_endpoint(name, base_url)
        self._clients = cohere_clients(base_url, api_key, timeout, connections)

    @property
    def name(self) -> str:
        """The model as "cohere/name"."""
        return self._endpoint.model

    async def score(self, query: str, passages: Sequence[str]) -> Scores:
        """Score each passage in [0, 1]."""
        import numpy as np

        counter = tokenizer()
        found = windowed(passages, int(_READS * _MARGIN) - counter.count(query), counter)
        parts: list[Vectors] = [np.zeros(0, np.float32)]
        usage = Usage()
        for texts in _parts(found.texts):
            values, used = await self._request(query, texts)
            parts.append(values)
            usage += used
        return Scores(found.best(np.concatenate(parts), len(passages)), usage)

    async def close(self) -> None:
        """Close the connections."""
        await self._clients.close()

    async def _request(self, query: str, texts: Sequence[str]) -> tuple[Vectors, Usage]:
        async with calling(self._endpoint, None):
            client = await self._clients.get()
            response = await client.sdk.rerank(model=self._name, query=query, documents=list(texts))
        values = scores_of(getattr(response, "results", None), len(texts), self._endpoint)
        return values, self._usage(response, query, texts)

    def _usage(self, response: Any, query: str, texts: Sequence[str]) -> Usage:
        billed = getattr(getattr(response, "meta", None), "billed_units", None)
        tokens = whole_number(getattr(billed, "input_tokens", None))
        searches = whole_number(getattr(billed, "search_units", None))
        if tokens and not self._by_search:
            return Usage(input_tokens=tokens)
        if searches and self._by_search:
            return Usage(input_tokens=tokens or 0, searches=searches)
        asked = tokenizer().count(query)
        sizes = [asked + tokenizer().count(text) for text in texts]
        units = math.ceil(sum(math.ceil(size / _UNIT_TOKENS) for size in sizes) / _UNIT_PASSAGES)
        return Usage(input_tokens=sum(sizes), estimated=True, searches=units if self._by_search else 0)


def _parts(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(texts), _MOST_PASSAGES):
        yield texts[start : start + _MOST_PASSAGES]
