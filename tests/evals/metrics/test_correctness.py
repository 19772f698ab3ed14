from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.metrics.correctness import WEIGHTS, answer_correct
from evals.metrics.evidence import COLUMNS
from plumbline.errors import InputError

RIGHT = [
    ("Who wrote Hamlet?", "Hamlet was written by William Shakespeare around 1600.", ["William Shakespeare"]),
    ("Who won the first Nobel Prize in physics?", "It went to Wilhelm Röntgen.", ["Wilhelm Conrad Röntgen"]),
    ("When was the film released?", "It came out in 2018.", ["March 9, 2018"]),
    ("How many seasons are there?", "There are 4 seasons.", ["four"]),
    ("What is Pakistan's rank by population?", "It is the fifth largest.", ["5"]),
    ("Who chaired the drafting committee?", "B.R. Ambedkar did.", ["B. R. Ambedkar"]),
    ("How long is the refund window?", "Refunds are possible for 30 days [Source: policy.md].", ["30 days"]),
    ("Was there growth?", "Yes, by 3 %.", ["Yes"]),
    ("Did debt increase?", "Debt decreased by $2 million.", ["No. Debt fell."]),
    ("What was free cash flow in USD millions?", "Free cash flow was $3.215 billion.", ["3215"]),
    ("Which bonds are listed?", "No bonds are listed under its name.", ["There are none"]),
    ("Did wages increase or decrease?", "Wages rose.", ["Wages increased. The answer assumes fiscal years."]),
    ("¿Quién escribió Hamlet?", "La escribió Shakespeare.", ["William Shakespeare"]),
]
WRONG = [
    ("Who wrote Hamlet?", "Christopher Marlowe wrote Hamlet.", ["William Shakespeare"]),
    ("When was the film released?", "It came out in 2017.", ["March 9, 2018"]),
    ("How many seasons are there?", "There are 5 seasons.", ["four"]),
    ("What is the largest lake?", "Lake Mead is the largest lake.", ["Lake Oahe"]),
    ("Was there growth?", "No.", ["Yes"]),
    ("Did debt increase?", "Debt increased by $2 million.", ["No. Debt fell."]),
    ("What was free cash flow in USD millions?", "Free cash flow was $4.1 billion.", ["3215"]),
    ("Which bonds are listed?", "The bonds listed are the notes of 2027.", ["There are none"]),
    ("Did wages increase or decrease?", "Wages fell.", ["Wages increased."]),
    ("How much was raised?", "Five people raised money.", ["5 million"]),
    ("What share was it?", "12.9%", ["12%"]),
]


@pytest.mark.parametrize(("question", "answer", "golds"), RIGHT)
def test_right_answers(question: str, answer: str, golds: list[str]) -> None:
    verdict = answer_correct(question, answer, golds)
    assert verdict.label == "correct", verdict
    assert verdict.score >= 0.5


@pytest.mark.parametrize(("question", "answer", "golds"), WRONG)
def test_wrong_answers(question: str, answer: str, golds: list[str]) -> None:
    verdict = answer_correct(question, answer, golds)
    assert verdict.label == "incorrect", verdict
    assert verdict.score < 0.5


@pytest.mark.parametrize("answer", ["", "I don't know.", "The documents do not mention William Shakespeare's play."])
def test_refusals_are_their_own_label(answer: str) -> None:
    verdict = answer_correct("Who wrote Hamlet?", answer, ["William Shakespeare"])
    assert (verdict.label, verdict.score) == ("refusal", 0.0)


def test_a_gold_answer_that_reads_like_a_refusal_can_be_given() -> None:
    gold = "It cannot be determined from the text."
    assert answer_correct("What is x?", gold, [gold]).label == "correct"


def test_any_gold_will_do() -> None:
    assert answer_correct("How many?", "six", ["five", "6"]).label == "correct"
    assert answer_correct("How many?", "six", ["five", "7"]).reason == "does not state the number"


def test_reasons_say_what_decided() -> None:
    assert answer_correct("Was there growth?", "No.", ["Yes"]).reason == "says no, the gold answer yes"
    assert "100%" in answer_correct("Who wrote Hamlet?", "It was William Shakespeare", ["Shakespeare"]).reason


def test_there_must_be_a_gold_answer() -> None:
    with pytest.raises(InputError, match="no gold answer"):
        answer_correct("Who?", "Me", [" "])


def test_every_column_has_a_weight() -> None:
    assert tuple(WEIGHTS) == COLUMNS


@given(st.text(max_size=60), st.text(max_size=120), st.lists(st.text(min_size=1, max_size=30), min_size=1, max_size=3))
def test_scores_are_shares_and_follow_the_label(question: str, answer: str, golds: list[str]) -> None:
    if any(gold.strip() for gold in golds):
        verdict = answer_correct(question, answer, golds)
        assert 0 <= verdict.score <= 1
        assert (verdict.score >= 0.5) == (verdict.label == "correct")
