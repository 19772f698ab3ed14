"""Rerankers behind a server: vLLM's `/rerank` and `/score`, and the `/rerank` of Jina, Cohere and their like.

`/rerank` takes a query and documents and gives results with an index and a relevance score; `/score`, vLLM's own, takes
one text and many (`text_1`, `text_2`) and gives data with an index and a score. The `openai` SDK carries both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from plumbline.text.tokens import tokenizer
from routing.chat import Usage
from routing.errors import ContextLengthError, ModelNotFoundError
from routing.models.clients import Connections
from routing.models.failures import calling, invalid
from routing.models.openai_client import openai_clients, openai_endpoint
from routing.models.rerank_answers import scores_of, whole_number
from routing.models.rerank_windows import LEAST_WINDOW, Windowed, windowed
from routing.vectors import Scores

Path = Literal["/rerank", "/score"]


class ServedReranker:
    """The reranker "PROVIDER/NAME" on a server at `base_url`.

    A server that has no `/rerank` is asked for `/score` from then on. Passages longer than the model reads are found
    out by its refusal, sent again in windows of half the length, and count by their best window; what fits is
    remembered. Raises `ModelError`.
    """

    def __init__(
        self,
        name: str,
        *,
        provider: str,
        base_url: str,
        api_key: str | None,
        key_variable: str | None,
        timeout: float = 60.0,
        connections: Connections | None = None,
    ) -> None:
        self._name = name
        self._endpoint = openai_endpoint(provider, name, base_url, key_variable)
        self._clients = openai_clients(provider, base_url, api_key, timeout, connections)
        self._path: Path = "/rerank"
        self._room: int | None = None

    @property
    def name(self) -> str:
        """The model as "provider/name"."""
        return self._endpoint.model

    async def score(self, query: str, passages: Sequence[str]) -> Scores:
        """Score each passage, on the server's own scale."""
        import numpy as np

        if not passages:
            return Scores(np.zeros(0, np.float32), Usage())
        while True:
            found = windowed(passages, self._room, tokenizer())
            try:
                answer, results = await self._ask(query, found.texts)
            except ContextLengthError:
                longest = max(map(tokenizer().count, found.texts))
                if longest <= LEAST_WINDOW:
                    raise  # the query alone is too long
                self._room = max(longest // 2, LEAST_WINDOW)
                continue
            values = scores_of(results, len(found.texts), self._endpoint)
            return Scores(found.best(values, len(passages)), _usage(answer, query, found))

    async def close(self) -> None:
        """Close the connections."""
        await self._clients.close()

    async def _ask(self, query: str, texts: Sequence[str]) -> tuple[Mapping[str, Any], object]:
        """The server's answer, and its results."""
        try:
            return await self._post(query, texts)
        except ModelNotFoundError:
            if self._path == "/score":
                raise
            self._path = "/score"
            try:
                return await self._post(query, texts)
            except ModelNotFoundError:
                self._path = "/rerank"
                raise

    async def _post(self, query: str, texts: Sequence[str]) -> tuple[Mapping[str, Any], object]:
        path = self._path
        texts = list(texts)
        body = {"query": query, "documents": texts} if path == "/rerank" else {"text_1": query, "text_2": texts}
        async with calling(self._endpoint, None):
            client = await self._clients.get()
            answer = await client.post(path, body={"model": self._name, **body}, cast_to=object)
        if not isinstance(answer, Mapping):
            raise invalid(self._endpoint, "is not a JSON object")
        return answer, answer.get("results", answer.get("data"))


def _usage(answer: Mapping[str, Any], query: str, found: Windowed) -> Usage:
    """Tokens as vLLM and Jina report them, searches as Cohere does; what is left out is estimated."""
    usage, meta = _object(answer, "usage"), _object(answer, "meta")
    tokens = whole_number(usage.get("prompt_tokens", usage.get("total_tokens")))
    searches = whole_number(_object(meta, "billed_units").get("search_units")) or 0
    if tokens is None:
        tokens = found.tokens + len(found.texts) * tokenizer().count(query)
        return Usage(input_tokens=tokens, estimated=True, searches=searches)
    return Usage(input_tokens=tokens, searches=searches)


def _object(parent: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = parent.get(key)
    return value if isinstance(value, Mapping) else {}
