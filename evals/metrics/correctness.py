"""A deterministic judge of answers against gold answers, for questions with short answers and for filings.

It reads the way a person does who has the gold answers beside the question. In this order:

1. An answer that refuses is a refusal.
2. Where one word or number decides, it alone decides: yes or no, rose or fell, and a number asked for.
3. Otherwise the evidence of the text is weighed: the share of the gold's words that the answer holds, where, and with
   which dates and numbers (`evals.metrics.evidence`). The weights are fitted by `benchmarks/fit_correctness.py` on half
   of the questions of EVOUNA; `docs/metrics.md` prints the agreement with people on the other half.

It compares words: it cannot know that "the Bard" is Shakespeare, nor that a long answer contradicts itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from evals.metrics.content import content_terms
from evals.metrics.evidence import COLUMNS, Evidence, weigh
from evals.metrics.numeric import numeric_match
from evals.metrics.polarity import asks_direction, direction, gold_polarity, polarity, stated_direction
from evals.metrics.refusal import is_refusal
from evals.metrics.text import exact_match
from plumbline.errors import InputError
from plumbline.text.numbers import quantities
from plumbline.text.questions import answer_kind
from plumbline.text.sentences import sentences
from rag.answer.markers import without_markers

BIAS = -1.61
WEIGHTS: Mapping[str, float] = {
    "recall": 3.29,
    "whole": 1.12,
    "exact": 3.70,
    "density": 0.67,
    "asked": -0.56,
    "day": 0.78,
    "year": 1.17,
    "other_date": -0.89,
    "number": 0.85,
    "others": 0.75,
    "golds": -0.26,
}
"""What each column of the evidence adds to the log-odds of being right: `benchmarks/fit_correctness.py` prints them."""

SURE, DOUBTFUL = 0.95, 0.05  # the scores of what a rule decides: the order matters, not the height

_AMOUNTS = frozenset({"quantity", "share", "money"})

Label = Literal["correct", "incorrect", "refusal"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """`score` in [0, 1] is at least 0.5 when the label is "correct"; `reason` says what decided."""

    label: Label
    score: float
    reason: str


def answer_correct(question: str, answer: str, golds: Sequence[str], language: str = "en") -> Verdict:
    """Judge `answer` against the golds, each a way to write the right answer or one of several right ones.

    `language` is an ISO 639-1 code; yes and no, numbers and dates are read in several, words are stemmed in this one.
    Raises `InputError` when there is no gold answer: whether a question should be refused is another metric.
    """
    golds = [gold for gold in golds if gold.strip()]
    if not golds:
        raise InputError(
            "There is no gold answer to judge by.", hint="For unanswerable questions use 'refused_rightly'."
        )
    said = without_markers(answer).strip()
    if exact_match(said, golds):
        return Verdict("correct", 1.0, "equals a gold answer")
    if is_refusal(said):
        return Verdict("refusal", 0.0, "refuses to answer")
    ruled = [_ruled(question, said, gold, language) for gold in golds]
    right = [verdict for verdict in ruled if verdict is not None and verdict.label == "correct"]
    if right:
        return right[0]
    open_golds = [gold for gold, verdict in zip(golds, ruled, strict=True) if verdict is None]
    if not open_golds:
        return next(verdict for verdict in ruled if verdict is not None)
    return _weighed(question, said, open_golds, language)


def _ruled(question: str, said: str, gold: str, language: str) -> Verdict | None:
    """What one word or number decides, if one does."""
    wanted = gold_polarity(question, gold)
    if wanted is not None:
        given = polarity(question, said, language)
        if given is not None:
            return _decided(given == wanted, f"says {_word(given)}, the gold answer {_word(wanted)}")
    if asks_direction(question) and (rising := direction(gold)) is not None:
        moved = stated_direction(question, said, language)
        if moved is not None:
            return _decided(moved == rising, f"says {moved}, the gold answer {rising}")
    if _is_number(question, gold, language):
        core = _first_sentence(gold)
        stated = numeric_match(said, [core], question, language)
        if stated is not None:
            stated = stated or _counted(core, said, language)
            return _decided(stated, "states the number" if stated else "does not state the number")
    return None


def _is_number(question: str, gold: str, language: str) -> bool:
    """Whether the gold answer is a quantity: nothing else, or in answer to a question that asks for one."""
    core = _first_sentence(gold)
    found = quantities(core, language)
    if not found:
        return False
    rest = "".join([core[: found[0].start], core[found[0].end :]]) if len(found) == 1 else core
    return answer_kind(question) in _AMOUNTS or not content_terms(rest, language)


def _counted(gold: str, said: str, language: str) -> bool:
    """Whether the gold's bare whole numbers stand in the answer as ordinals: 5 as "the fifth largest"."""
    numbers = quantities(gold, language)
    if any(number.unit is not None or number.scaled or number.value < 0 or number.value % 1 for number in numbers):
        return False
    return {f"{number.value:.0f}" for number in numbers} <= set(content_terms(said, language))


def _decided(right: bool, reason: str) -> Verdict:
    return Verdict("correct", SURE, reason) if right else Verdict("incorrect", DOUBTFUL, reason)


def _word(yes: bool) -> str:
    return "yes" if yes else "no"


def _first_sentence(gold: str) -> str:
    start, end = next(iter(sentences(gold)), (0, len(gold)))
    return gold[start:end]


def _weighed(question: str, said: str, golds: Sequence[str], language: str) -> Verdict:
    """The evidence, weighed; of a gold answer that explains itself, the first sentence alone is enough."""
    forms = {tuple(golds), tuple(map(_first_sentence, golds))}
    evidence = max((weigh(question, said, form, language) for form in forms), key=log_odds)
    score = 1 / (1 + math.exp(-log_odds(evidence)))
    found = f"holds {evidence.recall:.0%} of what the gold answer says"
    return Verdict("correct" if score >= 0.5 else "incorrect", score, found)


def log_odds(evidence: Evidence) -> float:
    """The logarithm of the odds that an answer with this evidence is right."""
    return BIAS + sum(WEIGHTS[column] * value for column, value in zip(COLUMNS, evidence.row, strict=True))
