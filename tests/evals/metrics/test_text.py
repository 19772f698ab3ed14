from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.metrics.text import alias_recall, exact_match, normalised, token_f1, token_recall


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("  The  Eiffel-Tower! ", "the eiffel tower"),
        ("U.S. don't O’Neil", "us dont oneil"),
        ("ＦＵＬＬ ﬁne Straße", "full fine strasse"),
        ("1,000.5 and 3.14.", "1000.5 and 3.14"),
        ("東京タワー", "東 京 タ ワ ー"),
        ("¿Qué? «Sí»", "qué sí"),
    ],
)
def test_normalises_any_script(text: str, words: str) -> None:
    assert normalised(text) == words


def test_articles_go_in_english_alone_when_told() -> None:
    assert normalised("The Who is a band", "en") == normalised("the who IS band")[4:]
    assert normalised("the a an", None) == "the a an"
    assert exact_match("The Beatles", ["Beatles"], "en") == 1
    assert exact_match("The Beatles", ["Beatles"]) == 0
    assert exact_match("An", ["a"], "en") == 0  # articles alone are compared as they stand


def test_the_best_of_several_golds_counts() -> None:
    golds = ["Barack Obama", "Barack Hussein Obama II"]
    assert exact_match("barack obama.", golds) == 1
    assert token_f1("President Obama", golds) == pytest.approx(0.5)
    assert token_recall("President Obama", golds) == 0.5
    assert alias_recall("It was Barack Obama, in 2008.", golds) == 1


def test_repeats_count() -> None:
    assert token_f1("New York New York", ["New York"]) == pytest.approx(2 * 2 / (4 + 2))
    assert token_recall("York", ["York York"]) == 0.5


def test_aliases_are_found_at_the_boundaries_of_words() -> None:
    assert alias_recall("the concatenation", ["cat"]) == 0
    assert alias_recall("a cat, twice", ["Cat"]) == 1
    assert alias_recall("anything", [" "]) == 0


@pytest.mark.parametrize("metric", [exact_match, token_f1, token_recall, alias_recall])
def test_without_golds_nothing_is_measured(metric) -> None:
    assert metric("answer", []) is None


@given(st.text(), st.text())
def test_values_are_shares_and_text_equals_itself(one: str, other: str) -> None:
    for metric in (exact_match, token_f1, token_recall, alias_recall):
        value = metric(one, [other])
        assert value is None or 0 <= value <= 1
    assert exact_match(one, [one]) == token_f1(one, [one]) == 1
