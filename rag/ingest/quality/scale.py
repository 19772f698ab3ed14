"""How a dimension of quality gets its score, and the evidence for it.

Every dimension begins with 5 points. Each thing measured takes some away: in proportion, from none at 0 to its most at
its limit. docs/data.md lists them all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from rag.ingest.structure import page_at
from rag.types import Document

Name = Literal["completeness", "accuracy", "consistency", "timeliness", "relevance", "volume"]

FULL_MARKS = 5.0
MOST_EXAMPLES = 5
LONGEST_EXAMPLE = 160


@dataclass(frozen=True, slots=True)
class Example:
    """Where something was seen: `text` reads it, or says it; page and offsets where it is a span of the document."""

    document: str
    text: str
    page: int | None = None
    start: int | None = None
    end: int | None = None

    @classmethod
    def of(cls, document: Document, start: int, end: int) -> Example:
        """A span of a document, its text on one line and cut to `LONGEST_EXAMPLE` characters."""
        text = " ".join(document.text[start : min(end, start + LONGEST_EXAMPLE)].split())
        return cls(document.name, text, page_at(document, start), start, end)


@dataclass(frozen=True, slots=True)
class Rule:
    """What is measured under the key `measure`, and how much it takes: `most` points from a value of `limit` on."""

    measure: str
    most: float
    limit: float
    says: str
    do: str

    def lost(self, value: float) -> float:
        """The points that a value takes."""
        return self.most * min(max(value / self.limit, 0.0), 1.0)


@dataclass(frozen=True, slots=True)
class Evidence:
    """A measure that takes points: its value (a share unless its rule says otherwise), in words, and what to do."""

    measure: str
    value: float
    lost: float
    says: str
    do: str
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True, slots=True)
class Dimension:
    """One dimension: `score` in [0, 5] with one decimal, all that was measured, and what took points, worst first.

    `note` says what the score does not rest on, if anything.
    """

    name: Name
    score: float
    measures: Mapping[str, float]
    evidence: tuple[Evidence, ...]
    note: str | None = None


class Examples:
    """Keeps the first few examples of each measure, so that memory does not grow with the documents."""

    def __init__(self) -> None:
        self._kept: dict[str, list[Example]] = {}

    def add(self, measure: str, example: Example) -> None:
        """Keep it if there is room."""
        kept = self._kept.setdefault(measure, [])
        if len(kept) < MOST_EXAMPLES:
            kept.append(example)

    def of(self, measure: str) -> tuple[Example, ...]:
        """Those of one measure."""
        return tuple(self._kept.get(measure, ()))


def scored(
    name: Name,
    rules: Sequence[Rule],
    measures: Mapping[str, float],
    examples: Examples,
    *,
    note: str | None = None,
) -> Dimension:
    """The dimension by its rules; a rule whose measure is missing takes nothing."""
    evidence = [
        Evidence(
            rule.measure,
            measures[rule.measure],
            rule.lost(measures[rule.measure]),
            rule.says.format(value=measures[rule.measure]),
            rule.do,
            examples.of(rule.measure),
        )
        for rule in rules
        if measures.get(rule.measure, 0.0) > 0
    ]
    evidence.sort(key=lambda each: -each.lost)  # stable: equal ones stay in the order of the rules
    score = max(FULL_MARKS - sum(each.lost for each in evidence), 0.0)
    return Dimension(name, round(score, 1), dict(measures), tuple(evidence), note)


def share(part: float, whole: float) -> float:
    """part / whole, 0 where there is no whole."""
    return part / whole if whole else 0.0
