"""Whether a knowledge base is complete, proven from the files down to the postings; and what to do where it is not."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from plumbline.errors import InputError
from rag.errors import LoadError
from rag.index.live import Live
from rag.index.store import Point
from rag.ingest.item import Item, Source
from rag.ingest.load.bytes import read_file
from rag.ingest.locking import ingesting
from rag.ingest.plan import Step, plan
from rag.ingest.settings import LoadingSettings
from rag.ingest.source.folder import FolderSource
from rag.ingest.sync import How, Ingestor
from rag.types import Chunk, Document

CHUNKS_AT_ONCE = 5000
UNIT_TOLERANCE = 1e-3

Kind = Literal[
    "changed",  # a file that is new or changed since it was ingested
    "unreadable",  # a file that could not be read
    "gone",  # a document whose file is gone
    "out of reach",  # a source that cannot be looked at
    "text",  # a chunk that is not the span of its document, or text that no chunk holds
    "waiting",  # a document that is stored and not yet indexed
    "missing",  # a chunk without a point in the store
    "vector",  # a vector that is no unit vector of the right length, or a point of another text
    "postings",  # a chunk that the lexical side holds otherwise than its text reads
    "stray",  # a point that belongs to no chunk
    "outdated",  # an index built with other settings than are asked for
]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be: `where` names the file, document or point, `detail` says what."""

    kind: Kind
    where: str
    detail: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What was checked, what was `found`, and what is `left` of that after the repair (all of it without one)."""

    files: int
    documents: int
    chunks: int
    characters: int
    found: tuple[Finding, ...]
    left: tuple[Finding, ...]

    @property
    def complete(self) -> bool:
        """Whether nothing is amiss any more."""
        return not self.left


_Placed = tuple[str, Chunk]
"""Where a chunk stands, for people, and the chunk."""


@dataclass(slots=True)
class _Seen:
    """What was counted, and what a repair will need to know."""

    files: int = 0
    documents: int = 0
    chunks: int = 0
    characters: int = 0


@dataclass(frozen=True, slots=True)
class Verifier:
    """Checks the knowledge base of an ingestor, and repairs it. Holds the ids of all chunks and points in memory."""

    ingestor: Ingestor

    async def run(self, *, repair: bool = True, rehash: bool = False) -> Verification:
        """Check everything; `repair` what can be, and check again. `rehash` trusts no time stamp of a file.

        No ingestion runs meanwhile: what it is about to store would look amiss. Raises `StateError`, and with
        `repair` what `Ingestor.run` raises.
        """
        seen = _Seen()
        async with ingesting(self.ingestor.folder):
            found = [each async for each in self._findings(seen, rehash=rehash)]
            left = found
            if repair and found:
                await self._repair(found, rehash=rehash)
                seen = _Seen()
                left = [each async for each in self._findings(seen, rehash=False)]
        return Verification(seen.files, seen.documents, seen.chunks, seen.characters, tuple(found), tuple(left))

    async def _findings(self, seen: _Seen, *, rehash: bool) -> AsyncIterator[Finding]:
        for source in await asyncio.to_thread(self.ingestor.manifest.sources):
            for each in await asyncio.to_thread(self._of_source, source.root, seen, rehash):
                yield each
        live = self.ingestor.indexer.live
        active = await asyncio.to_thread(live.generations.active)
        if active is None:
            return
        if dict(active.facts) != live.wanted:
            yield Finding("outdated", "index", f"it is built with {dict(active.facts)}, asked for are {live.wanted}")
            return
        now = Live(active.number, live.store(active.number))
        waiting = set(await asyncio.to_thread(self.ingestor.indexer.backlog.waiting, generation=active.number))
        pending: list[_Placed] = []
        for row in await asyncio.to_thread(self.ingestor.indexer.catalogue.documents):
            async for each in self._of_document(row["id"], now, waiting, seen, pending):
                yield each
            if len(pending) >= CHUNKS_AT_ONCE:
                for each in await self._of_points(pending, now):
                    yield each
                pending.clear()
        for each in await self._of_points(pending, now):
            yield each
        async for each in self._strays(now):
            yield each

    def _of_source(self, root: str, seen: _Seen, rehash: bool) -> list[Finding]:
        """What the files of a source say; files that cannot be read are named with the reason."""
        source = _source_of(root)
        if source is None:
            return []
        looking = self.ingestor.looking(How(rehash=rehash))

        def differs(item: Item, known_hash: str) -> bool:
            return _differs(item, known_hash, self.ingestor.loading)

        found = []
        try:
            for step in plan(source.items(), self.ingestor.manifest.files(root), looking):
                seen.files += step.item is not None
                if (each := _file_finding(step, source, differs)) is not None:
                    found.append(each)
        except InputError as error:
            found.append(Finding("out of reach", root, error.message))
        return found

    async def _of_document(
        self, document_id: str, now: Live, waiting: set[str], seen: _Seen, pending: list[_Placed]
    ) -> AsyncIterator[Finding]:
        """What a document and its chunks say; of those that should be in the store, the points are `pending`."""
        catalogue = self.ingestor.indexer.catalogue
        document = await asyncio.to_thread(catalogue.document, document_id)
        if document is None:
            return
        chunks = await asyncio.to_thread(catalogue.chunks_of, document_id, generation=now.generation)
        seen.documents += 1
        seen.chunks += len(chunks)
        seen.characters += len(document.text)
        for each in _text_findings(document, chunks):
            yield each
        if document_id in waiting:
            yield Finding("waiting", document.source, "it is stored and not yet indexed")
        else:
            pending.extend((f"{document.source} [{chunk.start}:{chunk.end}]", chunk) for chunk in chunks)

    async def _of_points(self, placed: Sequence[_Placed], now: Live) -> list[Finding]:
        ids = [chunk.id for _, chunk in placed]
        points = {point.id: point for point in await now.store.get(ids)}
        present = [chunk_id for chunk_id in ids if chunk_id in points]
        postings = dict(zip(present, await now.store.postings(present), strict=False))
        dim = int(self.ingestor.indexer.live.wanted["dim"])
        found = []
        for where, chunk in placed:
            point = points.get(chunk.id)
            if point is None:
                found.append(Finding("missing", where, "the store has no point for this chunk"))
            elif reason := _wrong_point(chunk, point, dim):
                found.append(Finding("vector", where, reason))
            elif postings.get(chunk.id) != now.store.lexical_terms(point):
                found.append(Finding("postings", where, "the lexical index holds other terms than the text"))
        return found

    async def _strays(self, now: Live) -> AsyncIterator[Finding]:
        expected = set(await asyncio.to_thread(self.ingestor.indexer.backlog.chunk_ids, generation=now.generation))
        for point_id in await now.store.ids():
            if point_id not in expected:
                yield Finding("stray", point_id, "a point that belongs to no chunk")

    async def _repair(self, found: Sequence[Finding], *, rehash: bool) -> None:
        """Forget what is wrong, then let the ingestor do what it does after an interruption, and look at the files."""
        ingestor = self.ingestor
        active = await asyncio.to_thread(ingestor.indexer.live.generations.active)
        kinds = {each.kind for each in found}
        if active is not None:
            store = ingestor.indexer.live.store(active.number)
            await store.delete([each.where for each in found if each.kind == "stray"])
            wrong = {each.where.rsplit(" [", 1)[0] for each in found if each.kind in ("missing", "vector", "postings")}
            rows = await asyncio.to_thread(ingestor.indexer.catalogue.documents)
            ids = [row["id"] for row in rows if row["source"] in wrong]
            for document_id in ids:
                chunks = await asyncio.to_thread(
                    ingestor.indexer.catalogue.chunks_of, document_id, generation=active.number
                )
                await store.delete([chunk.id for chunk in chunks])
            await asyncio.to_thread(ingestor.indexer.backlog.mark_waiting, ids, generation=active.number)
        damaged = {each.where.rsplit(" [", 1)[0] for each in found if each.kind == "text"}
        await asyncio.to_thread(ingestor.manifest.distrust, damaged)
        await ingestor.recover()
        if kinds & {"changed", "gone", "text", "unreadable"}:
            for source in await asyncio.to_thread(ingestor.manifest.sources):
                if (again := _source_of(source.root)) is not None:
                    await ingestor.run_locked(again, How(rehash=rehash, allow_empty="gone" in kinds))


def _source_of(root: str) -> Source | None:
    """The source with this name, where its name says how to look at it again."""
    if "://" in root:
        from rag.ingest.source.remote import RemoteSource

        return RemoteSource(root)
    return FolderSource(root) if Path(root).is_absolute() else None


def _file_finding(step: Step, source: Source, differs: Callable[[Item, str], bool]) -> Finding | None:
    item, record = step.item, step.record
    if step.action == "missing" and record is not None and source.is_gone(record.source):
        return Finding("gone", record.source, "the file is gone, and what it gave is still here")
    if step.action != "read" or item is None:
        return None
    if record is not None and record.error is not None:
        return Finding("unreadable", item.source, record.error)
    if record is None:
        return Finding("changed", item.source, "the file is new")
    if step.known_hash is None:
        return Finding("changed", item.source, "the file has to be read again")
    return Finding("changed", item.source, "the file has changed") if differs(item, step.known_hash) else None


def _differs(item: Item, known_hash: str, loading: LoadingSettings) -> bool:
    """Whether the bytes of `item` have another SHA-256, or cannot be had."""
    from rag.ingest.source.remote import fetch

    try:
        data = fetch(item, loading) if "://" in item.path else read_file(Path(item.path), loading.max_file_bytes).data
    except LoadError:
        return True
    return hashlib.sha256(data).hexdigest() != known_hash


def _text_findings(document: Document, chunks: Sequence[Chunk]) -> Iterator[Finding]:
    """Whether each chunk is its span, and every character that is not white space lies in one."""
    text, covered = document.text, 0
    for chunk in sorted(chunks, key=lambda each: each.start):
        where = f"{document.source} [{chunk.start}:{chunk.end}]"
        if text[chunk.start : chunk.end] != chunk.text:
            yield Finding("text", where, "the chunk is not this span of its document")
        if text[covered : chunk.start].strip():
            yield Finding("text", f"{document.source} [{covered}:{chunk.start}]", "no chunk holds this text")
        covered = max(covered, chunk.end)
    if text[covered:].strip():
        yield Finding("text", f"{document.source} [{covered}:{len(text)}]", "no chunk holds this text")


def _wrong_point(chunk: Chunk, point: Point, dim: int) -> str | None:
    import numpy as np

    if point.indexed_text != chunk.indexed_text:
        return "its point was made of another text"
    if point.vector.shape != (dim,) or not np.isfinite(point.vector).all():
        return f"its vector is not {dim} finite numbers"
    length = float(np.linalg.norm(point.vector))
    # An embedder gives all zeros for a text of which it knows no word.
    return None if abs(length - 1) <= UNIT_TOLERANCE or length == 0 else f"its vector has length {length:.3f}"
