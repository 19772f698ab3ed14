from __future__ import annotations

import math

import pytest

from evals.metrics.evidence import COLUMNS, Evidence, weigh

QUESTION = "Who wrote Hamlet and when?"


def test_a_gold_answer_found_whole() -> None:
    evidence = weigh(QUESTION, "It was written by William Shakespeare.", ["William Shakespeare"])
    assert (evidence.recall, evidence.whole, evidence.exact, evidence.density) == (1, 1, 0, 1)
    assert weigh(QUESTION, "William Shakespeare", ["William Shakespeare"]).exact == 1


def test_a_part_of_it() -> None:
    evidence = weigh(QUESTION, "Shakespeare, the poet whose first name was William", ["William Shakespeare Smith"])
    assert evidence.recall == pytest.approx(2 / 3)
    assert evidence.whole == 0
    assert 0 < evidence.density < 1


def test_words_of_the_question_say_little() -> None:
    evidence = weigh("Which lake is the largest?", "Lake Mead", ["Lake Oahe"])
    assert evidence.recall < 0.2
    assert evidence.asked == 0.5


@pytest.mark.parametrize(
    ("answer", "columns"), [("March 9, 2018", (1, 0, 0)), ("in 2018", (0, 1, 0)), ("in 2019", (0, 0, 1))]
)
def test_dates(answer: str, columns: tuple[float, float, float]) -> None:
    evidence = weigh("When was it released?", answer, ["March 9, 2018"])
    assert (evidence.day, evidence.year, evidence.other_date) == columns


def test_numbers() -> None:
    assert weigh("How many?", "There are 4.", ["four"]).number == 1
    assert weigh("How many?", "There are 5.", ["four"]).number == 0


def test_the_best_gold_counts_and_how_many_are_found() -> None:
    evidence = weigh("Who?", "Paul and Barnabas", ["Simon", "Paul", "Barnabas", "James"])
    assert evidence.recall == 1
    assert evidence.others == 0.5
    assert evidence.golds == pytest.approx(math.log(4))


def test_nothing_to_compare() -> None:
    assert weigh("Who?", "anything", [" "]) == Evidence()
    assert len(Evidence().row) == len(COLUMNS)
