"""The shape of what `rag assess-data --json` prints: documented in docs/json.md, kept stable."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from rag.ingest.quality.assess import PASS_MARK, Assessment
from rag.ingest.quality.overrides import Override
from rag.ingest.quality.scale import Dimension, Evidence, Example

MOST_MARKS = 30.0


class _Output(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ExampleOutput(_Output):
    """Where something was seen; `page`, `start` and `end` are null where it is no span of a document."""

    document: str
    text: str
    page: int | None
    start: int | None
    end: int | None

    @classmethod
    def of(cls, example: Example) -> ExampleOutput:
        """From an example."""
        return cls(**{name: getattr(example, name) for name in cls.model_fields})


class EvidenceOutput(_Output):
    """What took `lost` points: `measure` has `value`; `says` and `do` are for people."""

    measure: str
    value: float
    lost: float
    says: str
    do: str
    examples: list[ExampleOutput]

    @classmethod
    def of(cls, evidence: Evidence) -> EvidenceOutput:
        """From evidence."""
        return cls(
            measure=evidence.measure,
            value=round(evidence.value, 6),
            lost=round(evidence.lost, 3),
            says=evidence.says,
            do=evidence.do,
            examples=[ExampleOutput.of(example) for example in evidence.examples],
        )


class DimensionOutput(_Output):
    """A dimension: `score` of 5, everything measured, what took points (worst first), and a note or null."""

    score: float
    measures: dict[str, float]
    evidence: list[EvidenceOutput]
    note: str | None

    @classmethod
    def of(cls, dimension: Dimension) -> DimensionOutput:
        """From a dimension."""
        return cls(
            score=dimension.score,
            measures={name: round(value, 6) for name, value in dimension.measures.items()},
            evidence=[EvidenceOutput.of(evidence) for evidence in dimension.evidence],
            note=dimension.note,
        )


class OverrideOutput(_Output):
    """Who let low quality pass, when and why."""

    time: str
    source: str
    total: float
    by: str
    reason: str

    @classmethod
    def of(cls, override: Override) -> OverrideOutput:
        """From an override."""
        return cls(**{name: getattr(override, name) for name in cls.model_fields})


class AssessOutput(_Output):
    """What `rag assess-data --json` prints; `override` is the one that this run recorded, or null."""

    source: str
    kind: str
    documents: int
    unread: int
    characters: int
    total: float
    of: float
    pass_mark: float
    passed: bool
    dimensions: dict[str, DimensionOutput]
    sensitive: dict[str, int]
    sensitive_examples: list[ExampleOutput]
    override: OverrideOutput | None

    @classmethod
    def made(cls, assessment: Assessment, override: Override | None) -> AssessOutput:
        """From an assessment and what was recorded."""
        return cls(
            source=assessment.source,
            kind=assessment.kind,
            documents=assessment.documents,
            unread=assessment.unread,
            characters=assessment.characters,
            total=assessment.total,
            of=MOST_MARKS,
            pass_mark=PASS_MARK,
            passed=assessment.passed,
            dimensions={dimension.name: DimensionOutput.of(dimension) for dimension in assessment.dimensions},
            sensitive=assessment.sensitive,
            sensitive_examples=[ExampleOutput.of(example) for example in assessment.sensitive_examples],
            override=OverrideOutput.of(override) if override else None,
        )


def history_json(overrides: Sequence[Override]) -> str:
    """The JSON text of a list of overrides."""
    from pydantic import TypeAdapter

    made = [OverrideOutput.of(override) for override in overrides]
    return TypeAdapter(list[OverrideOutput]).dump_json(made, indent=2).decode()
