"""Whether data is good enough to answer from: six dimensions of 0 to 5 points each, with the evidence.

This module imports numpy; import it lazily.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rag.ingest.quality.accuracy import Accuracy
from rag.ingest.quality.collection import Collection, Kind, Unread, open_collection, require_documents
from rag.ingest.quality.completeness import Completeness
from rag.ingest.quality.consistency import Consistency
from rag.ingest.quality.questions import QuestionIndex, texts
from rag.ingest.quality.relevance import Relevance
from rag.ingest.quality.scale import Dimension, Evidence, Example, Examples
from rag.ingest.quality.sensitive import find_sensitive
from rag.ingest.quality.timeliness import DEFAULT_MAX_AGE_DAYS, Timeliness
from rag.ingest.quality.volume import Volume
from rag.ingest.settings import LoadingSettings
from rag.ingest.structure import page_at
from rag.types import Document

PASS_MARK = 18.0
"""Out of 30; below it the data should be mended first."""

OnDocument = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Assessment:
    """How good the documents of `source` are.

    `total` in [0, 30] is the sum of the six scores, `passed` says whether it reaches `PASS_MARK`. `sensitive` counts
    secrets and personal data by kind; they take no points. Its examples say where, and never what.
    """

    source: str
    kind: Kind
    documents: int
    unread: int
    characters: int
    dimensions: tuple[Dimension, ...]
    sensitive: dict[str, int]
    sensitive_examples: tuple[Example, ...] = ()

    @property
    def total(self) -> float:
        """The sum of the scores."""
        return round(sum(dimension.score for dimension in self.dimensions), 1)

    @property
    def passed(self) -> bool:
        """Whether the total reaches the mark."""
        return self.total >= PASS_MARK

    def worst(self) -> list[tuple[Dimension, Evidence]]:
        """What takes points, most first."""
        pairs = [(dimension, evidence) for dimension in self.dimensions for evidence in dimension.evidence]
        return sorted(pairs, key=lambda pair: -pair[1].lost)


def assess(
    source: str | Path | Collection,
    *,
    questions: str | Path | Iterable[str] | None = None,
    max_age_days: int = DEFAULT_MAX_AGE_DAYS,
    now: datetime | None = None,
    loading: LoadingSettings | None = None,
    on_document: OnDocument | None = None,
) -> Assessment:
    """Assess a folder of files, or a knowledge base, or any `Collection`; reads one document at a time.

    `questions` is a JSONL file with a field `question`, or the questions themselves. `on_document` is told the name of
    each document that was read. Raises `InputError` when the source or the questions cannot be used and
    `MissingExtraError` without the extra `quality`.
    """
    index = QuestionIndex(texts(questions)) if questions is not None else None
    if isinstance(source, str | Path):
        with open_collection(source, loading) as collection:
            return _assess(collection, index, max_age_days, now, on_document)
    return _assess(source, index, max_age_days, now, on_document)


def _assess(
    collection: Collection,
    index: QuestionIndex | None,
    max_age_days: int,
    now: datetime | None,
    on_document: OnDocument | None,
) -> Assessment:
    completeness, accuracy, volume = Completeness(), Accuracy(), Volume()
    timeliness, relevance, consistency = Timeliness(max_age_days, now), Relevance(index), Consistency()
    sensitive = _Sensitive()
    documents = unread = characters = 0
    try:
        for content in collection.contents():
            if isinstance(content, Unread):
                completeness.skip(content)
                unread += content.failed
                continue
            documents += 1
            characters += len(content.text)
            for dimension in (completeness, accuracy, consistency, timeliness, relevance, volume):
                dimension.see(content)
            sensitive.see(content)
            if on_document:
                on_document(content.name)
        require_documents(documents + unread, collection.name)
        coverage = list(index.coverage()) if index else None
        dimensions = (
            completeness.result(),
            accuracy.result(),
            consistency.result(),
            timeliness.result(),
            relevance.result(coverage),
            volume.result(coverage),
        )
    finally:
        consistency.close()
    return Assessment(
        collection.name,
        collection.kind,
        documents,
        unread,
        characters,
        dimensions,
        dict(sorted(sensitive.counts.items())),
        sensitive.where(),
    )


class _Sensitive:
    """Counts secrets and personal data, and keeps a few places of each kind."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._examples = Examples()

    def see(self, document: Document) -> None:
        """Take in a document."""
        for found in find_sensitive(document.text):
            self.counts[found.kind] += 1
            page = page_at(document, found.start)
            self._examples.add(found.kind, Example(document.name, found.kind, page, found.start, found.end))

    def where(self) -> tuple[Example, ...]:
        """The places kept, kind by kind."""
        return tuple(example for kind in sorted(self.counts) for example in self._examples.of(kind))
