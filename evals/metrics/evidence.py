"""What speaks for an answer being right, measured against each gold answer: what `evals.metrics.correctness` weighs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from evals.metrics.content import aligned, content_terms, weight
from evals.metrics.numeric import same_quantity
from evals.metrics.text import contains
from plumbline.text.dates import PartialDate, find_dates
from plumbline.text.numbers import Quantity, quantities

_FOUND = 0.6


@dataclass(frozen=True, slots=True)
class Evidence:
    """For the gold answer that fits best; each in [0, 1] unless it says otherwise.

    `recall`: the weighted share of the gold's terms in the answer, what the question says counting little. `whole`: all
    of them in one run. `exact`: and nothing else. `density`: how close together the terms found stand. `asked`: the
    share of the gold's terms that are in the question. `day`, `year`, `other_date`: a date of the gold is given as
    exactly, less exactly, or not. `number`: the gold's quantities are stated. `others`: the share of all golds found.
    `golds`: the logarithm of how many golds there are.
    """

    recall: float = 0.0
    whole: float = 0.0
    exact: float = 0.0
    density: float = 0.0
    asked: float = 0.0
    day: float = 0.0
    year: float = 0.0
    other_date: float = 0.0
    number: float = 0.0
    others: float = 0.0
    golds: float = 0.0

    @property
    def row(self) -> list[float]:
        """The columns in order."""
        return [getattr(self, column) for column in COLUMNS]


COLUMNS = tuple(field.name for field in fields(Evidence))


@dataclass(frozen=True, slots=True)
class _Said:
    """The answer and the question, read once."""

    terms: tuple[str, ...]
    asked: frozenset[str]
    dates: list[PartialDate]
    numbers: list[Quantity]
    question: str


def weigh(question: str, answer: str, golds: Sequence[str], language: str = "en") -> Evidence:
    """The evidence for the answer; all 0 when no gold holds a word."""
    said = _Said(
        content_terms(answer, language),
        frozenset(content_terms(question, language)),
        find_dates(answer),
        quantities(answer, language, years=True),
        question,
    )
    each = [_against(gold, terms, said, language) for gold in golds if (terms := content_terms(gold, language))]
    if not each:
        return Evidence()
    best = max(each, key=_fit)
    found = sum(one.recall > _FOUND for one in each) / len(each)
    return replace(best, others=found, golds=math.log(len(each)))


def _against(gold: str, terms: tuple[str, ...], said: _Said, language: str) -> Evidence:
    found = aligned(terms, said.terms)
    weights = [weight(term, said.asked) for term in terms]
    places = sorted({place for _, place in found if place >= 0})
    day, year, other = _dates(find_dates(gold), said.dates)
    numbers = quantities(gold, language)
    stated = numbers and all(any(same_quantity(one, other, said.question) for other in said.numbers) for one in numbers)
    return Evidence(
        recall=sum(share * one for (share, _), one in zip(found, weights, strict=True)) / sum(weights),
        whole=float(contains(said.terms, terms)),
        exact=float(said.terms == terms),
        density=len(places) / (places[-1] - places[0] + 1) if places else 0.0,
        asked=sum(term in said.asked for term in terms) / len(terms),
        day=day,
        year=year,
        other_date=other,
        number=float(bool(stated)),
    )


def _dates(wanted: Sequence[PartialDate], given: Sequence[PartialDate]) -> tuple[float, float, float]:
    if not wanted:
        return 0.0, 0.0, 0.0
    agreeing = [[date for date in given if one.agrees(date)] for one in wanted]
    if not all(agreeing):
        return 0.0, 0.0, 1.0
    exactly = all(
        any(one.month is None or date.month is not None for date in dates)
        for one, dates in zip(wanted, agreeing, strict=True)
    )
    return float(exactly), float(not exactly), 0.0


def _fit(one: Evidence) -> float:
    """How well a gold fits, to choose the best of several."""
    return one.recall + 0.5 * one.whole + one.day + 0.8 * one.year + one.number - 0.3 * one.other_date
