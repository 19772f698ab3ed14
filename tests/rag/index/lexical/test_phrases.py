"""Phrases and prefixes in the index."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from plumbline.errors import InputError
from rag.index.lexical import LexicalIndex
from rag.index.lexical.parts import MOST_COMPLETIONS
from rag.index.lexical.query import LexicalQuery, Phrase, Prefix

TEXTS = [
    "net income rose",
    "income net of tax",
    "the net income net income",
    "net | income",
    "other income",
]
FIELDS = [[field.split() for field in text.split("|")] for text in TEXTS]


class Texts:
    """Reads fields, and remembers which."""

    def __init__(self, fields: Sequence[Sequence[Sequence[str]]]) -> None:
        self.fields = fields
        self.looked_at: list[int] = []

    def __call__(self, positions: Sequence[int]) -> list[Sequence[Sequence[str]]]:
        self.looked_at.extend(positions)
        return [self.fields[at] for at in positions]


def index_of(fields: Sequence[Sequence[Sequence[str]]]) -> LexicalIndex:
    return LexicalIndex([term for field in chunk for term in field] for chunk in fields)


def phrase(*readings: str) -> Phrase:
    found = Phrase.of(reading.split() for reading in readings)
    assert found is not None
    return found


def test_a_phrase_is_held_in_one_field() -> None:
    index, texts = index_of(FIELDS), Texts(FIELDS)
    found, scores = index.search(LexicalQuery(("net", "income"), (phrase("net income"),)), 5, None, texts)
    assert found.tolist() == [2, 0]
    np.testing.assert_array_equal(scores, index.scores(["net", "income"])[found])
    assert set(texts.looked_at) == {0, 1, 2, 3}, "texts without the words of the phrase are not read"


def test_each_phrase_must_be_held_in_one_of_its_readings() -> None:
    index, texts = index_of(FIELDS), Texts(FIELDS)
    both = (phrase("net income", "neto ingreso"), phrase("income rose"))
    assert index.search(LexicalQuery(("income",), both), 5, None, texts)[0].tolist() == [0]


def test_a_mask_counts() -> None:
    index, texts = index_of(FIELDS), Texts(FIELDS)
    mask = np.array([False, True, True, True, True])
    query = LexicalQuery(("net", "income"), (phrase("net income"),))
    assert index.search(query, 5, mask, texts)[0].tolist() == [2]
    assert 0 not in texts.looked_at


def test_removed_chunks_are_not_looked_at() -> None:
    index, texts = index_of(FIELDS), Texts(FIELDS)
    index.remove([2])
    query = LexicalQuery(("net", "income"), (phrase("net income"),))
    assert index.search(query, 5, None, texts)[0].tolist() == [0]


def test_only_as_many_texts_are_read_as_are_needed() -> None:
    fields = [[["net", "income"]]] * 5000
    texts = Texts(fields)
    query = LexicalQuery(("net", "income"), (phrase("net income"),))
    found, _ = index_of(fields).search(query, 10, None, texts)
    assert found.tolist() == list(range(10))
    assert len(texts.looked_at) < 100


def test_texts_that_are_gone_hold_nothing() -> None:
    query = LexicalQuery(("net", "income"), (phrase("net income"),))
    assert index_of(FIELDS).search(query, 5, None, lambda at: [[] for _ in at])[0].tolist() == []


def test_phrases_need_texts() -> None:
    with pytest.raises(InputError, match="fields"):
        index_of(FIELDS).search(LexicalQuery(("net",), (phrase("net income"),)), 5)


def test_a_prefix_is_one_word() -> None:
    index = LexicalIndex([["polici", "police"], ["polit"], ["police", "x"], ["y"]])
    assert sorted(index.search(LexicalQuery(prefixes=(Prefix("polic"),)), 5)[0].tolist()) == [0, 2]
    merged = LexicalIndex([{"p": 2.0}, ["polit"], ["p", "x"], ["y"]])
    found = index.search(LexicalQuery(("x",), prefixes=(Prefix("polic"),)), 5)
    expected = merged.search(["x", "p"], 5)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])


def test_completions_come_by_frequency_over_all_parts_and_without_what_was_removed() -> None:
    index = LexicalIndex([["ab", "abc"], ["abc"]])
    index = LexicalIndex.from_arrays(index.to_arrays())
    index.append([["abd", "b"], ["abd"], ["abd", "abe"]])
    index.remove([4])
    assert index.completions(Prefix("ab")).terms == ("abc", "abd", "ab")
    assert index.completions(Prefix("abx", ("b", "none"))).terms == ("b",)
    assert index.completions(Prefix("zz")).terms == ()


def test_completions_are_bounded_and_say_so() -> None:
    index = LexicalIndex([[f"a{number}" for number in range(MOST_COMPLETIONS + 5)], ["a7"]])
    found = index.completions(Prefix("a"))
    assert (found.terms[0], len(found.terms), found.left) == ("a7", MOST_COMPLETIONS, 5)


@pytest.mark.parametrize("prefix", ["größ", "東", "𐐷", "z"])
def test_prefixes_of_any_script(prefix: str) -> None:
    words = ["größe", "größen", "grube", "東京", "東", "𐐷a", "z", "a"]
    index = LexicalIndex([words])
    assert set(index.completions(Prefix(prefix)).terms) == {word for word in words if word.startswith(prefix)}
