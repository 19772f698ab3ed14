"""Parts merged some terms at a time hold what one part of the same chunks does."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from rag.index.lexical import merge as merging
from rag.index.lexical.build import build
from rag.index.lexical.merge import Merge, merge
from rag.index.lexical.part import Part
from rag.index.lexical.parts import Parts

RNG = np.random.default_rng(3)
WORDS = ["ant", "bee", "çedilla", "dog", "東京", "zebra", *(f"w{number}" for number in range(60))]
CHUNKS = [
    {str(word): float(count) for word, count in zip(RNG.choice(WORDS, 5, replace=False), range(1, 6), strict=True)}
    for _ in range(120)
]
BOUNDS = (0, 1, 40, 90, 120)


def parts() -> list[Part]:
    return [build(CHUNKS[start:end], start)[0] for start, end in pairwise(BOUNDS)]


def postings(part: Part) -> dict[str, list[tuple[int, int]]]:
    found = {}
    for term in part.vocabulary.terms():
        held = part.postings(term)
        assert held is not None
        found[term] = [*zip(held[0].tolist(), held[1].tolist(), strict=True)]
    return found


@pytest.mark.parametrize("at_once", [1, 7, 1 << 20])
def test_merging_gives_what_building_at_once_does(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr(merging, "POSTINGS_AT_ONCE", at_once)
    whole, _ = build(CHUNKS, 0)
    assert postings(merge(parts())) == postings(whole)
    assert len(Merge(parts())) == len(whole)


@pytest.mark.parametrize("at_once", [1, 7, 1 << 20])
def test_what_is_gone_is_left_out_and_terms_with_it(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr(merging, "POSTINGS_AT_ONCE", at_once)
    alive = np.array([number % 3 == 0 and "ant" not in chunk for number, chunk in enumerate(CHUNKS)])
    left = merge(parts(), alive)
    expected = {
        term: kept
        for term, held in postings(build(CHUNKS, 0)[0]).items()
        if (kept := [(chunk, count) for chunk, count in held if alive[chunk]])
    }
    assert postings(left) == expected
    assert "ant" not in left.vocabulary.terms()
    left.check(len(CHUNKS))


def test_many_small_parts_become_few() -> None:
    many = Parts()
    for number, chunk in enumerate(CHUNKS[:64]):
        many.append(build([chunk], number)[0])
    assert len(many.now()) < 20
    assert postings(merge(many.now())) == postings(build(CHUNKS[:64], 0)[0])


def test_nothing_merges_to_nothing() -> None:
    assert len(merge([])) == 0
    assert len(merge(parts(), np.zeros(len(CHUNKS), np.bool_)).vocabulary) == 0
