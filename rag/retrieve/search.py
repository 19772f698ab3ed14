"""From a question to hits: both sides of the store, fused, the best first."""

from __future__ import annotations

from collections.abc import Callable

from plumbline.trace import Stages, Tracing
from rag.index.catalogue import Catalogue
from rag.index.filters import Filter
from rag.index.live import LiveIndex
from rag.index.store import Found, Ranking, Search
from rag.retrieve.fuse import default_dense_weight, rrf, weighted
from rag.retrieve.read import Reader
from rag.retrieve.settings import RetrievalSettings
from rag.types import Hit
from routing.chat import Tags
from routing.embedding import MeteredEmbedder


class Retriever:
    """Searches one knowledge base. `count` counts tokens as its chunker does.

    Raises `ModelError` when the question cannot be embedded and `StateError` from storage.
    """

    def __init__(
        self,
        live: LiveIndex,
        embedder: MeteredEmbedder,
        catalogue: Catalogue,
        settings: RetrievalSettings,
        tracing: Tracing,
        count: Callable[[str], int],
    ) -> None:
        self._live = live
        self._embedder = embedder
        self._settings = settings
        self._tracing = tracing
        self._reader = Reader(catalogue, settings, count)
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
        now, searched = self._live.current(), None
        if self._settings.mode != "lexical":
            with stages.stage("embed"):
                vector = (await self._embedder.queries([query], tags))[0]
        with stages.stage("retrieve") as span:
            while searched != now:  # an index that was replaced while it was searched may have been half gone
                searched = now
                found = await searched.store.search(Search(k, vector, text, condition))
                hits = self._reader.hits(self._fuse(found), found, top_k, searched.generation)
                now = self._live.current()
            span.set_attributes(
                {
                    "plumbline.store": now.store.name,
                    "plumbline.dense.found": len(found.dense),
                    "plumbline.lexical.found": len(found.lexical),
                    "plumbline.hits": [
                        f"{hit.document} {hit.chunk.start}-{hit.chunk.end} {hit.score:.4f}" for hit in hits
                    ],
                }
            )
        return hits

    def _fuse(self, found: Found) -> Ranking:
        if self._settings.mode == "dense":
            return found.dense
        if self._settings.mode == "lexical":
            return found.lexical
        if self._settings.fusion == "rrf":
            return rrf([found.dense, found.lexical], k=self._settings.rrf_k)
        return weighted(found.dense, found.lexical, self._dense_weight)
