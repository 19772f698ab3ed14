"""The face of a knowledge base: `RAG`. What happens to a question is in `rag.pipeline`, to documents in `rag.ingest`.

Every public verb exists once, as a coroutine (`aask`); the plain name (`ask`) runs it, also where an event loop is
already running, as in notebooks.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import AsyncGenerator, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from plumbline.aio import Lifetime, LoopThread
from plumbline.errors import InputError
from rag.keeping import Keeping
from rag.types import Answer, Document, Hit

if TYPE_CHECKING:
    from rag.config import Parts
    from rag.events import AnswerEvent
    from rag.index.catalogue import Totals
    from rag.index.filters import Filter
    from rag.index.manifest import SourceRecord
    from rag.ingest.labels import LabelUse
    from rag.retrieve.access import Access
    from rag.retrieve.search import Query, Retrieval
    from routing.chat import ChatModel, Message, Wants
    from routing.cost.ledger import LedgerTotals
    from routing.models.catalog import Catalog
    from routing.protection import Standing
    from routing.vectors import Embedder, Reranker


Condition: TypeAlias = "Filter | str | None"
"""Limits what is searched: a filter, or its text form."""


@dataclass(frozen=True, slots=True)
class Status:
    """What a knowledge base holds and what it was built with; `waiting` documents are stored and not yet searchable."""

    path: Path
    totals: Totals
    facts: Mapping[str, str]
    documents: Sequence[Mapping[str, Any]]
    sources: Sequence[SourceRecord]
    model: str
    rerank: str
    store: str
    dropped_spans: int
    standing: Standing
    labels: Sequence[LabelUse] = ()


class RAG(Keeping, Lifetime):
    """A knowledge base: documents in, grounded answers out. Make one with `RAG.open`; close it, or use it in a `with`.

    Safe to use from several threads and from async code at the same time.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._loop = LoopThread()
        self._closed = False
        # Whoever forgets to close leaves no open database behind.
        self._finalizer = weakref.finalize(self, _let_go, parts, self._loop)
        self._unguarded = weakref.finalize(self, _let_go_of_guards, parts)
        self._unguarded.atexit = False  # no process needs them any more

    @classmethod
    def open(
        cls,
        path: str | Path = "kb",
        *,
        config: str | Path | None = None,
        model: str | ChatModel | None = None,
        embedder: Embedder | None = None,
        reranker: Reranker | None = None,
        home: str | Path | None = None,
        settings: Mapping[str, Any] | None = None,
        environ: Mapping[str, str] | None = None,
        catalog: Catalog | None = None,
    ) -> RAG:
        """Open the knowledge base in the folder `path`, or create it.

        `config` is a shipped configuration ("default", "openai", "anthropic", "vllm") or a YAML file; `settings` maps
        dotted keys to values and wins over it, `model` is short for "generation.model". A `model`, `embedder` or
        `reranker` of your own is anything of the protocol's shape (`routing.chat`, `routing.vectors`); it is closed
        with the knowledge base. `catalog` knows models by name that the default one does not
        (`routing.models.catalog.register_model`). API keys come from `environ` (default: the process's). Nothing calls
        a paid API unless one of these names it. Raises `ConfigError`, `MissingKeyError`, `MissingExtraError` or
        `StateError`.
        """
        from rag.config import build, read_rag_settings
        from routing.models.catalog import DEFAULT_CATALOG

        known = DEFAULT_CATALOG if catalog is None else catalog
        overrides = dict(settings or {})
        if isinstance(model, str):
            overrides["generation.model"] = model
        parts = build(
            path,
            read_rag_settings(config, environ=environ, overrides=overrides, catalog=known),
            home=home,
            environ=environ,
            catalog=known,
            model=None if isinstance(model, str) else model,
            embedder=embedder,
            reranker=reranker,
        )
        return cls(parts)

    def ask(
        self,
        question: str,
        *,
        condition: Condition = None,
        tenant: str | None = None,
        access: Access | None = None,
        history: Sequence[Message] = (),
        wants: Wants | None = None,
    ) -> Answer:
        """Answer a question; see `aask`."""
        _ = self.parts
        return self._loop.run(
            self.aask(question, condition=condition, tenant=tenant, access=access, history=history, wants=wants)
        )

    async def aask(
        self,
        question: str,
        *,
        condition: Condition = None,
        tenant: str | None = None,
        access: Access | None = None,
        history: Sequence[Message] = (),
        wants: Wants | None = None,
    ) -> Answer:
        """Answer a question from the documents, with checked citations, price and confidence.

        `condition` limits what is searched: a `Filter`, or its text form ("date >= 2023-01-01 and type = 'text/html'").
        Documents that belong to a tenant or to groups are seen with their `access` alone; `tenant` is short for
        `Access(tenant)`, and is written into trace and ledger. `history` is the conversation before the question, which
        `retrieval.question.rewrite` reads. `wants` is asked of whoever is asked on the way: with `Wants(local=True)`
        nothing of the question leaves the machine, and what would have to is left out, as `Answer.note` then says, or
        refused (docs/routing.md). Raises `InputError` for an empty or far too long question, a filter or wants that
        cannot be, and an empty knowledge base, `ModelError` when no model can answer or may.
        """
        from rag.pipeline import answer_question

        query = self._query(question, condition, tenant, access, history, wants)
        return await answer_question(self._parts, query)

    def stream(
        self,
        question: str,
        *,
        condition: Condition = None,
        tenant: str | None = None,
        access: Access | None = None,
        history: Sequence[Message] = (),
        wants: Wants | None = None,
    ) -> Generator[AnswerEvent, None, None]:
        """Answer a question as it is worked out; see `astream`."""
        events = self.astream(question, condition=condition, tenant=tenant, access=access, history=history, wants=wants)
        return self._loop.iterate(events)

    def astream(
        self,
        question: str,
        *,
        condition: Condition = None,
        tenant: str | None = None,
        access: Access | None = None,
        history: Sequence[Message] = (),
        wants: Wants | None = None,
    ) -> AsyncGenerator[AnswerEvent, None]:
        """What happens while a question is answered: `rag.events`, the last one with the answer that `ask` gives.

        Raises as `aask`, the errors of the question itself at once and the others while it is read. Closing it early
        (`aclose`, or leaving an `async with aclosing(…)`) stops the work, the call to the model included.
        """
        from rag.pipeline import answer_events

        query = self._query(question, condition, tenant, access, history, wants)
        return answer_events(self.parts, query)

    def search(
        self,
        query: str,
        *,
        top_k: int | None = None,
        condition: Condition = None,
        tenant: str | None = None,
        access: Access | None = None,
        wants: Wants | None = None,
    ) -> list[Hit]:
        """Find chunks; see `asearch`."""
        found = self.explain(query, top_k=top_k, condition=condition, tenant=tenant, access=access, wants=wants)
        return found.hits

    async def asearch(
        self,
        query: str,
        *,
        top_k: int | None = None,
        condition: Condition = None,
        tenant: str | None = None,
        access: Access | None = None,
        wants: Wants | None = None,
    ) -> list[Hit]:
        """The `top_k` chunks (default: the configured number) that match the query best, best first.

        The other arguments are those of `aask`. In the query, "words in quotes" must stand so in what is found, and
        `polic*` stands for every word that begins so. Raises `InputError` for an empty query, a `top_k` below 1, a
        filter that cannot be, and an empty knowledge base.
        """
        found = await self.aexplain(query, top_k=top_k, condition=condition, tenant=tenant, access=access, wants=wants)
        return found.hits

    def explain(
        self,
        query: str,
        *,
        top_k: int | None = None,
        condition: Condition = None,
        tenant: str | None = None,
        access: Access | None = None,
        wants: Wants | None = None,
    ) -> Retrieval:
        """Find chunks, and say how they were found; see `aexplain`."""
        _ = self.parts
        return self._loop.run(
            self.aexplain(query, top_k=top_k, condition=condition, tenant=tenant, access=access, wants=wants)
        )

    async def aexplain(
        self,
        query: str,
        *,
        top_k: int | None = None,
        condition: Condition = None,
        tenant: str | None = None,
        access: Access | None = None,
        wants: Wants | None = None,
    ) -> Retrieval:
        """As `asearch`, with every step on the way: plan, filter, what each side found, fusion and reranking."""
        if top_k is not None and (type(top_k) is not int or top_k < 1):
            raise InputError(
                f"top_k must be a whole number of at least 1, not {top_k!r}.",
                hint="Leave it out for the configured number (retrieval.top_k).",
            )
        from rag.pipeline import require_documents

        parts = self.parts
        wanted = self._query(query, condition, tenant, access, wants=wants, syntax=True)
        with parts.home.tracing.span("search"):
            found = await parts.retriever.search(wanted, top_k=top_k, tags=wanted.access.tags("search"))
            if not found.hits:
                await require_documents(parts)
        return found

    def _query(
        self,
        text: str,
        condition: Condition,
        tenant: str | None,
        who: Access | None,
        history: Sequence[Message] = (),
        wants: Wants | None = None,
        *,
        syntax: bool = False,
    ) -> Query:
        """The query that the arguments of a call make up; raises `InputError`."""
        from rag.index.lexical.query import Typed, parse
        from rag.retrieve.access import access
        from rag.retrieve.search import Query
        from rag.wants import question

        parts = self.parts
        who = access(who, tenant)
        text = question(text, parts.settings.answer.max_question_characters)
        typed = parse(text) if syntax else Typed(text)
        return Query(
            typed.text,
            _turns(history),
            parts.condition(condition, who),
            who,
            typed.phrases,
            typed.prefixes,
            parts.wants(wants),
        )

    def document(self, document_id: str) -> Document | None:
        """A stored document with its text, pages and sections, or `None`; citations and hits name its id."""
        return self.parts.catalogue.document(document_id)

    def status(self) -> Status:
        """What the knowledge base holds, and with which parts it works."""
        from rag.index.build_store import store_named
        from rag.ingest.labels import in_use

        parts = self.parts
        active = parts.live.generations.active()
        return Status(
            path=parts.path,
            totals=parts.catalogue.totals(),
            facts=active.facts if active else {},
            documents=parts.catalogue.documents(),
            sources=parts.manifest.sources(),
            model=parts.model_name,
            rerank=parts.settings.retrieval.rerank.model,
            store=store_named(parts.settings.store),
            dropped_spans=parts.home.tracing.writer.dropped,
            labels=in_use(parts.manifest.labels()),
            standing=self._loop.run(parts.protection.standing()),
        )

    def spent(self) -> LedgerTotals:
        """What this home has spent so far, over all its knowledge bases."""
        return self._parts.home.ledger.totals()

    def require_model(self) -> None:
        """Raise what is wrong with the chat model now (a missing key or package) and not at the first question."""
        _ = self.parts.router

    def close(self) -> None:
        """Close the knowledge base; closing twice is allowed."""
        if not self._closed:
            try:
                self._loop.run(self._close_parts())
            finally:
                self._loop.close()

    async def aclose(self) -> None:
        """Close the knowledge base from async code."""
        if not self._closed:
            try:
                await self._close_parts()
            finally:
                await asyncio.to_thread(self._loop.close)

    async def _close_parts(self) -> None:
        self._closed = True
        self._finalizer.detach()
        self._unguarded.detach()
        await self._parts.close()

    @property
    def parts(self) -> Parts:
        """What it is made of, for what is built upon it; raises `InputError` once it is closed."""
        if self._closed:
            raise InputError(
                f"The knowledge base in {self._parts.path} is closed.", hint="Open it again: RAG.open(path)."
            )
        return self._parts


def _let_go(parts: Parts, loop: LoopThread) -> None:
    """Close the thread and the databases of a knowledge base that was forgotten."""
    loop.close()
    parts.engine.dispose()
    parts.home.close()


def _let_go_of_guards(parts: Parts) -> None:
    """Close what stood guard over a knowledge base that was forgotten, on a thread of its own.

    That waits for a server, and for a thread that may be the very one on which the forgotten is collected.
    """
    from rag.calls import close_protection

    if not parts.shares_protection:
        threading.Thread(target=close_protection, args=(parts.protection,), daemon=True).start()


def _turns(history: Sequence[Message]) -> tuple[Message, ...]:
    """The turns of a conversation; raises `InputError` for what is none."""
    given: object = history
    if given in ((), []):
        return ()
    from routing.chat import Message

    example = "For example: history=[Message('user', 'Hello.')], from routing.chat."
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise InputError(f"history is of type {type(given).__name__} and no list of messages.", hint=example)
    turns: list[Message] = []
    for turn in given:
        content = turn.content if isinstance(turn, Message) else turn
        if not isinstance(turn, Message) or not isinstance(content, str):
            what = f"history[{len(turns)}] is of type {type(content).__name__}"
            raise InputError(f"{what} and no Message with text.", hint=example)
        turns.append(turn)
    return tuple(turns)
