"""The shape of what `--json` prints and the endpoint returns: typed, documented in docs/json.md, kept stable.

Fields are added, never renamed or removed within a major version. Money is a JSON number in US dollars with all its
digits, `null` when a price is unknown. Offsets count Unicode code points; pages are one-based; times are seconds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Annotated, Any, get_args

from pydantic import BaseModel, ConfigDict, PlainSerializer, WithJsonSchema

from plumbline.trace import SpanRecord
from rag.index.manifest import SourceRecord
from rag.ingest.report import FileOutcome, IngestReport, Outcome
from rag.knowledge import Status
from rag.types import Answer, Citation, Hit, Verdict
from routing.chat import Usage
from routing.cost.budget_state import BudgetState
from routing.cost.ledger import LedgerEntry
from routing.cost.prices import total_cost

# A float prints every digit a Decimal of up to 15 significant digits has, which no price exceeds.
Dollars = Annotated[
    Decimal, PlainSerializer(float, return_type=float, when_used="json"), WithJsonSchema({"type": "number"})
]


class Output(BaseModel):
    """Base of everything printed as JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class UsageOutput(Output):
    """Tokens, `images` that were sent, and `searches` of rerankers that are paid by them.

    Tokens read from the provider's cache and written to it are within `input_tokens`, those written for an hour within
    `cache_write_tokens`, those that were thought and not said within `output_tokens`. `estimated` when the counts are
    not the provider's.
    """

    input_tokens: int
    cached_input_tokens: int
    cache_write_tokens: int
    cache_write_1h_tokens: int
    output_tokens: int
    reasoning_tokens: int
    searches: int
    images: int
    estimated: bool

    @classmethod
    def of(cls, usage: Usage) -> UsageOutput:
        """From a usage."""
        return cls(**{name: getattr(usage, name) for name in cls.model_fields})


class CitationOutput(Output):
    """document[start:end] is `quote`; it carries text[answer_start:answer_end]."""

    document: str
    document_id: str | None
    page: int | None
    section: str | None
    start: int
    end: int
    answer_start: int
    answer_end: int
    quote: str
    verdict: Verdict

    @classmethod
    def of(cls, citation: Citation) -> CitationOutput:
        """From a citation."""
        return cls(**{name: getattr(citation, name) for name in cls.model_fields})


class AskOutput(Output):
    """What `rag ask --json` prints."""

    question: str
    text: str
    refused: bool
    confidence: float
    calibrated: bool
    citations: list[CitationOutput]
    usage: UsageOutput
    cost: Dollars | None
    timings: dict[str, float]
    model: str
    cached: bool
    degraded: str | None
    note: str | None
    trace_id: str

    @classmethod
    def of(cls, answer: Answer) -> AskOutput:
        """From an answer."""
        return cls(
            question=answer.question,
            text=answer.text,
            refused=answer.refused,
            confidence=round(answer.confidence, 4),
            calibrated=answer.calibrated,
            citations=[CitationOutput.of(citation) for citation in answer.citations],
            usage=UsageOutput.of(answer.usage),
            cost=answer.cost,
            timings={stage: round(seconds, 6) for stage, seconds in answer.timings.items()},
            model=answer.model,
            cached=answer.cached,
            degraded=answer.degraded,
            note=answer.note,
            trace_id=answer.trace_id,
        )


class HitOutput(Output):
    """One of the list that `rag search --json` prints, best first."""

    document: str
    document_id: str
    page: int | None
    section: str | None
    start: int
    end: int
    text: str
    score: float

    @classmethod
    def of(cls, hit: Hit) -> HitOutput:
        """From a hit."""
        chunk = hit.chunk
        return cls(
            document=hit.document,
            document_id=chunk.document_id,
            page=chunk.page,
            section=chunk.section,
            start=chunk.start,
            end=chunk.end,
            text=chunk.text,
            score=hit.score,
        )


class FileOutput(Output):
    """What became of one file."""

    document: str
    source: str
    outcome: Outcome
    documents: int
    pages: int
    chunks: int
    embedded: int
    characters: int
    tokens: int
    seconds: float
    reason: str | None
    notes: list[str]

    @classmethod
    def of(cls, file: FileOutcome) -> FileOutput:
        """From an outcome."""
        return cls(
            document=file.name,
            source=file.source,
            outcome=file.outcome,
            documents=file.documents,
            pages=file.pages,
            chunks=file.chunks,
            embedded=file.embedded,
            characters=file.characters,
            tokens=file.tokens,
            seconds=round(file.seconds, 6),
            reason=file.reason,
            notes=list(file.notes),
        )


class IngestOutput(Output):
    """What `rag ingest --json` prints; `counts` maps an outcome to its number of files.

    After a dry run outcomes are what would become of the files, `tokens` and `cost` what that would use.
    """

    files: list[FileOutput]
    counts: dict[str, int]
    reindexed: int
    dry_run: bool
    tokens: int
    seconds: float
    cost: Dollars | None
    trace_id: str

    @classmethod
    def of(cls, report: IngestReport) -> IngestOutput:
        """From a report."""
        counts = {outcome: report.count(outcome) for outcome in get_args(Outcome)}
        return cls(
            files=[FileOutput.of(file) for file in report.files],
            counts=counts,
            reindexed=report.reindexed,
            dry_run=report.dry_run,
            tokens=report.usage.input_tokens,
            seconds=round(report.seconds, 6),
            cost=report.cost,
            trace_id=report.trace_id,
        )


def ingest_json(report: IngestReport) -> Iterator[str]:
    """The JSON of `IngestOutput`, in pieces: a line for each file, however many there are."""
    head = IngestOutput.of(replace(report, files=())).model_dump(mode="json", exclude={"files", "counts"})
    head["counts"] = {outcome: report.count(outcome) for outcome in get_args(Outcome)}
    yield json.dumps(head, indent=2, ensure_ascii=False).removesuffix("\n}") + ',\n  "files": ['
    separator = "\n    "
    for file in report.files:
        yield separator + FileOutput.of(file).model_dump_json()
        separator = ",\n    "
    yield "\n  ]\n}"


class DocumentOutput(Output):
    """A document of the knowledge base.

    `indexed` is false while it waits to become searchable; `pages` is null where its format has none. `file` is where
    `source` stands in: the archive or e-mail that the document came out of, else the same.
    """

    document: str
    document_id: str
    source: str
    file: str
    media_type: str
    pages: int | None
    characters: int
    indexed: bool

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> DocumentOutput:
        """From a row of the catalogue."""
        return cls(
            document=row["name"],
            document_id=row["id"],
            source=row["source"],
            file=row["file"],
            media_type=row["media_type"],
            pages=row["pages"],
            characters=row["characters"],
            indexed=bool(row["indexed"]),
        )


class SourceOutput(Output):
    """A folder, or another source, and the outcomes of its files in its last run, which ended at `finished`."""

    source: str
    finished: str
    counts: dict[str, int]

    @classmethod
    def of(cls, source: SourceRecord) -> SourceOutput:
        """From the manifest."""
        return cls(source=source.root, finished=source.finished, counts=dict(source.counts))


class LabelOutput(Output):
    """A label, the number of sources of which it is said, and of values it has there."""

    name: str
    sources: int
    values: int


class BudgetOutput(Output):
    """A budget of one subject in its current period, in dollars; `reserved` is held by calls that are under way."""

    name: str
    per: str
    subject: str
    period: str
    limit: Dollars
    spent: Dollars
    reserved: Dollars
    soft_reached: bool

    @classmethod
    def of(cls, state: BudgetState) -> BudgetOutput:
        """From the state."""
        return cls(**{name: getattr(state, name) for name in cls.model_fields})


class StatusOutput(Output):
    """What `rag status --json` prints."""

    knowledge_base: str
    documents: list[DocumentOutput]
    pages: int
    chunks: int
    characters: int
    tokens: int
    waiting: int
    failed_files: int
    sources: list[SourceOutput]
    labels: list[LabelOutput]
    built_with: dict[str, str]
    store: str
    model: str
    rerank: str
    budgets: list[BudgetOutput]
    left_alone: list[str]

    @classmethod
    def of(cls, status: Status) -> StatusOutput:
        """From a status."""
        totals = status.totals
        return cls(
            knowledge_base=str(status.path),
            documents=[DocumentOutput.of(document) for document in status.documents],
            pages=totals.pages,
            chunks=totals.chunks,
            characters=totals.characters,
            tokens=totals.tokens,
            waiting=totals.waiting,
            failed_files=totals.failed_files,
            sources=[SourceOutput.of(source) for source in status.sources],
            labels=[LabelOutput(name=each.name, sources=each.sources, values=each.values) for each in status.labels],
            built_with=dict(status.facts),
            store=status.store,
            model=status.model,
            rerank=status.rerank,
            budgets=[BudgetOutput.of(each) for each in status.standing.budgets],
            left_alone=[each.name for each in status.standing.left_alone],
        )


class SpanOutput(Output):
    """One step of a trace; `start` is seconds after the trace began, `depth` how deep it is nested."""

    name: str
    depth: int
    start: float
    seconds: float
    error: str | None
    attributes: dict[str, Any]


class CallOutput(Output):
    """One row of the ledger."""

    kind: str
    model: str
    usage: UsageOutput
    cost: Dollars | None
    seconds: float
    error: str | None


class TraceOutput(Output):
    """What `rag trace ID --json` prints."""

    trace_id: str
    spans: list[SpanOutput]
    calls: list[CallOutput]
    cost: Dollars | None

    @classmethod
    def of(cls, spans: Sequence[SpanRecord], calls: Sequence[LedgerEntry]) -> TraceOutput:
        """From the spans of one trace, oldest first, and its ledger rows."""
        depths: dict[str, int] = {}
        for span in spans:
            depths[span.span_id] = depths.get(span.parent_id or "", -1) + 1
        began = spans[0].start
        return cls(
            trace_id=spans[0].trace_id,
            spans=[
                SpanOutput(
                    name=span.name,
                    depth=depths[span.span_id],
                    start=round(span.start - began, 6),
                    seconds=round(span.seconds, 6),
                    error=span.error,
                    attributes=dict(span.attributes),
                )
                for span in spans
            ],
            calls=[
                CallOutput(
                    kind=call.kind,
                    model=call.model,
                    usage=UsageOutput.of(call.usage),
                    cost=call.cost,
                    seconds=round(call.seconds, 6),
                    error=call.error,
                )
                for call in calls
            ],
            cost=total_cost([call.cost for call in calls]),
        )


def search_json(hits: Sequence[Hit]) -> str:
    """The JSON text of a result list."""
    from pydantic import TypeAdapter

    return TypeAdapter(list[HitOutput]).dump_json([HitOutput.of(hit) for hit in hits], indent=2).decode()
