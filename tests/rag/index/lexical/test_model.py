"""The index against a model of BM25F that is as plain as can be: any changes in any order, any mask."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.index.lexical import LexicalIndex, scoring, topk

K1, B = 1.2, 0.75
WORDS = ["a", "b", "c", "d", "e", "rare"]
CHUNKS = st.dictionaries(st.sampled_from(WORDS), st.integers(1, 80).map(lambda n: n / 16), max_size=4)
CHANGES = st.lists(
    st.one_of(
        st.lists(CHUNKS, min_size=1, max_size=8).map(lambda chunks: ("append", chunks)),
        st.lists(st.integers(0, 10**6), min_size=1, max_size=3).map(lambda places: ("remove", places)),
        st.just(("search", [])),
        st.just(("save", [])),
    ),
    max_size=12,
)

Changes = Sequence[tuple[str, list[Any]]]


class Model:
    """Chunks by position; `None` where one was removed."""

    def __init__(self) -> None:
        self.chunks: list[Mapping[str, float] | None] = []

    def score(self, at: int, query: Sequence[str]) -> float:
        alive = [chunk for chunk in self.chunks if chunk is not None]
        chunk = self.chunks[at]
        if chunk is None:
            return 0.0
        mean = sum(sum(each.values()) for each in alive) / len(alive)
        score = 0.0
        for word in query:
            held = sum(word in each for each in alive)
            if word in chunk:
                idf = math.log(1 + (len(alive) - held + 0.5) / (held + 0.5))
                damping = K1 * (1 - B + B * sum(chunk.values()) / mean)
                score += idf * chunk[word] * (K1 + 1) / (chunk[word] + damping)
        return score


def changed(index: LexicalIndex, model: Model, changes: Changes) -> LexicalIndex:
    for what, values in changes:
        if what == "append":
            index.append(values)
            model.chunks.extend(values)
        elif what == "remove" and model.chunks:
            gone = {value % len(model.chunks) for value in values}
            index.remove(gone)
            for at in gone:
                model.chunks[at] = None
        elif what == "search":
            index.search(["a", "rare"], 3)
        elif what == "save":
            index = LexicalIndex.from_arrays(index.to_arrays(), k1=K1, b=B)
    return index


@pytest.mark.parametrize("whole", [0, scoring.WHOLE])
@pytest.mark.parametrize("selective", [1, topk.SELECTIVE])
@given(
    changes=CHANGES,
    query=st.lists(st.sampled_from([*WORDS, "unknown"]), max_size=5),
    k=st.integers(1, 12),
    kept=st.lists(st.booleans(), min_size=100, max_size=100),
    masked=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_any_changes_leave_what_the_model_says(
    whole: int, selective: int, changes: Changes, query: list[str], k: int, kept: list[bool], masked: bool
) -> None:
    model = Model()
    with (
        patch.object(topk, "WHOLE", whole),
        patch.object(scoring, "WHOLE", whole),
        patch.object(topk, "SELECTIVE", selective),
    ):
        index = changed(LexicalIndex(k1=K1, b=B), model, changes)
        size = len(model.chunks)
        mask = np.array(kept[:size], np.bool_)
        positions, scores = index.search(query, k, mask if masked else None)
        everything = index.scores(query)
    expected = [model.score(at, query) for at in range(size)]
    assert (len(index), index.count) == (size, sum(chunk is not None for chunk in model.chunks))
    np.testing.assert_allclose(everything, expected, rtol=1e-6)
    np.testing.assert_array_equal(scores, everything[positions])
    allowed = [at for at in range(size) if expected[at] > 0 and (mask[at] or not masked)]
    assert positions.tolist() == sorted(allowed, key=lambda at: (-everything[at], at))[:k]


@given(changes=CHANGES)
@settings(max_examples=60, deadline=None)
def test_scores_are_those_of_a_fresh_index(changes: Changes) -> None:
    model = Model()
    index = changed(LexicalIndex(), model, changes)
    fresh = LexicalIndex(chunk or {} for chunk in model.chunks)
    fresh.remove([at for at, chunk in enumerate(model.chunks) if chunk is None])
    for query in (["a"], ["b", "rare", "rare"], WORDS):
        np.testing.assert_array_equal(index.scores(query), fresh.scores(query))
    alive = [at for at, chunk in enumerate(model.chunks) if chunk is not None]
    assert index.postings_of(alive) == [model.chunks[at] for at in alive]
