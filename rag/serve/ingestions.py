"""Ingestions that the endpoint starts: one at a time for each knowledge base, off the loop that answers questions."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

from plumbline.aio import LoopThread
from plumbline.errors import PlumblineError
from rag.ingest.report import IngestReport
from rag.knowledge import RAG
from rag.retrieve.access import Access
from rag.serve import problems
from rag.serve.audience import Audience, may_see
from rag.serve.errors import BusyError, NotFoundError
from rag.serve.problems import Problem
from rag.serve.uploads import Growing, Uploads

State = Literal["queued", "running", "done", "failed"]
KEPT = 1000
LONGEST_QUEUE = 100
_log = logging.getLogger("rag.serve")


@dataclass(slots=True)
class Ingestion:
    """One ingestion of uploads for `audience`; `report` once it is done, `problem` once it failed."""

    id: str
    kb: str
    audience: Audience
    state: State = "queued"
    report: IngestReport | None = None
    problem: Problem | None = None


@dataclass(slots=True)
class Ingestions:
    """Runs them in `thread`. The states of the last `KEPT` are remembered; `on_end` is told each one's last."""

    thread: LoopThread
    on_end: Callable[[State], None]
    _known: OrderedDict[str, Ingestion] = field(default_factory=OrderedDict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _locks: dict[str, asyncio.Lock] = field(default_factory=dict)

    def get(self, ingestion_id: str, access: Access) -> Ingestion:
        """One that was started here, for whoever may see its documents; raises `NotFoundError`."""
        found = self._known.get(ingestion_id)
        if found is None or not may_see(access, found.audience.labels):
            raise NotFoundError(
                f"There is no ingestion '{ingestion_id}'.",
                hint=f"The last {KEPT} are remembered, until the server stops; the documents stay.",
            )
        return found

    def require_room(self) -> None:
        """Raise `BusyError` when too many wait already."""
        if len(self._tasks) >= LONGEST_QUEUE:
            raise BusyError(f"{LONGEST_QUEUE} ingestions wait already.", headers={"retry-after": "10"})

    async def store(self, kb: str, base: RAG, uploads: Uploads, files: list[Growing]) -> str:
        """Keep uploaded files among `uploads` and begin to ingest them; the ingestion's id.

        Before a file is there the knowledge base knows whom its folder is for, whoever may come to ingest it. No
        ingestion is waited for: one that runs sees a file as it was or as it is, and the next one looks again.
        """
        await asyncio.to_thread(_label, base, uploads)
        paths = await asyncio.to_thread(uploads.keep, files)
        return self.start(kb, base, uploads, paths).id

    def start(self, kb: str, base: RAG, uploads: Uploads, files: list[Path]) -> Ingestion:
        """Ingest uploads of a knowledge base; the report tells of `files`."""
        ingestion = Ingestion(uuid4().hex, kb, uploads.audience)
        self._known[ingestion.id] = ingestion
        while len(self._known) > KEPT:
            self._known.popitem(last=False)
        self._begin(self._run(ingestion, base, uploads, files))
        return ingestion

    def catch_up(self, kb: str, base: RAG, left: Sequence[Uploads]) -> None:
        """Ingest what an earlier server left, one after the other, and in between what is uploaded meanwhile."""

        async def each() -> None:
            for uploads in left:
                await self._run(Ingestion(uuid4().hex, kb, uploads.audience), base, uploads)

        self._begin(each())

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def lock(self, kb: str) -> asyncio.Lock:
        """Held while the uploads of a knowledge base are ingested or removed."""
        return self._locks.setdefault(kb, asyncio.Lock())

    async def finish(self) -> None:
        """Wait for what was started."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def aclose(self) -> None:
        """Stop what still runs; files that are not ingested yet are at the next start."""
        for task in tuple(self._tasks):
            task.cancel()
        await self.finish()

    async def _run(self, ingestion: Ingestion, base: RAG, uploads: Uploads, files: Sequence[Path] = ()) -> None:
        async with self.lock(ingestion.kb):
            ingestion.state = "running"
            labels = uploads.audience.labels or None  # what the operator says of the folder for everybody stays
            try:
                report = await self.thread.arun(base.aingest(uploads.folder, allow_empty=True, labels=labels))
            except PlumblineError as error:
                ingestion.problem = Problem.of(error)
            except Exception:  # noqa: BLE001 (whatever happened, the next ingestion must run; it is logged)
                _log.exception("ingestion %s into %s failed", ingestion.id, ingestion.kb)
                ingestion.problem = problems.internal(ingestion.id)
            else:
                ingestion.report = _about(report, files)
        ingestion.state = "failed" if ingestion.report is None else "done"
        self.on_end(ingestion.state)


def _label(base: RAG, uploads: Uploads) -> None:
    manifest, labels = base.parts.manifest, uploads.audience.labels
    if labels and manifest.labels().get(uploads.source) != labels:
        manifest.label(uploads.source, labels)


def _about(report: IngestReport, files: Sequence[Path]) -> IngestReport:
    wanted = {str(path.resolve()) for path in files}
    return replace(report, files=tuple(file for file in report.files if file.source in wanted))
