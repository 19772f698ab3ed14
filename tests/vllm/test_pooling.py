"""Vectors and scores of a real vLLM server."""

from __future__ import annotations

import numpy as np

from routing.models.catalog import embedder, reranker
from tests.vllm.servers import Server

TEXTS = ["Goods may be returned within 30 days.", "Shipping to Iceland takes nine days.", "Goods, 30 days."]
DIM = 128


async def test_vectors_come_in_order_and_counted(pooling: Server) -> None:
    model = embedder(pooling.name, dimensions=DIM, environ={})
    together = await model.embed_passages(TEXTS)
    alone = [await model.embed_passages([text]) for text in TEXTS]
    assert together.vectors.shape == (3, DIM)
    assert np.allclose(np.linalg.norm(together.vectors, axis=1), 1, atol=1e-5)
    assert np.allclose(together.vectors, np.concatenate([each.vectors for each in alone]), atol=1e-3)
    assert together.usage.input_tokens == sum(each.usage.input_tokens for each in alone) > 0
    await model.close()


async def test_passages_are_scored(pooling: Server) -> None:
    model = reranker(pooling.name, environ={})
    scores = await model.score(TEXTS[0], TEXTS)
    assert len(scores.values) == 3
    assert scores.values.argmax() == 0, "a text is nearest to itself"
    assert scores.usage.input_tokens > 0
    await model.close()
