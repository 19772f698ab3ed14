"""Brings a knowledge base in step with a source: new and changed files in, vanished ones out, the rest untouched.

Files are stored in batches: first into the catalogue, in one transaction, then into the store, then marked as indexed.
Whatever stops the run in between, what was stored stays, and the next run finishes what was left open.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from plumbline.errors import ConfigError, InputError
from plumbline.trace import Tracing, current_ids
from rag.index.manifest import FileRecord, Manifest
from rag.index.publish import publish
from rag.ingest.batch import Batch
from rag.ingest.copies import Copies
from rag.ingest.indexing import Indexer
from rag.ingest.item import Source
from rag.ingest.labels import Labelling, Labels
from rag.ingest.locking import ingesting
from rag.ingest.plan import Looking, Step, plan, reading_name, redaction_name
from rag.ingest.prepare import Engine, Job, Prepared, Recipe
from rag.ingest.rehearse import Rehearsal
from rag.ingest.reindex import Changeover
from rag.ingest.report import FileOutcome, IngestReport, OnProgress, Outcome, Outcomes, Progress
from rag.ingest.settings import ChunkingSettings, LoadingSettings
from routing.meter import billed

if TYPE_CHECKING:
    from rag.ingest.chunk import Chunker

MISSING = 10_000
"""So many files that are gone are held at once."""

STORE_SECONDS = 2.0
"""What was read is stored after so long, however little it is, so that progress is seen and little is done twice."""

MakeEngine = Callable[[Recipe, Iterator[Job]], tuple[Engine, Iterator[Job]]]
"""Chooses what prepares these jobs; looks at the first of them at most."""


@dataclass(frozen=True, slots=True)
class How:
    """What a run may and must do.

    `afresh` reads every file again, `rehash` trusts no time stamp; `keep_missing` keeps the documents of files that
    are gone; `allow_empty` says that a source that is gone, or holds nothing any more, is meant to be so. `labels` is
    said of all documents of the source from now on (`None`: what was said before stays).
    """

    afresh: bool = False
    rehash: bool = False
    keep_missing: bool = False
    allow_empty: bool = False
    labels: Labelling | None = None


@dataclass(slots=True)
class _Run:
    """One run over one source: what is known, what was met, what came of it.

    `missing` is offered no more; `left` tells that there was more of it than is held. `again` is a second look at the
    source; `rehearsed`, that nothing is to be changed.
    """

    source: Source
    how: How
    known: int
    total: int | None
    on_progress: OnProgress | None
    batch: Batch
    labels: Labels
    started: float = field(default_factory=time.perf_counter)
    stored: float = field(default_factory=time.perf_counter)
    outcomes: Outcomes = field(default_factory=Outcomes)
    steps: dict[str, Step] = field(default_factory=dict)
    met: int = 0
    missing: list[FileRecord] = field(default_factory=list)
    left: bool = False
    again: bool = False
    rehearsed: bool = False
    pages: int = 0
    chunks: int = 0
    tokens: int = 0

    def doomed(self) -> list[FileRecord]:
        """Hand over what is missing, once something else of the source was seen or it is meant to be empty."""
        if not (self.met or self.how.allow_empty or self.rehearsed):
            return []
        missing, self.missing = self.missing, []
        return missing

    def note(self, outcome: FileOutcome) -> None:
        """Take down what became of a file, and tell whoever watches."""
        self.outcomes.append(outcome)
        self.pages += outcome.pages
        self.chunks += outcome.chunks
        self.tokens += outcome.tokens
        if self.on_progress is not None:
            seconds = time.perf_counter() - self.started
            done = len(self.outcomes)
            self.on_progress(Progress(done, self.total, outcome, self.pages, self.chunks, self.tokens, seconds))


@dataclass(frozen=True, slots=True)
class Ingestor:
    """Ingests into the knowledge base in `folder`."""

    folder: Path
    manifest: Manifest
    indexer: Indexer
    loading: LoadingSettings
    splitting: ChunkingSettings | None
    make_engine: MakeEngine
    tracing: Tracing

    @property
    def chunker(self) -> Chunker:
        """What cuts documents."""
        return self.indexer.chunker

    async def run(self, source: Source, how: How = How(), *, on_progress: OnProgress | None = None) -> IngestReport:
        """Ingest what `source` offers.

        Raises `InputError` when there is nothing to read (without `allow_empty`, lest a folder that is merely not
        mounted empties the knowledge base), `StateError` when storing fails, `ModelError` when embedding does; what
        was stored by then stays.
        """
        async with ingesting(self.folder):
            return await self.run_locked(source, how, on_progress=on_progress)

    async def run_locked(
        self, source: Source, how: How = How(), *, on_progress: OnProgress | None = None
    ) -> IngestReport:
        """As `run`, for whoever holds the lock of the knowledge base (`rag.ingest.locking`)."""
        started = time.perf_counter()
        with self.tracing.span("ingest", {"plumbline.source": source.root}) as span, billed() as bill:
            reindexed = await self.recover()
            run = await self._begin(source, how, on_progress)
            if how.labels is not None:
                await asyncio.to_thread(self.manifest.label, source.root, how.labels)
            await self._pass(run)
            if await asyncio.to_thread(self._is_left, run):
                run.again = True
                await self._pass(run)
            await self._finish(run)
            span.set_attribute("plumbline.files", len(run.outcomes))
            trace_id, _ = current_ids()
        seconds = time.perf_counter() - started
        return IngestReport(run.outcomes, seconds, bill.usage, bill.cost, trace_id or "", reindexed)

    async def rehearse(
        self, source: Source, how: How = How(), *, on_progress: OnProgress | None = None
    ) -> IngestReport:
        """What `run` would do and use: files are read and cut, nothing is stored, asked or spent. Raises as `run`."""
        started = time.perf_counter()
        rehearsal = Rehearsal(self.indexer, Copies(self.indexer.catalogue, self.loading.duplicates == "skip"))
        reindexed = await rehearsal.changeover()
        run = await self._begin(source, how, on_progress)
        run.rehearsed = True

        async def take(prepared: Prepared) -> None:
            step = run.steps.pop(prepared.item.source)
            run.note(await rehearsal.outcome(prepared, had=step.record is not None))

        await self._work(run, take)
        self._require_something(run)
        await self._remove_missing(run)
        seconds, estimate = time.perf_counter() - started, rehearsal.estimate
        return IngestReport(run.outcomes, seconds, estimate.usage, estimate.cost, "", reindexed, dry_run=True)

    async def recover(self) -> int:
        """Finish what an interrupted run left open, and change over to what the configuration asks for.

        For whoever holds the lock of the knowledge base. Returns how many documents were cut or embedded anew for that.
        """
        live, catalogue, backlog = self.indexer.live, self.indexer.catalogue, self.indexer.backlog
        active = await asyncio.to_thread(live.generations.active)
        changeover = Changeover(self.indexer)
        if active is not None and not changeover.needed:
            for document_id in await asyncio.to_thread(backlog.waiting, generation=active.number):
                document = await asyncio.to_thread(catalogue.document, document_id)
                chunks = await asyncio.to_thread(catalogue.chunks_of, document_id, generation=active.number)
                if document is not None:
                    await self.indexer.index([(document, chunks)], active.number)
            await self.indexer.settle(active.number)
        if changeover.needed:
            await asyncio.to_thread(self._require_masked)
        return await changeover.run()

    def _require_masked(self) -> None:
        """Raise `ConfigError` where a changeover would embed stored text that was to be masked before it is sent."""
        redact = self.loading.redact
        unmasked = 0 if redact == "none" else self.manifest.read_without(redaction_name(self.loading))
        if unmasked:
            raise ConfigError(
                f"{unmasked} files are stored as they were before loading.redact was '{redact}', and their text would "
                "be embedded anew.",
                key="loading.redact",
                value=redact,
                hint="Ingest once with the chunking and embedding that the knowledge base has, then change them.",
            )

    async def remove(self, file: str) -> None:
        """Remove what the file `file` gave; the file itself is left alone."""
        await asyncio.to_thread(self.indexer.catalogue.remove_files, [file])
        active = await asyncio.to_thread(self.indexer.live.generations.active)
        if active is not None:
            await self.indexer.settle(active.number)

    async def _begin(self, source: Source, how: How, on_progress: OnProgress | None) -> _Run:
        known = await asyncio.to_thread(self.manifest.count, source.root)
        total = await asyncio.to_thread(_count, source) if on_progress is not None else None
        labels = await asyncio.to_thread(_labels, self.manifest, source.root, how)
        batch = Batch(self.indexer, self.manifest, source.root, _reading(self.loading, labels), self.loading.duplicates)
        return _Run(source, how, known, total, on_progress, batch, labels)

    async def _pass(self, run: _Run) -> None:
        await self._work(run, lambda prepared: self._take(run, prepared))
        await self._flush(run)

    def _is_left(self, run: _Run) -> bool:
        """Whether something was seen too late for one pass: files that are gone before the first that is not, or the
        end of a text that other files were left out for.
        """
        if run.left and run.met:
            return True
        if self.loading.duplicates == "keep":
            return False
        has_texts = self.indexer.catalogue.has_texts
        return any(not has_texts(each.duplicate_of or "") for each in self.manifest.repeating(run.source.root))

    async def _work(self, run: _Run, take: Callable[[Prepared], Awaitable[None]]) -> None:
        jobs = self._jobs(run)
        engine, jobs = await asyncio.to_thread(self.make_engine, Recipe(self.loading, self.splitting), jobs)
        try:
            async with aclosing(engine.prepared(jobs)) as results:  # type: ignore[type-var]  # ours are generators
                async for prepared in results:
                    await take(prepared)
        finally:
            await engine.close()

    async def _take(self, run: _Run, prepared: Prepared) -> None:
        run.batch.add(prepared, run.steps.pop(prepared.item.source))
        late = not self.indexer.gathers and time.perf_counter() - run.stored > STORE_SECONDS
        if run.batch.full or late:
            await self._flush(run)

    async def _flush(self, run: _Run) -> None:
        run.stored = time.perf_counter()
        await self._remove_missing(run)
        for outcome in await run.batch.store():
            run.note(outcome)

    async def _remove_missing(self, run: _Run) -> None:
        missing = run.doomed()
        for each in await asyncio.to_thread(self._removed, run, missing) if missing else ():
            run.note(FileOutcome(each.source, _name(each), "removed"))

    def _removed(self, run: _Run, missing: Sequence[FileRecord]) -> list[FileRecord]:
        """Remove what is proven to be gone; what merely cannot be looked at stays."""
        gone = [each for each in missing if run.source.is_gone(each.source)]
        if not run.rehearsed:
            self.indexer.catalogue.remove_files([each.source for each in gone])
        return gone

    def _miss(self, run: _Run, record: FileRecord) -> None:
        """Take down what is not offered any more, and remove it when that is much."""
        if run.how.keep_missing:
            return
        if len(run.missing) >= MISSING:
            missing = run.doomed()
            run.left = run.left or not missing
            for each in self._removed(run, missing):
                run.note(FileOutcome(each.source, _name(each), "removed"))
        if len(run.missing) < MISSING:
            run.missing.append(record)

    async def _finish(self, run: _Run) -> None:
        self._require_something(run)
        active = await asyncio.to_thread(self.indexer.live.generations.active)
        if active is not None:
            await self.indexer.settle(active.number)
            store = self.indexer.live.store(active.number)
            await store.compact()
            await publish(store)
        await self.indexer.cuts_stored()
        counts = {str(outcome): count for outcome, count in run.outcomes.counts.items()}
        await asyncio.to_thread(self.manifest.finish, run.source.root, counts)

    @staticmethod
    def _require_something(run: _Run) -> None:
        if not run.met and not (run.known and run.how.allow_empty):
            raise _nothing_to_read(run)

    def _jobs(self, run: _Run) -> Iterator[Job]:
        """What must be read; everything else is dealt with on the way. May wait for the disk."""
        how, looking, root = run.how, self.looking(run.how, run.labels, run.source.root), run.source.root
        try:
            for step in plan(run.source.items(), self.manifest.files(root), looking):
                if step.action == "missing" and step.record is not None:
                    self._miss(run, step.record)
                    continue
                if run.again:
                    yield from (_job(run, again) for again in _again(step, looking))
                    continue
                run.met += step.item is not None
                if step.action == "passed" and step.passed is not None:
                    run.note(_passed(step))
                elif step.action == "unchanged" and step.item is not None:
                    run.note(FileOutcome(step.item.source, step.item.name, "unchanged"))
                elif step.item is not None:
                    yield _job(run, step)
        except InputError as error:
            if not (run.known and how.allow_empty):
                raise _with_kept(error, run) from error
            for record in self.manifest.files(root):
                self._miss(run, record)

    def looking(self, how: How, labels: Labels | None = None, root: str = "") -> Looking:
        """How known files are judged in a run over `root`; `labels` are those stored, unless given."""
        skip, has_texts = self.loading.duplicates == "skip", self.indexer.catalogue.has_texts
        return Looking(
            _reading(self.loading, labels or _labels(self.manifest, "", how)),
            rehash=how.rehash,
            afresh=how.afresh,
            repeated=lambda fingerprints: skip and has_texts(fingerprints),
            elsewhere=_labelled_elsewhere(self.manifest, how, labels, root),
        )


def _labels(manifest: Manifest, root: str, how: How) -> Labels:
    """What is said of sources, with what this run says of its own."""
    said: dict[str, Labelling] = dict(manifest.labels())
    if how.labels is not None:
        said[root] = how.labels
    return Labels({name: labels for name, labels in said.items() if labels})


def _labelled_elsewhere(
    manifest: Manifest, how: How, labels: Labels | None, root: str
) -> Callable[[str], FileRecord | None]:
    """Finds a file that is known from another source, of whose documents something was said: that stays said.

    Of what lies below `root` all is known already.
    """
    below = root.rstrip("/") + "/"
    if how.labels is not None or labels is None or not labels.by_root:
        return lambda source: None

    def found(source: str) -> FileRecord | None:
        record = None if source.startswith(below) else manifest.file(source)
        return record if record is not None and record.root in labels.by_root else None

    return found


def _reading(loading: LoadingSettings, labels: Labels) -> Callable[[str, str], str]:
    """How a file of a source and root is read now."""
    return lambda source, root: reading_name(loading, labels.of(source, root))


def _job(run: _Run, step: Step) -> Job:
    item, root = step.item, step.record.root if step.record else run.source.root
    assert item is not None  # what is read is offered
    run.steps[item.source] = step
    return Job(item, step.known_hash, run.labels.of(item.source, root))


def _again(step: Step, looking: Looking) -> Iterator[Step]:
    """At a second look only what was left out for a text that is there no more must be read."""
    repeats = step.record.duplicate_of if step.record else None
    if step.action == "read" and step.item is not None and repeats is not None and not looking.repeated(repeats):
        yield replace(step, known_hash=None)


def _count(source: Source) -> int | None:
    try:
        return sum(1 for _ in source.items())
    except InputError:
        return None


def _passed(step: Step) -> FileOutcome:
    passed = step.passed
    assert passed is not None
    notes = ("what was read of it before is kept",) if step.record else ()
    outcome: Outcome = "failed" if passed.failed else "skipped"
    return FileOutcome(passed.source, passed.name, outcome, reason=passed.reason, notes=notes)


def _name(record: FileRecord) -> str:
    below = record.root.rstrip("/") + "/"
    return record.source.removeprefix(below) if record.source.startswith(below) else record.source.rsplit("/", 1)[-1]


def _nothing_to_read(run: _Run) -> InputError:
    root, counts = run.source.root, run.outcomes.counts
    if counts["failed"]:
        reason = next(each.reason for each in run.outcomes if each.outcome == "failed")
        return InputError(
            f"None of the {counts['failed']} files of {root} can be reached; the first: {reason}.",
            hint="What was ingested of them is kept; run the same command when they are there again.",
        )
    why = f" ({counts['skipped']} files there are of kinds that cannot be read)" if counts["skipped"] else ""
    error = InputError(
        f"There is nothing to ingest in {root}{why}.", hint="Put documents there, or name another folder."
    )
    return _with_kept(error, run)


def _with_kept(error: InputError, run: _Run) -> InputError:
    if not run.known:
        return error
    root = run.source.root
    how = f"rag ingest {root} --allow-empty (allow_empty=True)"
    hint = f"The {run.known} documents ingested from there are kept. To remove them: {how}"
    return InputError(error.message, hint=hint)
