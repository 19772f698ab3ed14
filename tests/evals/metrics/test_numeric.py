from __future__ import annotations

import pytest

from evals.metrics.numeric import numeric_match

MATCHES = [
    ("$1.6 billion", "Revenue was $1,577 million."),
    ("$1,577 million", "about $1.58 billion"),
    ("12%", "12.4 percent"),
    ("12.9%", "13%"),
    ("12%", "0.12"),
    ("0.12", "1,200 basis points"),
    ("0.019", "The average is 1.9%."),
    ("twelve", "There are 12."),
    ("four seasons", "4"),
    ("18", "18 years old"),
    ("two weeks", "14 days"),
    ("1 km", "1,000 m"),
    ("1000000", "one million"),
    ("-473", "a loss of 473"),
    ("-$473 million", "net revenue was $(473) million"),
    ("-3.7", "The cycle is -3.70 days."),
    ("€5", "5"),
]
DIFFERS = [
    ("12%", "12.9%"),
    ("$1,577 million", "$2 billion"),
    ("$5", "€5"),
    ("30 days", "30 months"),
    ("3 million", "3"),
    ("24.26", "24.5"),
    ("-3.7", "3.7"),
    ("5", "5,000"),
    ("3.5", "no number here"),
]


@pytest.mark.parametrize(("gold", "answer"), MATCHES)
def test_the_same_number_written_otherwise(gold: str, answer: str) -> None:
    assert numeric_match(answer, [gold]) is True


@pytest.mark.parametrize(("gold", "answer"), DIFFERS)
def test_another_number(gold: str, answer: str) -> None:
    assert numeric_match(answer, [gold]) is False


def test_the_question_may_name_the_scale_or_percent() -> None:
    in_millions = "What is free cash flow? Answer in USD millions."
    assert numeric_match("$3.215 billion", ["3215"], in_millions) is True
    assert numeric_match("$3.215 billion", ["3215"]) is False
    assert numeric_match("3215", ["$3,215 million"], in_millions) is True
    assert numeric_match("1.9", ["0.019"], "In percent?") is True
    assert numeric_match("1.9", ["0.019"]) is False


def test_every_quantity_of_one_gold_is_needed() -> None:
    gold = "$1,097 million for pensions and $862 million for health care"
    assert numeric_match("1,097 million and 862 million dollars", [gold]) is True
    assert numeric_match("$862 million", [gold]) is False
    assert numeric_match("$862 million", [gold, "$862 million"]) is True


def test_what_the_question_says_need_not_be_said_again() -> None:
    question = "How much of the $900 million was spent?"
    assert numeric_match("$328 million", ["$328 million of $900 million"], question) is True


@pytest.mark.parametrize("gold", ["Paris", "May 18, 2018", "2018", "FY2019"])
def test_without_a_quantity_in_the_gold_nothing_is_measured(gold: str) -> None:
    assert numeric_match("42", [gold]) is None


def test_years_and_counts_that_look_like_years() -> None:
    assert numeric_match("2,015 people came in 2014", ["2,015"]) is True
    assert numeric_match("2015 people", ["2,015 people"]) is True


def test_other_languages() -> None:
    assert numeric_match("1.577 Mio. Euro", ["1,577 Mrd. Euro"], language="de") is True
    assert numeric_match("Es sind zwölf.", ["12"], language="de") is True
