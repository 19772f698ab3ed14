"""Prepares one mutant and proves what comes out: runs where it may crash, in a worker process."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from rag.ingest.load import read_item
from rag.ingest.prepare import Job, Prepared, Recipe, prepare
from rag.ingest.reading import Problem
from rag.testing.loader import check_chunks, check_document

MEASURED = "measured"
"""The name of the `Problem` that carries the kilobytes by which reading made the process grow at its peak."""
BROKEN = "broken contract"
UNEXPECTED = "unexpected"


def checked(job: Job, recipe: Recipe) -> Prepared:
    """As `prepare`; the error of what breaks the contract, or was not foreseen, says where."""
    before = _peak(reset=True)
    started = time.process_time()
    prepared = prepare(job, recipe)
    seconds = time.process_time() - started  # what else the machine does is no finding
    grown = _peak() - before
    error = prepared.error
    if error is not None and error.startswith(UNEXPECTED):
        error = f"{UNEXPECTED}: {_where(job, recipe) or error}"
    elif error is None:
        error = _broken(prepared)
    measured = Problem(MEASURED, str(grown))
    return replace(prepared, error=error, seconds=seconds, problems=(*prepared.problems, measured))


def _broken(prepared: Prepared) -> str | None:
    """Which part of the contract the result breaks."""
    try:
        assert prepared.cuts, "neither a document nor an error"
        for cut in prepared.cuts:
            check_document(cut.document)
            check_chunks(cut.document, cut.chunks or ())
        for text in (prepared.hash, *_shown(prepared)):
            text.encode()
        ids = [cut.document.id for cut in prepared.cuts]
        assert len(set(ids)) == len(ids), "two documents share an id"
    except (AssertionError, UnicodeError) as error:
        return f"{BROKEN}: {error}"
    return None


def _shown(prepared: Prepared) -> Iterator[str]:
    for problem in prepared.problems:
        yield problem.name
        yield problem.reason


def _where(job: Job, recipe: Recipe) -> str | None:
    """The error again, with the places in our own code that it passed through."""
    started = time.perf_counter()
    try:
        read_item(job.item, recipe.loading)
    except Exception as error:  # noqa: BLE001 (whatever was not foreseen is what is looked for)
        frames = traceback.extract_tb(error.__traceback__)[-4:]
        places = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))
        return f"{type(error).__name__} at {places}: {str(error)[:100]} ({time.perf_counter() - started:.1f} s)"
    return None


def _peak(*, reset: bool = False) -> int:
    """The most kilobytes that this process held since the last reset; 0 where the system does not tell."""
    try:
        if reset:
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return 0
    return int(status.partition("VmHWM:")[2].split()[0])
