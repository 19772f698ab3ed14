"""The wire formats of embedding and reranking at Cohere, and of reranking at vLLM, as a server writes them.

Sources: the response types of the SDK `cohere` 7, and vLLM's `entrypoints/pooling/scoring/protocol.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from routing.testing.fakes import shared_words


def cohere_embeddings(vectors: Sequence[Sequence[float]], tokens: int) -> dict[str, Any]:
    """The answer of `/v2/embed` to `embedding_types: ["float"]`."""
    return {
        "id": "embed-1",
        "response_type": "embeddings_by_type",
        "embeddings": {"float": [list(vector) for vector in vectors]},
        "texts": [],
        "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": tokens}},
    }


def cohere_results(body: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of `/v2/rerank`: best first, each by the words it shares with the query; one search is billed."""
    results = [{"index": index, "relevance_score": score} for index, score in _ranked(body["query"], body["documents"])]
    return {"id": "rerank-1", "results": results, "meta": {"billed_units": {"search_units": 1}}}


def served_results(body: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of `/rerank` at vLLM: best first, each with its document."""
    documents = body["documents"]
    results = [
        {"index": index, "document": {"text": documents[index]}, "relevance_score": score}
        for index, score in _ranked(body["query"], documents)
    ]
    tokens = _tokens([*documents, *[body["query"]] * len(documents)])
    return {"id": "rerank-1", "model": body["model"], "usage": {"total_tokens": tokens}, "results": results}


def served_scores(body: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of `/score` at vLLM, in the order of `text_2`."""
    texts = body["text_2"]
    data = [
        {"index": index, "object": "score", "score": shared_words(body["text_1"], text)}
        for index, text in enumerate(texts)
    ]
    tokens = _tokens([*texts, *[body["text_1"]] * len(texts)])
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"id": "score-1", "object": "list", "model": body["model"], "data": data, "usage": usage}


def _ranked(query: str, documents: Sequence[str]) -> list[tuple[int, float]]:
    scores = [(index, shared_words(query, document)) for index, document in enumerate(documents)]
    return sorted(scores, key=lambda scored: -scored[1])


def _tokens(texts: Sequence[str]) -> int:
    return sum(len(text.split()) for text in texts)
