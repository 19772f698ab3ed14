"""Brings a knowledge base in step with a folder: new and changed files in, vanished ones out, the rest untouched.

Each file is stored on its own: first into the catalogue, in one transaction, then into the store, then marked as
indexed. Whatever stops the run in between, what was stored stays, and the next run finishes what was left open.
"""

from __future__ import annotations

import asyncio
import hashlib
import stat
import time
from collections import deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path

from plumbline.errors import InputError
from plumbline.trace import Tracing, current_ids
from rag.errors import LoadError
from rag.index.catalogue import Catalogue, FileRecord
from rag.index.store import Point, Store
from rag.ingest.chunk import Chunker
from rag.ingest.load import discover, load_file, printable
from rag.ingest.report import FileOutcome, IngestReport, OnProgress, Progress
from rag.ingest.settings import LoadingSettings
from rag.types import Chunk, Document
from routing.chat import Tags
from routing.embedding import MeteredEmbedder
from routing.meter import billed

CHUNKS_PER_EMBEDDING_CALL = 256
FILES_LOADED_AHEAD = 4
_TAGS = Tags("ingest")


@dataclass(frozen=True, slots=True)
class _File:
    """A file as the folder shows it now."""

    path: Path
    source: str
    name: str
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A file that was looked at: its document, or none when it is unchanged or `error` says why."""

    file: _File
    hash: str
    document: Document | None
    chunks: Sequence[Chunk] = ()
    error: str | None = None
    seconds: float = 0.0


class Ingestor:
    """Ingests into one knowledge base. `facts` are what it is built with, remembered with the first document stored."""

    def __init__(
        self,
        catalogue: Catalogue,
        store: Store,
        embedder: MeteredEmbedder,
        chunker: Chunker,
        loading: LoadingSettings,
        tracing: Tracing,
        facts: Mapping[str, str],
    ) -> None:
        self._catalogue = catalogue
        self._store = store
        self._embedder = embedder
        self._chunker = chunker
        self._loading = loading
        self._tracing = tracing
        self._facts = dict(facts)

    async def run(
        self,
        target: Path,
        *,
        afresh: bool = False,
        keep_missing: bool = False,
        allow_empty: bool = False,
        on_progress: OnProgress | None = None,
    ) -> IngestReport:
        """Ingest a file or a folder.

        `afresh` reads every file again, changed or not; `keep_missing` keeps the documents of files that are gone;
        `allow_empty` says that a target that is gone, or holds no document any more, is meant to be so.
        Raises `InputError` when there is nothing to read (without `allow_empty`, lest a folder that is merely not
        mounted empties the knowledge base), `StateError` when storing fails, `ModelError` when embedding does; what
        was stored by then stays.
        """
        started = time.perf_counter()
        root = await asyncio.to_thread(lambda: target.expanduser().resolve())
        with self._tracing.span("ingest", {"plumbline.source": printable(str(root))}) as span, billed() as bill:
            await self.recover()
            files, outcomes = await asyncio.to_thread(_look, root)
            known = self._catalogue.files(printable(str(root)))
            if not files and not (known and allow_empty):
                raise _nothing_to_read(root, outcomes, len(known))
            if not keep_missing:
                outcomes += self._remove_missing(known, {file.source for file in files})
            async with aclosing(self._ingest_all(files, known, printable(str(root)), afresh=afresh)) as steps:
                async for progress in steps:
                    outcomes.append(progress.last)
                    if on_progress is not None:
                        on_progress(progress)
            await self._settle_removals()
            await self._store.compact()
            span.set_attribute("plumbline.files", len(files))
            trace_id, _ = current_ids()
        return IngestReport(tuple(outcomes), time.perf_counter() - started, bill.usage, bill.cost, trace_id or "")

    async def recover(self) -> int:
        """Finish what an interrupted run left open; returns how many documents were indexed."""
        waiting = self._catalogue.waiting()
        for document_id in waiting:
            document = self._catalogue.document(document_id)
            if document is not None:
                await self._index(document, self._catalogue.chunks_of(document_id))
        await self._settle_removals()
        return len(waiting)

    async def remove(self, source: str) -> None:
        """Remove what the file `source` gave; the file itself is left alone."""
        await asyncio.to_thread(self._catalogue.remove_file, source)
        await self._settle_removals()

    async def _ingest_all(
        self, files: Sequence[_File], known: Mapping[str, FileRecord], root: str, *, afresh: bool
    ) -> AsyncGenerator[Progress, None]:
        done = 0
        async with aclosing(self._loaded(files, {} if afresh else known)) as loading:
            async for loaded in loading:
                outcome = await self._store_loaded(loaded, root, known.get(loaded.file.source))
                done += 1
                yield Progress(done, len(files), outcome)

    async def _loaded(self, files: Sequence[_File], known: Mapping[str, FileRecord]) -> AsyncGenerator[_Loaded, None]:
        """Files in order, a few of them read ahead, so that memory stays bounded whatever the folder holds."""
        ahead: deque[asyncio.Task[_Loaded]] = deque()
        waiting = iter(files)
        try:
            while True:
                while len(ahead) < FILES_LOADED_AHEAD and (file := next(waiting, None)) is not None:
                    ahead.append(asyncio.create_task(self._load(file, known.get(file.source))))
                if not ahead:
                    return
                yield await ahead.popleft()
        finally:
            for task in ahead:
                task.cancel()
            await asyncio.gather(*ahead, return_exceptions=True)

    async def _load(self, file: _File, record: FileRecord | None) -> _Loaded:
        started = time.perf_counter()
        # What could not be read is tried again: what stood in the way may be gone.
        good = record is not None and record.error is None and record.chunking == self._chunker.name
        if record is not None and good and (record.size, record.mtime_ns) == (file.size, file.mtime_ns):
            return _Loaded(file, record.hash, None)
        try:
            if record is not None and good and file.size <= self._loading.max_file_bytes:
                content_hash = await asyncio.to_thread(_hash, file.path)
                if content_hash == record.hash:
                    return _Loaded(file, content_hash, None)
            document = await load_file(file.path, max_bytes=self._loading.max_file_bytes)
            name = _name(Path(record.source), Path(record.root)) if record is not None else file.name
            document = replace(document, id=_document_id(file.source), source=file.source, name=name)
            chunks = await self._chunker.chunk(document)
        except LoadError as error:
            reason = _reason(error)
        except OSError as error:
            reason = f"{error.strerror or error}."
        except Exception as error:  # noqa: BLE001 (one bad file must never stop the others)
            reason = f"unexpected {type(error).__name__}: {error}"
        else:
            return _Loaded(file, document.hash, document, chunks, seconds=time.perf_counter() - started)
        return _Loaded(file, "", None, error=reason, seconds=time.perf_counter() - started)

    async def _store_loaded(self, loaded: _Loaded, root: str, record: FileRecord | None) -> FileOutcome:
        started = time.perf_counter()
        file, document = loaded.file, loaded.document
        document_id = document.id if document else (record.document_id if record else None)
        now = FileRecord(
            source=file.source,
            root=record.root if record else root,
            size=file.size,
            mtime_ns=file.mtime_ns,
            hash=loaded.hash,
            document_id=document_id,
            chunking=self._chunker.name,
            error=loaded.error,
        )
        if document is None:
            if now != record:
                await asyncio.to_thread(self._catalogue.put_file, now)
            return _without_document(loaded, kept=document_id is not None)
        await self._remember_facts()
        await asyncio.to_thread(self._catalogue.put_document, document, loaded.chunks, now)
        await self._index(document, loaded.chunks)
        updated = record is not None and record.document_id is not None
        return FileOutcome(
            source=file.source,
            name=document.name,
            outcome="updated" if updated else "added",
            pages=len(document.pages),
            chunks=len(loaded.chunks),
            characters=len(document.text),
            tokens=sum(chunk.tokens for chunk in loaded.chunks),
            seconds=loaded.seconds + time.perf_counter() - started,
            notes=_notes(document),
        )

    async def _remember_facts(self) -> None:
        """Bind the knowledge base to its embedder, with the first document and not before."""
        if self._facts:
            await asyncio.to_thread(self._catalogue.set_facts, self._facts)
            self._facts = {}

    async def _index(self, document: Document, chunks: Sequence[Chunk]) -> None:
        for start in range(0, len(chunks), CHUNKS_PER_EMBEDDING_CALL):
            some = chunks[start : start + CHUNKS_PER_EMBEDDING_CALL]
            vectors = await self._embedder.passages([chunk.indexed_text for chunk in some], _TAGS)
            await self._store.upsert(
                [
                    Point(chunk.id, vector, chunk.indexed_text, _payload(document, chunk))
                    for chunk, vector in zip(some, vectors, strict=True)
                ]
            )
        await asyncio.to_thread(self._catalogue.mark_indexed, [document.id])

    def _remove_missing(self, known: Mapping[str, FileRecord], present: set[str]) -> list[FileOutcome]:
        """Remove what is proven to be gone; a file that merely cannot be looked at stays."""
        removed = []
        for source, record in sorted(known.items()):
            if source not in present and _is_gone(Path(source)):
                self._catalogue.remove_file(source)
                removed.append(FileOutcome(source, _name(Path(source), Path(record.root)), "removed"))
        return removed

    async def _settle_removals(self) -> None:
        obsolete = self._catalogue.obsolete()
        if obsolete:
            await self._store.delete(obsolete)
            self._catalogue.forget_obsolete(obsolete)


def _look(root: Path) -> tuple[list[_File], list[FileOutcome]]:
    """The files to ingest, and the outcomes of those that cannot be."""
    files: list[_File] = []
    outcomes: list[FileOutcome] = []
    for found in discover(root):
        source, name = printable(str(found.path)), printable(_name(found.path, root))
        if found.skipped is not None:
            outcomes.append(FileOutcome(source, name, "skipped", reason=found.skipped))
            continue
        try:
            status = found.path.stat()
        except OSError as error:
            outcomes.append(FileOutcome(source, name, "failed", reason=f"{error.strerror}."))
            continue
        if not stat.S_ISREG(status.st_mode):
            outcomes.append(FileOutcome(source, name, "skipped", reason="not a regular file"))
            continue
        files.append(_File(found.path, source, name, status.st_size, status.st_mtime_ns))
    return files, outcomes


def _nothing_to_read(root: Path, outcomes: Sequence[FileOutcome], known: int) -> InputError:
    why = f" ({len(outcomes)} files there are of kinds that cannot be read)" if outcomes else ""
    message = (
        f"There is nothing to ingest in {root}{why}." if root.exists() else f"There is no file or folder at {root}."
    )
    if known:
        hint = f"The {known} documents ingested from there are kept. To remove them: rag ingest {root} --allow-empty"
        return InputError(message, hint=hint)
    return InputError(message, hint="Put documents there, or name another folder.")


def _is_gone(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _without_document(loaded: _Loaded, *, kept: bool) -> FileOutcome:
    file = loaded.file
    if loaded.error is None:
        return FileOutcome(file.source, file.name, "unchanged")
    notes = ("the version ingested before is kept",) if kept else ()
    return FileOutcome(file.source, file.name, "failed", reason=loaded.error, notes=notes)


def _name(path: Path, root: Path) -> str:
    """How the document is cited: its path below the folder that was ingested, or its file name."""
    return path.relative_to(root).as_posix() if path != root and path.is_relative_to(root) else path.name


def _document_id(source: str) -> str:
    return hashlib.sha256(source.encode("utf-8", "surrogateescape")).hexdigest()[:24]


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _payload(document: Document, chunk: Chunk) -> dict[str, object]:
    facts: dict[str, object] = {
        **document.metadata,
        "document_id": document.id,
        "document": document.name,
        "source": document.source,
        "media_type": document.media_type,
        "language": document.language,
        "created": document.created,
        "page": chunk.page,
        "section": chunk.section,
    }
    return {name: value for name, value in facts.items() if value is not None}


def _reason(error: LoadError) -> str:
    """Why a file cannot be read, without its path, which the report shows beside it."""
    return f"{error.reason}. {error.hint}" if error.hint else f"{error.reason}."


def _notes(document: Document) -> tuple[str, ...]:
    notes = []
    empty = document.metadata.get("pages_without_text")
    if empty:
        count = empty if isinstance(empty, int) else len(str(empty).split(","))
        notes.append(f"{count} of {len(document.pages)} pages hold no text (scanned?)")
    if document.dropped:
        notes.append(f"{document.dropped} characters could not be kept")
    return tuple(notes)
