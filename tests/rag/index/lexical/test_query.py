from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.index.lexical.query import Phrase, Typed, parse


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("plain words", Typed("plain words")),
        ('"refund window" polic*', Typed("refund window polic", ("refund window",), ("polic",))),
        ('is "net income" up?', Typed("is net income up?", ("net income",))),
        (
            "“net income” und „freier Cashflow“",
            Typed("net income und freier Cashflow", ("net income", "freier Cashflow")),
        ),
        ("«chiffre d'affaires»", Typed("chiffre d'affaires", ("chiffre d'affaires",))),
        ('a "b', Typed('a "b')),
        ('a 5" disk and a 3" disk', Typed('a 5" disk and a 3" disk')),
        ('"" empty', Typed('"" empty')),
        ("2 * 3", Typed("2 * 3")),
        ("a*b **kwargs *args", Typed("a*b **kwargs *args")),
        ("e-mail* d'affaire*", Typed("e-mail d'affaire", (), ("mail", "affaire"))),
        ('"star* inside"', Typed("star* inside", ("star* inside",))),
        ("", Typed("")),
    ],
)
def test_what_a_person_types(typed: str, expected: Typed) -> None:
    assert parse(typed) == expected


@given(st.text(st.sampled_from('ab "*“”«»\n-')))
def test_anything_can_be_typed(typed: str) -> None:
    read = parse(typed)
    assert all(phrase.strip() == phrase != "" for phrase in read.phrases)
    assert all("*" not in prefix and prefix for prefix in read.prefixes)
    kept = [c for c in read.text if c in "ab"]
    assert kept == [c for c in typed if c in "ab"]


def test_a_phrase_stands_in_one_field_in_order() -> None:
    phrase = Phrase.of([["net", "income"], ["net", "incom"]])
    assert phrase is not None
    assert phrase.within([["other"], ["the", "net", "incom", "rose"]])
    assert not phrase.within([["net"], ["income"]])
    assert not phrase.within([["income", "net"], ["net", "of", "income"]])


def test_a_phrase_of_no_terms_is_none() -> None:
    assert Phrase.of([[], ["the"]]) is None
    assert Phrase.of([]) is None
