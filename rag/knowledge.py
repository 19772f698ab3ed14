"""The face of a knowledge base: `RAG`. What happens to a question is in `rag.pipeline`, to documents in `rag.ingest`.

Every public verb exists once, as a coroutine (`aask`); the plain name (`ask`) runs it, also where an event loop is
already running, as in notebooks.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncGenerator, Generator, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from plumbline.aio import Lifetime, LoopThread
from plumbline.errors import InputError
from rag.types import Answer, Document, Hit

if TYPE_CHECKING:
    from rag.config import Parts
    from rag.events import AnswerEvent
    from rag.index.catalogue import Totals
    from rag.index.filters import Filter
    from rag.index.manifest import SourceRecord
    from rag.ingest.item import Source
    from rag.ingest.report import IngestReport, OnProgress
    from rag.ingest.verify import Verification
    from routing.chat import ChatModel
    from routing.cost.ledger import LedgerTotals
    from routing.vectors import Embedder


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
    dropped_spans: int


class RAG(Lifetime):
    """A knowledge base: documents in, grounded answers out. Make one with `RAG.open`; close it, or use it in a `with`.

    Safe to use from several threads and from async code at the same time.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._loop = LoopThread()
        self._closed = False
        # Whoever forgets to close leaves no open database behind.
        self._finalizer = weakref.finalize(self, _let_go, parts, self._loop)

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
        it. Raises `ConfigError`, `MissingKeyError`, `MissingExtraError` or `StateError`.
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
        _ = self.parts
        return self._loop.run(self.aask(question, condition=condition, tenant=tenant))

    async def aask(self, question: str, *, condition: Filter | None = None, tenant: str | None = None) -> Answer:
        """Answer a question from the documents, with checked citations, price and confidence.

        `condition` limits what is searched; `tenant` is written into trace and ledger. Raises `InputError` for an empty
        or far too long question and for an empty knowledge base, `ModelError` when no model can answer.
        """
        from rag.pipeline import answer_question

        return await answer_question(self._parts, _checked(question, self.parts), condition, tenant)

    def stream(
        self, question: str, *, condition: Filter | None = None, tenant: str | None = None
    ) -> Generator[AnswerEvent, None, None]:
        """Answer a question as it is worked out; see `astream`."""
        events = self.astream(question, condition=condition, tenant=tenant)
        return self._loop.iterate(events)

    def astream(
        self, question: str, *, condition: Filter | None = None, tenant: str | None = None
    ) -> AsyncGenerator[AnswerEvent, None]:
        """What happens while a question is answered: `rag.events`, the last one with the answer that `ask` gives.

        Raises as `aask`, the errors of the question itself at once and the others while it is read. Closing it early
        (`aclose`, or leaving an `async with aclosing(…)`) stops the work, the call to the model included.
        """
        from rag.pipeline import answer_events

        return answer_events(self.parts, _checked(question, self.parts), condition, tenant)

    def search(
        self, query: str, *, top_k: int | None = None, condition: Filter | None = None, tenant: str | None = None
    ) -> list[Hit]:
        """Find chunks; see `asearch`."""
        _ = self.parts
        return self._loop.run(self.asearch(query, top_k=top_k, condition=condition, tenant=tenant))

    async def asearch(
        self, query: str, *, top_k: int | None = None, condition: Filter | None = None, tenant: str | None = None
    ) -> list[Hit]:
        """The `top_k` chunks (default: the configured number) that match the query best, best first.

        `tenant` is written into the ledger. Raises `InputError` for an empty query, a `top_k` below 1 and an empty
        knowledge base.
        """
        if top_k is not None and top_k < 1:
            raise InputError(f"top_k must be at least 1, not {top_k}.")
        from rag.pipeline import require_documents
        from routing.chat import Tags

        parts = self.parts
        query = _checked(query, parts)
        with parts.home.tracing.span("search"):
            hits = await parts.retriever.search(query, top_k=top_k, condition=condition, tags=Tags("search", tenant))
            if not hits:
                await require_documents(parts)
        return hits

    def ingest(
        self,
        target: str | Path | Iterable[Document] | Source,
        *,
        afresh: bool = False,
        rehash: bool = False,
        keep_missing: bool = False,
        allow_empty: bool = False,
        dry_run: bool = False,
        on_progress: OnProgress | None = None,
    ) -> IngestReport:
        """Ingest documents; see `aingest`."""
        _ = self.parts
        return self._loop.run(
            self.aingest(
                target,
                afresh=afresh,
                rehash=rehash,
                keep_missing=keep_missing,
                allow_empty=allow_empty,
                dry_run=dry_run,
                on_progress=on_progress,
            )
        )

    async def aingest(
        self,
        target: str | Path | Iterable[Document] | Source,
        *,
        afresh: bool = False,
        rehash: bool = False,
        keep_missing: bool = False,
        allow_empty: bool = False,
        dry_run: bool = False,
        on_progress: OnProgress | None = None,
    ) -> IngestReport:
        """Bring the knowledge base in step with `target`: what is unchanged since last time is left alone.

        `target` is a folder, a file, a pattern such as "docs/**/*.md", a URL (http, or with the extra `remote`
        s3://, gs:// …), a list of URLs in a file "….urls", documents, or any `Source`. A file
        that cannot be read is reported and stops nothing. `afresh` reads every file again, `rehash` trusts no time
        stamp; `keep_missing` keeps documents whose files are gone; `allow_empty` says that a target which is gone, or
        empty, is meant to be so. `dry_run` changes and spends nothing: the report tells what would be done, and its
        usage and cost are what that would use. When chunker, tokenizer or embedder are not those it was built with, it
        is built anew beside the old index, from what is stored, and changes over at once. Raises `InputError` when
        there is nothing to ingest, `StateError` when storing fails, `ModelError` when embedding does; everything
        stored by then stays.
        """
        from rag.config import build_ingestor
        from rag.ingest.item import Source
        from rag.ingest.source.pick import source_for
        from rag.ingest.sync import How

        ingestor = build_ingestor(self.parts)
        how = How(afresh=afresh, rehash=rehash, keep_missing=keep_missing, allow_empty=allow_empty)
        source = target if isinstance(target, Source) else await asyncio.to_thread(source_for, target)
        if dry_run:
            return await ingestor.rehearse(source, how, on_progress=on_progress)
        return await ingestor.run(source, how, on_progress=on_progress)

    def watch(self, target: str | Path, *, keep_missing: bool = False) -> Generator[IngestReport, None, None]:
        """Ingest a folder or file again and again; see `awatch`."""
        _ = self.parts
        return self._loop.iterate(self.awatch(target, keep_missing=keep_missing))

    async def awatch(self, target: str | Path, *, keep_missing: bool = False) -> AsyncGenerator[IngestReport, None]:
        """Ingest now, and whenever something in the folder or file `target` changes, until it is closed (extra `watch`).

        Raises as `aingest`; a folder that is empty or gone for a while is waited for.
        """
        from rag.ingest.watch import changes

        async with aclosing(changes(Path(target), ignored=[self.parts.path, self.parts.home.path])) as found:
            async for _ in found:
                try:
                    yield await self.aingest(target, keep_missing=keep_missing)
                except InputError:
                    continue

    def verify(self, *, repair: bool = True, rehash: bool = False) -> Verification:
        """Prove that the knowledge base is complete; see `averify`."""
        _ = self.parts
        return self._loop.run(self.averify(repair=repair, rehash=rehash))

    async def averify(self, *, repair: bool = True, rehash: bool = False) -> Verification:
        """Check that every document of every source is indexed, every chunk is its span, has its vector and postings.

        With `repair` what is amiss is put right, as an ingestion would, and checked again. `rehash` trusts no time
        stamp of a file. Raises as `aingest`.
        """
        from rag.config import build_ingestor
        from rag.ingest.verify import Verifier

        return await Verifier(build_ingestor(self.parts)).run(repair=repair, rehash=rehash)

    def export(self, file: TextIO) -> None:
        """Write everything that is stored as lines of JSON; see `rag.index.export`."""
        from rag.index.export import exported

        parts = self.parts

        async def write() -> None:
            async for line in exported(parts.catalogue, parts.live):
                file.write(line)

        self._loop.run(write())

    def remove(self, document_id: str) -> bool:
        """Remove a document; see `aremove`."""
        _ = self.parts
        return self._loop.run(self.aremove(document_id))

    async def aremove(self, document_id: str) -> bool:
        """Remove a document from the knowledge base, or return false when there is none with this id.

        One that came out of an archive or an e-mail goes with all that its file gave.
        Its file is left alone, so that the next ingestion of its folder brings it back while the file is there.
        """
        from rag.config import build_ingestor

        parts = self.parts
        found = parts.catalogue.documents(document_id)
        for row in found:
            await build_ingestor(parts).remove(row["file"])
        return bool(found)

    def document(self, document_id: str) -> Document | None:
        """A stored document with its text, pages and sections, or `None`; citations and hits name its id."""
        return self.parts.catalogue.document(document_id)

    def status(self) -> Status:
        """What the knowledge base holds, and with which parts it works."""
        parts = self.parts
        active = parts.live.generations.active()
        return Status(
            path=parts.path,
            totals=parts.catalogue.totals(),
            facts=active.facts if active else {},
            documents=parts.catalogue.documents(),
            sources=parts.manifest.sources(),
            model=parts.model_name,
            rerank=parts.settings.retrieval.rerank,
            dropped_spans=parts.home.tracing.writer.dropped,
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
            self._loop.run(self._close_parts())
            self._loop.close()

    async def aclose(self) -> None:
        """Close the knowledge base from async code."""
        if not self._closed:
            await self._close_parts()
            await asyncio.to_thread(self._loop.close)

    async def _close_parts(self) -> None:
        self._closed = True
        self._finalizer.detach()
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


def _checked(question: str, parts: Parts) -> str:
    """The question without broken characters and blanks around it; raises `InputError` for an empty or huge one."""
    question = question.encode("utf-8", "replace").decode().strip()  # lone surrogates, as of a wrong locale
    longest = parts.settings.answer.max_question_characters
    if not question:
        raise InputError("The question is empty.", hint="Ask something, for example: How long is the refund window?")
    if len(question) > longest:
        raise InputError(
            f"The question has {len(question):,} characters; at most {longest:,} are read.",
            hint="Put long text into a document and ingest it, or raise answer.max_question_characters.",
        )
    return question
