"""From a question to hits: both sides of the store, fused, the best first."""

from __future__ import annotations

from plumbline.trace import Stages, Tracing
from rag.index.catalogue import Catalogue
from rag.index.filters import Filter
from rag.index.store import Found, Ranking, Search, Store
from rag.retrieve.fuse import default_dense_weight, rrf, weighted
from rag.retrieve.settings import RetrievalSettings
from rag.types import Hit
from routing.chat import Tags
from routing.embedding import MeteredEmbedder


class Retriever:
    """Searches one knowledge base.

    Raises `ModelError` when the question cannot be embedded and `StateError` from storage.
    """

    def __init__(
        self,
        store: Store,
        embedder: MeteredEmbedder,
        catalogue: Catalogue,
        settings: RetrievalSettings,
        tracing: Tracing,
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._catalogue = catalogue
        self._settings = settings
        self._tracing = tracing
        chosen = settings.dense_weight
        self._dense_weight = default_dense_weight(embedder.embedder.name) if chosen is None else chosen

    async def search(
        self,
        query: str,
        *,
        top_k: int | None = None,
        condition: Filter | None = None,
        tags: Tags = Tags("search"),
        stages: Stages | None = None,
    ) -> list[Hit]:
        """The `top_k` best chunks for the query, best first; `stages` is told how long embedding and search take."""
        stages = stages or Stages(self._tracing)
        top_k = self._settings.top_k if top_k is None else top_k
        k = max(self._settings.candidates, top_k)
        text = None if self._settings.mode == "dense" else query
        vector = None
        if self._settings.mode != "lexical":
            with stages.stage("embed"):
                vector = (await self._embedder.queries([query], tags))[0]
        with stages.stage("retrieve", {"plumbline.store": self._store.name}) as span:
            found = await self._store.search(Search(k, vector, text, condition))
            hits = self._hits(found, top_k)
            span.set_attributes(
                {
                    "plumbline.dense.found": len(found.dense),
                    "plumbline.lexical.found": len(found.lexical),
                    "plumbline.hits": [
                        f"{hit.document} {hit.chunk.start}-{hit.chunk.end} {hit.score:.4f}" for hit in hits
                    ],
                }
            )
        return hits

    def _hits(self, found: Found, top_k: int) -> list[Hit]:
        ranked = self._fuse(found)
        dense = {point_id: (rank, score) for rank, (point_id, score) in enumerate(found.dense, 1)}
        lexical = {point_id: (rank, score) for rank, (point_id, score) in enumerate(found.lexical, 1)}
        chunks = self._catalogue.chunks([point_id for point_id, _ in ranked[: top_k * 2]])
        hits: list[Hit] = []
        for point_id, score in ranked:
            if point_id not in chunks:
                # The store may still hold a chunk that the catalogue has just replaced; it is on its way out.
                continue
            chunk, document = chunks[point_id]
            dense_rank, dense_score = dense.get(point_id, (None, None))
            lexical_rank, lexical_score = lexical.get(point_id, (None, None))
            hits.append(Hit(chunk, document, score, dense_rank, dense_score, lexical_rank, lexical_score))
        return hits[:top_k]

    def _fuse(self, found: Found) -> Ranking:
        if self._settings.mode == "dense":
            return found.dense
        if self._settings.mode == "lexical":
            return found.lexical
        if self._settings.fusion == "rrf":
            return rrf([found.dense, found.lexical], k=self._settings.rrf_k)
        return weighted(found.dense, found.lexical, self._dense_weight)
