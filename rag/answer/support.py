"""How well one text carries a statement, by words and numbers alone.

The measure is the share of the statement's term weight that the evidence covers, rarer terms weighing more (idf over
the evidence at hand). A number in the statement that the evidence does not have caps it: "30 days" never supports
"60 days", however alike the sentences are. Later measures may replace this one; callers see a number in [0, 1].
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from plumbline.text.sentences import sentences
from plumbline.text.terms import terms
from rag.types import Verdict

DEFAULT_SUPPORTED = 0.7
DEFAULT_PARTIAL = 0.4
NUMBER_MISSING_CAP = 0.35
PASSAGES_REMEMBERED = 256  # a few megabytes
PAIR_GAIN = 0.15  # a second sentence must add this much to be quoted too

_NUMBER = re.compile(r"\d+(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class Sentence:
    """text[start:end] of some passage, with its terms."""

    start: int
    end: int
    terms: frozenset[str]


@dataclass(frozen=True, slots=True)
class Weights:
    """How much a term counts: smoothed idf over the sentences of the evidence; unseen terms count as the rarest."""

    idf: Mapping[str, float]
    rarest: float

    def of(self, term: str) -> float:
        """The weight of one term."""
        return self.idf.get(term, self.rarest)


@lru_cache(maxsize=PASSAGES_REMEMBERED)
def split(passage: str) -> tuple[Sentence, ...]:
    """The sentences of a passage with their terms; the passages that answers rest on come again and again."""
    return tuple(Sentence(start, end, frozenset(terms(passage[start:end]))) for start, end in sentences(passage))


def weights(passages: Iterable[Sequence[Sentence]]) -> Weights:
    """Weights of terms over all sentences of the evidence."""
    counts: Counter[str] = Counter()
    total = 0
    for passage in passages:
        for sentence in passage:
            total += 1
            counts.update(sentence.terms)
    idf = {term: math.log(1 + total / count) for term, count in counts.items()}
    return Weights(idf, math.log(1 + total) if total else 1.0)


def support(statement: frozenset[str], evidence: frozenset[str], weight: Weights) -> float:
    """In [0, 1]: the share of the statement's term weight that the evidence covers, capped when a number is missing."""
    total = math.fsum(weight.of(term) for term in statement)  # exact, and so the same in whatever order sets have
    if total == 0:
        return 0.0
    covered = math.fsum(weight.of(term) for term in statement & evidence) / total
    missing = any(_NUMBER.fullmatch(term) and term not in evidence for term in statement)
    return min(covered, NUMBER_MISSING_CAP) if missing else covered


def verdict(value: float) -> Verdict:
    """The verdict for a support, by the default thresholds."""
    if value >= DEFAULT_SUPPORTED:
        return "supported"
    return "partial" if value >= DEFAULT_PARTIAL else "unsupported"


@dataclass(frozen=True, slots=True)
class Best:
    """The run of one or two neighbouring sentences of a passage that carries a statement best."""

    start: int
    end: int
    support: float


def best_span(statement: frozenset[str], passage: Sequence[Sentence], weight: Weights) -> Best | None:
    """The sentence, or pair of neighbours where the second adds much, that carries the statement best."""
    alone = [support(statement, sentence.terms, weight) for sentence in passage]
    best: Best | None = None
    for sentence, value in zip(passage, alone, strict=True):
        if best is None or value > best.support:
            best = Best(sentence.start, sentence.end, value)
    if best is None:
        return None
    single = best.support
    for first, second in pairwise(passage):
        together = support(statement, first.terms | second.terms, weight)
        if together > max(best.support, single + PAIR_GAIN):
            best = Best(first.start, second.end, together)
    return best
