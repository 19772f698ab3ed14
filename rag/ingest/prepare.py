"""From an item to what can be stored: read, masked, cut. Pure work without any store, so that it can run anywhere:
in this process, in worker processes, on other machines.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from plumbline.errors import PlumblineError
from rag.errors import LoadError
from rag.ingest.chunk.build import build_splitter
from rag.ingest.item import Item
from rag.ingest.labels import Labelling, labelled
from rag.ingest.load import read_item
from rag.ingest.reading import Problem
from rag.ingest.settings import ChunkingSettings, LoadingSettings
from rag.types import Chunk, Document


@dataclass(frozen=True, slots=True)
class Recipe:
    """How items are prepared. `chunking` is `None` when chunks are made elsewhere, with a model."""

    loading: LoadingSettings
    chunking: ChunkingSettings | None


@dataclass(frozen=True, slots=True)
class Job:
    """An item to prepare; when its bytes still have the SHA-256 `known_hash`, it is not read any further.

    Its documents get `labels`.
    """

    item: Item
    known_hash: str | None = None
    labels: Labelling = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cut:
    """A document and its chunks, `None` when they are still to be made."""

    document: Document
    chunks: Sequence[Chunk] | None


@dataclass(frozen=True, slots=True)
class Prepared:
    """What became of an item: `unchanged`, or `error` in one line, or the documents that it gave."""

    item: Item
    hash: str = ""
    cuts: tuple[Cut, ...] = ()
    problems: tuple[Problem, ...] = ()
    error: str | None = None
    unchanged: bool = False
    seconds: float = 0.0


class Engine(Protocol):
    """Prepares items, somewhere. `rag.ingest.engine` has one file per kind."""

    def prepared(self, jobs: Iterator[Job]) -> AsyncIterator[Prepared]:
        """Each job's result, in the order of the jobs; no more of them are held at once than are needed to keep busy.

        `jobs` is advanced only as far as is needed. What goes wrong with one job is that job's `error`.
        """
        ...

    async def close(self) -> None:
        """Give back processes and connections."""
        ...


def prepare(job: Job, recipe: Recipe) -> Prepared:
    """Prepare one item in this thread. Never raises: what stands in the way is the result's `error`."""
    started = time.perf_counter()
    item = job.item
    try:
        reading = read_item(item, recipe.loading, known_hash=job.known_hash)
        if reading is None:
            return Prepared(item, job.known_hash or "", unchanged=True, seconds=time.perf_counter() - started)
        splitter = build_splitter(recipe.chunking) if recipe.chunking else None
        trusted = item.document is not None
        documents = [labelled(_masked(each, recipe.loading), job.labels, trusted=trusted) for each in reading.documents]
        cuts = tuple(Cut(each, splitter.split(each) if splitter else None) for each in documents)
    except LoadError as error:
        reason = f"{error.reason}. {error.hint}" if error.hint else f"{error.reason}."
    except PlumblineError as error:
        reason = str(error)
    except OSError as error:
        reason = f"{error.strerror or error}."
    except MemoryError:
        reason = "it needs more memory than there is, or than loading.max_memory_bytes allows."
    except Exception as error:  # noqa: BLE001 (one bad file must never stop the others)
        reason = f"unexpected {type(error).__name__}: {error}"
    else:
        return Prepared(item, reading.hash, cuts, reading.problems, seconds=time.perf_counter() - started)
    return Prepared(item, error=reason, seconds=time.perf_counter() - started)


def _masked(document: Document, loading: LoadingSettings) -> Document:
    """The document without what `loading.redact` forbids; what was masked is counted in its metadata."""
    if loading.redact == "none":
        return document
    from rag.ingest.quality.sensitive import redact

    document, counts = redact(document, loading.redact)
    if not counts:
        return document
    masked = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    return replace(document, metadata={**document.metadata, "masked": masked})
