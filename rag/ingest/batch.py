"""Files on their way into the knowledge base, stored together: a transaction and an embedding call for many."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from rag.index.catalogue import FileContent
from rag.index.manifest import FileRecord, Manifest
from rag.ingest.chunk import PricedChunker
from rag.ingest.copies import Copies
from rag.ingest.indexing import Indexer
from rag.ingest.plan import Step
from rag.ingest.prepare import Cut, Prepared
from rag.ingest.report import FileOutcome
from rag.types import Chunk, Document

FILES = 256
PAID_FILES = 8
"""Where a model is paid for the chunks, little is lost when the run breaks off."""
GATHERED_FILES = 4096
"""Where the model answers in batches, in hours: as many as can be waited for at once."""
CHUNKS = 1024
CHARACTERS = 4_000_000
GATHERED_CHARACTERS = 16_000_000

_KEPT = "the version ingested before is kept"


@dataclass(slots=True)
class Batch:
    """Collects what was prepared, and stores it.

    `root`, and how a file of a source and root is read (`reading`), are written into the manifest.
    """

    indexer: Indexer
    manifest: Manifest
    root: str
    reading: Callable[[str, str], str]
    duplicates: Literal["keep", "skip"]
    _files: list[tuple[Prepared, Step]] = field(default_factory=list)
    _chunks: int = 0
    _characters: int = 0

    def add(self, prepared: Prepared, step: Step) -> None:
        """Take in a file."""
        self._files.append((prepared, step))
        for cut in prepared.cuts:
            self._chunks += len(cut.chunks or ())
            self._characters += len(cut.document.text)

    @property
    def full(self) -> bool:
        """Whether it is time to store."""
        if self.indexer.gathers:
            return len(self._files) >= GATHERED_FILES or self._characters >= GATHERED_CHARACTERS
        files = PAID_FILES if isinstance(self.indexer.chunker, PricedChunker) else FILES
        return len(self._files) >= files or self._chunks >= CHUNKS or self._characters >= CHARACTERS

    async def store(self) -> list[FileOutcome]:
        """Store everything taken in, and say what became of each file; raises `StateError` and `ModelError`."""
        started = time.perf_counter()
        files, self._files, self._chunks, self._characters = self._files, [], 0, 0
        if not files:
            return []
        copies = Copies(self.indexer.catalogue, self.duplicates == "skip")
        outcomes: list[FileOutcome] = []
        contents: list[FileContent] = []
        others: list[FileRecord] = []
        known = await asyncio.to_thread(
            self.indexer.catalogue.having_documents, [prepared.item.source for prepared, _ in files]
        )
        sorted_out = [await copies.left_out(prepared.cuts) for prepared, _ in files]
        chunks = await self._chunks_of([cut for kept, _ in sorted_out for cut in kept])
        for (prepared, step), (kept, left_out) in zip(files, sorted_out, strict=True):
            record = self._record(prepared, step)
            if left_out:
                record = replace(record, duplicate_of=" ".join(left_out))
            if left_out and not kept:
                contents.append((record, []))
                outcomes.append(copied(prepared, left_out))
            elif kept:
                cuts = [(cut.document, next(chunks)) for cut in kept]
                contents.append((record, cuts))
                outcomes.append(stored(prepared, cuts, had=record.source in known))
            else:
                others.append(record)
                kept_before = prepared.error is not None and record.source in known
                outcomes.append(without_document(prepared, known=kept_before))
        embedded = await self._write(contents, others)
        share = (time.perf_counter() - started) / len(files)
        return [_finished(outcome, embedded.get(outcome.source), share) for outcome in outcomes]

    async def _write(self, contents: Sequence[FileContent], others: Sequence[FileRecord]) -> dict[str, int]:
        """Write it all; returns how many chunks of each file were embedded."""
        if others:
            await asyncio.to_thread(self.manifest.put, others)
        if not contents:
            return {}
        live = self.indexer.live
        active = await asyncio.to_thread(live.generations.active)
        if active is None:
            active = await asyncio.to_thread(lambda: live.generations.add(live.wanted, active=True))
        number = active.number
        await asyncio.to_thread(lambda: self.indexer.catalogue.put(contents, generation=number))
        cuts = [cut for _, some in contents for cut in some]
        embedded = await self.indexer.index(cuts, number)
        await self.indexer.settle(number)
        return {file.source: sum(embedded[document.id] for document, _ in some) for file, some in contents}

    def _record(self, prepared: Prepared, step: Step) -> FileRecord:
        item, known = prepared.item, step.record
        root = known.root if known else self.root
        return FileRecord(
            source=item.source,
            root=root,
            stamp=item.stamp,
            seen_ns=step.looked_ns,
            hash=prepared.hash,
            reading=self.reading(item.source, root),
            error=prepared.error or (None if prepared.unchanged else _no_document(prepared)),
            duplicate_of=known.duplicate_of if known and prepared.unchanged else None,
        )

    async def _chunks_of(self, cuts: Sequence[Cut]) -> Iterator[Sequence[Chunk]]:
        made = iter(await self.indexer.cut([cut.document for cut in cuts if cut.chunks is None]))
        return (next(made) if cut.chunks is None else cut.chunks for cut in cuts)


def _no_document(prepared: Prepared) -> str | None:
    """Why a file that could be read gave nothing."""
    if prepared.cuts:
        return None
    if not prepared.problems:
        return "there is nothing in it that can be read."
    first = prepared.problems[0]
    return f"none of the {len(prepared.problems)} files in it could be read; {first.name}: {first.reason}"


def stored(prepared: Prepared, cuts: Sequence[tuple[Document, Sequence[Chunk]]], *, had: bool) -> FileOutcome:
    """The outcome of a file that gave documents; `had` tells that it gave some before."""
    problems = [f"{problem.name}: {problem.reason}" for problem in prepared.problems]
    return FileOutcome(
        source=prepared.item.source,
        name=prepared.item.name,
        outcome="updated" if had else "added",
        documents=len(cuts),
        pages=sum(len(document.pages) for document, _ in cuts),
        chunks=sum(len(chunks) for _, chunks in cuts),
        characters=sum(len(document.text) for document, _ in cuts),
        tokens=sum(chunk.tokens for _, chunks in cuts for chunk in chunks),
        seconds=prepared.seconds,
        notes=(*(note for document, _ in cuts for note in document_notes(document)), *problems),
    )


def copied(prepared: Prepared, left_out: Mapping[str, str]) -> FileOutcome:
    """The outcome of a file of which nothing is kept: `left_out` tells where its texts were met first."""
    reason = f"its text is that of {next(iter(left_out.values()))}"
    return FileOutcome(prepared.item.source, prepared.item.name, "skipped", reason=reason)


def without_document(prepared: Prepared, *, known: bool) -> FileOutcome:
    """The outcome of a file that gave none; `known` tells that what it gave before is kept."""
    item = prepared.item
    if prepared.unchanged:
        return FileOutcome(item.source, item.name, "unchanged", seconds=prepared.seconds)
    reason = prepared.error or _no_document(prepared)
    return FileOutcome(
        item.source, item.name, "failed", seconds=prepared.seconds, reason=reason, notes=(_KEPT,) if known else ()
    )


def _finished(outcome: FileOutcome, embedded: int | None, seconds: float) -> FileOutcome:
    if embedded is None:
        return outcome
    return replace(outcome, embedded=embedded, seconds=outcome.seconds + seconds)


def document_notes(document: Document) -> list[str]:
    """What a reader should know about how a document was read."""
    notes = []
    empty = document.metadata.get("pages_without_text")
    if empty:
        count = empty if isinstance(empty, int) else len(str(empty).split(","))
        notes.append(f"{count} of {len(document.pages)} pages hold no text (scanned?)")
    if document.dropped:
        notes.append(f"{document.dropped} characters could not be kept")
    if masked := document.metadata.get("masked"):
        notes.append(f"masked: {masked}")
    return notes
