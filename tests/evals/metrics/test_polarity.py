from __future__ import annotations

import pytest

from evals.metrics.polarity import asks_direction, direction, gold_polarity, is_polar, polarity, stated_direction

DEBT = "Has the company increased its debt in 2023?"


@pytest.mark.parametrize(
    ("answer", "yes"),
    [
        ("Yes.", True),
        ("No, it did not.", False),
        ("The balance sheet tells. So the answer is no.", False),
        ("In summary, yes it has.", True),
        ("The company increased its debt in 2023 by $5 million.", True),
        ("The company has not increased its debt in 2023.", False),
        ("The company decreased its debt in 2023.", False),
        ("To see whether the company increased its debt in 2023, look here. The debt of 2023 fell.", False),
        ("No one knows whether it rained.", None),
        ("Cats sleep a lot.", None),
        ("Sí, aumentó.", True),
        ("Nein.", False),
    ],
)
def test_reads_yes_and_no(answer: str, yes: bool | None) -> None:
    assert polarity(DEBT, answer) is yes


def test_reads_what_the_gold_answer_says() -> None:
    assert gold_polarity(DEBT, "Yes. It rose.") is True
    assert gold_polarity(DEBT, "No") is False
    assert gold_polarity("Which bonds are listed?", "There are none") is False
    assert gold_polarity("What did it buy in 2022?", "It did not make any acquisitions.") is False
    assert gold_polarity("What is forbidden?", "No eating and drinking") is None
    assert gold_polarity(DEBT, "Paris") is None


def test_knows_questions_of_yes_or_no() -> None:
    assert is_polar("Did it rain?")
    assert is_polar("Looking at VaR, did the risk fall?")
    assert not is_polar("When did it rain?")


def test_reads_directions() -> None:
    question = "Did wages increase or decrease?"
    assert asks_direction(question)
    assert not asks_direction(DEBT)
    assert direction("a rise and a fall") is None
    assert stated_direction(question, "Sales fell. Wages grew by 3 %.") == "up"
    assert stated_direction(question, "Something else.") is None
