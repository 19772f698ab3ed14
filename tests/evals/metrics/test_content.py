from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.metrics.content import aligned, content_terms, likeness, weight


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("B. R. Ambedkar", "B.R. Ambedkar"),
        ("the sixth season", "season 6"),
        ("6th season", "Season six"),
        ("Fermín", "Fermin"),
        ("twenty-seven amendments", "27 amendments"),
        ("solids", "solid"),
        ("The Himalayas", "Himalaya"),
    ],
)
def test_two_ways_of_saying_it_look_the_same(one: str, other: str) -> None:
    assert set(content_terms(one)) == set(content_terms(other))


def test_function_words_alone_are_kept() -> None:
    assert content_terms("The Who") == ("the", "who")
    assert content_terms("") == ()


def test_near_spellings_are_alike_and_numbers_never() -> None:
    assert likeness("ambedkar", "ambedkar") == 1
    assert 0 < likeness("neemuchwala", "neemuchvala") < 1
    assert 0 < likeness("confeder", "confederaci") < 1
    assert likeness("1918", "1919") == likeness("cat", "car") == likeness("paris", "london") == 0


def test_what_the_question_says_weighs_little() -> None:
    asked = frozenset(content_terms("Which river flows through Paris?"))
    river, seine = content_terms("river Seine")
    assert weight(seine, asked) == 1
    assert weight(river, asked) < 0.2


def test_terms_are_found_at_their_first_place() -> None:
    assert aligned(["a1", "b1", "c1"], ["b1", "x", "a1", "b1"]) == [(1.0, 2), (1.0, 0), (0.0, -1)]


@given(st.text(max_size=80))
def test_any_text_is_read(text: str) -> None:
    found = content_terms(text)
    assert aligned(found, found) == [(1.0, found.index(term)) for term in found]
