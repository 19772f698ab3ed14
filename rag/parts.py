"""What a knowledge base is made of, once `rag.config` has put it together."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rag.index.catalogue import Catalogue
from rag.index.changes import Changes
from rag.index.fields import KnownFields, check_filter
from rag.index.filter_parse import parse_filter
from rag.index.filters import Filter
from rag.index.live import LiveIndex
from rag.index.manifest import Manifest
from rag.index.store import Store
from rag.ingest.chunk import BatchChunker, Chunker
from rag.retrieve.access import Access
from rag.retrieve.search import Retriever
from rag.settings import RagSettings
from rag.wants import checked
from routing.chat import Wants
from routing.embedding import MeteredEmbedder
from routing.lazy import LazyRouter
from routing.meter import Meter
from routing.protection import Protection
from routing.router import Router

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from plumbline.prompts import Prompt
    from rag.calls import Routers
    from rag.home import Home
    from routing.policy.build import Routes

KNOWLEDGE_FILE = "knowledge.db"


@dataclass(frozen=True, slots=True)
class Parts:
    """What a `RAG` is made of."""

    path: Path
    settings: RagSettings
    engine: Engine
    home: Home
    catalogue: Catalogue
    manifest: Manifest
    changes: Changes
    known_fields: KnownFields
    live: LiveIndex
    embedder: MeteredEmbedder
    chunker: Chunker
    retriever: Retriever
    model_name: str
    routes: Routes
    routers: Routers
    answering: LazyRouter
    staying: LazyRouter
    writing: LazyRouter
    meter: Meter
    protection: Protection
    shares_protection: bool
    system_prompt: Prompt
    question_prompt: Prompt

    @property
    def store(self) -> Store:
        """What is searched now; raises `KnowledgeBaseMismatchError` when its vectors are another embedder's."""
        return self.live.current().store

    def condition(self, given: Filter | str | None, access: Access) -> Filter | None:
        """A caller's filter, or its text form, as a filter; raises `InputError` for one that cannot be.

        Known are the fields of what may be seen with `access`.
        """
        if given is None:
            return None
        fields = self.known_fields.fields(access.condition())
        return parse_filter(given, fields) if isinstance(given, str) else check_filter(given, fields)

    def wants(self, given: Wants | None) -> Wants:
        """What a caller wants; raises `InputError` for what cannot be, `UnknownModelError` for a model that is none."""
        return checked(given, self.routes)

    @property
    def router(self) -> Router:
        """The router, made when it is first needed: searching and ingesting work without the chat model's key."""
        return self.answering.get()

    def router_for(self, wants: Wants) -> Router:
        """The router that answers what is wanted so; where nothing may leave, it needs no key of who is elsewhere."""
        return self.staying.get() if wants.local else self.router

    async def close(self) -> None:
        """Close everything, in the reverse order of opening, and raise only then what one could not do."""
        async with AsyncExitStack() as opened:
            opened.callback(self.home.close)
            if not self.shares_protection:
                opened.push_async_callback(self.protection.close)
            opened.callback(self.engine.dispose)
            opened.callback(self.changes.close)
            opened.push_async_callback(self.live.close)
            opened.push_async_callback(self.embedder.embedder.close)
            if self.retriever.reranker is not None:
                opened.push_async_callback(self.retriever.reranker.close)
            if isinstance(self.chunker, BatchChunker):
                opened.push_async_callback(self.chunker.close)
            for router in {self.writing, self.staying, self.answering}:
                opened.push_async_callback(router.close)
