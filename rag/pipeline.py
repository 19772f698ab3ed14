"""The one path of a question: search → assemble → router → ground; and the face of a knowledge base, `RAG`.

Every public verb exists once, as a coroutine (`aask`); the plain name (`ask`) runs it, also where an event loop is
already running, as in notebooks.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from plumbline.aio import LoopThread
from plumbline.errors import InputError
from rag.types import Answer, Document, Hit

if TYPE_CHECKING:
    from types import TracebackType

    from plumbline.trace import Stages
    from rag.answer.ground import Grounding
    from rag.config import Parts
    from rag.index.catalogue import Totals
    from rag.index.filters import Filter
    from rag.ingest.report import IngestReport, OnProgress
    from routing.chat import ChatModel, ChatResponse
    from routing.cost.ledger import LedgerTotals
    from routing.vectors import Embedder

REFUSAL = "I don't have enough information."


@dataclass(frozen=True, slots=True)
class Status:
    """What a knowledge base holds and what it was built with; `waiting` documents are stored and not yet searchable."""

    path: Path
    totals: Totals
    facts: Mapping[str, str]
    documents: Sequence[Mapping[str, Any]]
    model: str
    rerank: str
    dropped_spans: int


class RAG:
    """A knowledge base: documents in, grounded answers out. Make one with `RAG.open`; close it, or use it in a `with`.

    Safe to use from several threads and from async code at the same time.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._loop = LoopThread()
        self._closed = False

    @classmethod
    def open(
        cls,
        path: str | Path = "kb",
        *,
        config: str | Path | None = None,
        model: str | ChatModel | None = None,
        embedder: Embedder | None = None,
        home: str | Path | None = None,
        settings: Mapping[str, Any] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> RAG:
        """Open the knowledge base in the folder `path`, or create it.

        `config` is a shipped configuration ("default", "openai", "anthropic", "vllm") or a YAML file; `settings` maps
        dotted keys to values and wins over it, `model` is short for "generation.model". A `model` or `embedder` of your
        own is anything of the protocol's shape (`routing.chat`, `routing.vectors`); it is closed with the knowledge
        base. API keys come from `environ` (default: the process's). Nothing calls a paid API unless one of these names
        it. Raises `ConfigError`, `MissingKeyError`, `MissingExtraError`, `StateError` or `KnowledgeBaseMismatchError`.
        """
        from rag.config import build, read_rag_settings

        overrides = dict(settings or {})
        if isinstance(model, str):
            overrides["generation.model"] = model
        parts = build(
            path,
            read_rag_settings(config, environ=environ, overrides=overrides),
            home=home,
            environ=environ,
            model=None if isinstance(model, str) else model,
            embedder=embedder,
        )
        return cls(parts)

    def ask(self, question: str, *, condition: Filter | None = None, tenant: str | None = None) -> Answer:
        """Answer a question; see `aask`."""
        return self._loop.run(self.aask(question, condition=condition, tenant=tenant))

    async def aask(self, question: str, *, condition: Filter | None = None, tenant: str | None = None) -> Answer:
        """Answer a question from the documents, with checked citations, price and confidence.

        `condition` limits what is searched; `tenant` is written into trace and ledger. Raises `InputError` for an empty
        or far too long question and for an empty knowledge base, `ModelError` when no model can answer.
        """
        from plumbline.trace import Stages, current_ids
        from routing.chat import Tags
        from routing.meter import billed

        parts = self._parts
        question = self._checked(question)
        started = time.perf_counter()
        tags = Tags("answer", tenant)
        with parts.home.tracing.span("ask") as root, billed() as bill:
            stages = Stages(parts.home.tracing)
            hits = await parts.retriever.search(question, condition=condition, tags=tags, stages=stages)
            if not hits:
                await self._require_documents()
            evidence = hits[: parts.settings.retrieval.top_n]
            response = await self._generate(question, evidence, tags, stages)
            with stages.stage("ground"):
                from rag.answer.ground import ground

                grounding = ground(response, evidence, parts.catalogue)
            trace_id, _ = current_ids()
            answer = self._answer(question, response, grounding, hits, trace_id or "")
            answer = _with_bill(
                answer, bill.usage, bill.cost, {**stages.seconds, "total": time.perf_counter() - started}
            )
            root.set_attributes(_root_attributes(answer, record_text=parts.settings.trace.record_text))
        return answer

    def search(self, query: str, *, top_k: int | None = None, condition: Filter | None = None) -> list[Hit]:
        """Find chunks; see `asearch`."""
        return self._loop.run(self.asearch(query, top_k=top_k, condition=condition))

    async def asearch(self, query: str, *, top_k: int | None = None, condition: Filter | None = None) -> list[Hit]:
        """The `top_k` chunks (default: the configured number) that match the query best, best first.

        Raises `InputError` for an empty query, a `top_k` below 1 and an empty knowledge base.
        """
        if top_k is not None and top_k < 1:
            raise InputError(f"top_k must be at least 1, not {top_k}.")
        query = self._checked(query)
        with self._parts.home.tracing.span("search"):
            hits = await self._parts.retriever.search(query, top_k=top_k, condition=condition)
            if not hits:
                await self._require_documents()
        return hits

    def ingest(
        self,
        target: str | Path,
        *,
        afresh: bool = False,
        keep_missing: bool = False,
        on_progress: OnProgress | None = None,
    ) -> IngestReport:
        """Ingest a file or folder; see `aingest`."""
        return self._loop.run(self.aingest(target, afresh=afresh, keep_missing=keep_missing, on_progress=on_progress))

    async def aingest(
        self,
        target: str | Path,
        *,
        afresh: bool = False,
        keep_missing: bool = False,
        on_progress: OnProgress | None = None,
    ) -> IngestReport:
        """Bring the knowledge base in step with a file or folder: what is unchanged since last time is left alone.

        A file that cannot be read is reported and stops nothing. `afresh` reads every file again; `keep_missing` keeps
        documents whose files are gone. Raises `InputError` when there is nothing to ingest, `StateError` when storing
        fails, `ModelError` when embedding does; everything stored by then stays.
        """
        from rag.config import chunking_facts, embedding_facts
        from rag.ingest.sync import Ingestor

        parts = self._open_parts()
        built, chunking = parts.catalogue.facts(), chunking_facts(parts.settings)
        rechunk = any(built.get(name, value) != value for name, value in chunking.items())
        ingestor = Ingestor(
            parts.catalogue, parts.store, parts.embedder, parts.chunker, parts.settings.loading, parts.meter
        )
        parts.catalogue.set_facts({**embedding_facts(parts.embedder), **chunking})
        return await ingestor.run(
            Path(target), afresh=afresh or rechunk, keep_missing=keep_missing, on_progress=on_progress
        )

    def document(self, document_id: str) -> Document | None:
        """A stored document with its text, pages and sections, or `None`; citations and hits name its id."""
        return self._open_parts().catalogue.document(document_id)

    def status(self) -> Status:
        """What the knowledge base holds, and with which parts it works."""
        parts = self._open_parts()
        return Status(
            path=parts.path,
            totals=parts.catalogue.totals(),
            facts=parts.catalogue.facts(),
            documents=parts.catalogue.documents(),
            model=parts.model_name,
            rerank=parts.settings.retrieval.rerank,
            dropped_spans=parts.home.tracing.writer.dropped,
        )

    def spent(self) -> LedgerTotals:
        """What this home has spent so far, over all its knowledge bases."""
        return self._parts.home.ledger.totals()

    def require_model(self) -> None:
        """Raise what is wrong with the chat model now (a missing key or package) and not at the first question."""
        _ = self._open_parts().router

    def close(self) -> None:
        """Close the knowledge base; closing twice is allowed."""
        if not self._closed:
            self._loop.run(self.aclose())
            self._loop.close()

    async def aclose(self) -> None:
        """Close the knowledge base from async code."""
        if not self._closed:
            self._closed = True
            await self._parts.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def _open_parts(self) -> Parts:
        if self._closed:
            raise InputError(
                f"The knowledge base in {self._parts.path} is closed.", hint="Open it again: RAG.open(path)."
            )
        return self._parts

    def _checked(self, question: str) -> str:
        self._open_parts()
        question = question.strip()
        longest = self._parts.settings.answer.max_question_characters
        if not question:
            raise InputError(
                "The question is empty.", hint="Ask something, for example: How long is the refund window?"
            )
        if len(question) > longest:
            raise InputError(
                f"The question has {len(question):,} characters; at most {longest:,} are read.",
                hint="Put long text into a document and ingest it, or raise answer.max_question_characters.",
            )
        return question

    async def _require_documents(self) -> None:
        if await self._parts.store.count() == 0:
            raise InputError(
                f"The knowledge base in {self._parts.path} is empty.", hint="Ingest documents first: rag ingest FOLDER"
            )

    async def _generate(self, question: str, evidence: Sequence[Hit], tags: Any, stages: Stages) -> ChatResponse:
        from rag.answer.assemble import assemble
        from routing.chat import ChatOptions, ChatResponse

        parts, generation = self._parts, self._parts.settings.generation
        if not evidence:
            return ChatResponse(REFUSAL, parts.router.model.name, refused=True, confidence=0.0)
        with stages.stage("assemble"):
            request = assemble(
                question,
                evidence,
                system=parts.system_prompt,
                turn=parts.question_prompt,
                options=ChatOptions(temperature=generation.temperature, max_tokens=generation.max_tokens),
                deadline=time.monotonic() + generation.timeout_seconds,
                tags=tags,
            )
        with stages.stage("generate"):
            return await parts.router.complete(request)

    def _answer(
        self, question: str, response: ChatResponse, grounding: Grounding, hits: Sequence[Hit], trace_id: str
    ) -> Answer:
        from rag.answer.abstain import confidence, is_refusal

        refused = response.refused or is_refusal(response.text)
        return Answer(
            question=question,
            text=response.text,
            refused=refused,
            confidence=confidence(response, grounding, refused=refused),
            citations=() if refused else grounding.citations,
            claims=() if refused else grounding.claims,
            hits=tuple(hits),
            usage=response.usage,
            cost=response.cost,
            timings={},
            model=response.model,
            trace_id=trace_id,
            degraded=_degraded(response, self._parts.router.model.name),
            attempts=response.attempts,
        )


def _with_bill(answer: Answer, usage: Any, cost: Any, timings: Mapping[str, float]) -> Answer:
    from dataclasses import replace

    return replace(answer, usage=usage, cost=cost, timings=timings)


def _degraded(response: ChatResponse, wanted: str) -> str | None:
    failed = [attempt for attempt in response.attempts if attempt.error is not None and attempt.model == wanted]
    if not failed or response.attempts[-1].model == wanted:
        return None
    return f"{wanted} could not be reached, so {response.attempts[-1].model} answered. {failed[-1].error}"


def _root_attributes(answer: Answer, *, record_text: bool) -> dict[str, Any]:
    attributes: dict[str, Any] = {
        "plumbline.model": answer.model,
        "plumbline.refused": answer.refused,
        "plumbline.confidence": answer.confidence,
        "plumbline.citations": [f"{c.document} {c.start}-{c.end} {c.verdict}" for c in answer.citations],
    }
    if answer.cost is not None:
        attributes["plumbline.cost.usd"] = str(answer.cost)
    if record_text:
        attributes["plumbline.question"] = answer.question
        attributes["plumbline.answer"] = answer.text
    return attributes
