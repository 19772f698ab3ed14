"""How well one text carries another: terms, numbers, neighbours."""

from __future__ import annotations

from plumbline.text.terms import terms
from rag.answer.support import NUMBER_MISSING_CAP, best_span, split, support, verdict, weights

PASSAGE = (
    "Unopened goods may be returned within 30 days of delivery. The customer pays for the parcel. "
    "Refunds are paid within 5 working days to the card that was used. Gift cards cannot be returned."
)
SENTENCES = split(PASSAGE)
WEIGHTS = weights([SENTENCES])


def measure(statement: str, evidence: str = PASSAGE) -> float:
    return support(frozenset(terms(statement)), frozenset(terms(evidence)), WEIGHTS)


def test_the_same_sentence_is_fully_supported() -> None:
    assert measure("Unopened goods may be returned within 30 days of delivery.") == 1.0


def test_a_paraphrase_is_supported_more_than_a_foreign_statement() -> None:
    assert measure("You can return goods within 30 days after delivery.") > 0.7
    assert measure("The warehouse in Oslo opens on Sunday.") < 0.2


def test_a_wrong_number_caps_the_support() -> None:
    assert measure("Unopened goods may be returned within 60 days of delivery.") <= NUMBER_MISSING_CAP
    assert verdict(measure("Unopened goods may be returned within 60 days of delivery.")) == "unsupported"


def test_a_statement_without_words_is_not_supported() -> None:
    assert measure("And so on.") == 0.0
    assert measure("") == 0.0


def test_the_best_span_is_the_sentence_that_carries_it() -> None:
    best = best_span(frozenset(terms("Refunds come within 5 working days.")), SENTENCES, WEIGHTS)
    assert best is not None
    assert PASSAGE[best.start : best.end].startswith("Refunds are paid within 5 working days")
    assert PASSAGE[best.start : best.end].endswith("used.")


def test_two_neighbours_are_quoted_when_both_are_needed() -> None:
    statement = "Goods returned within 30 days of delivery: the customer pays the parcel."
    best = best_span(frozenset(terms(statement)), SENTENCES, WEIGHTS)
    assert best is not None
    assert PASSAGE[best.start : best.end].endswith("The customer pays for the parcel.")
    assert PASSAGE[best.start : best.end].startswith("Unopened goods")


def test_an_empty_passage_has_no_best_span() -> None:
    assert best_span(frozenset({"x"}), split(""), WEIGHTS) is None
