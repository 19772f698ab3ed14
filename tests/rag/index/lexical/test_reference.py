from __future__ import annotations

import sys

import numpy as np
import pytest
from rank_bm25 import BM25Okapi

from plumbline.errors import ConfigError, MissingExtraError
from rag.index.lexical import LexicalIndex
from rag.index.lexical.query import LexicalQuery, Phrase, Prefix
from rag.index.lexical.reference import ReferenceIndex

CHUNKS = [["a", "b", "b"], ["b", "c"], ["c", "d"], ["d", "e", "a"], ["e"], []]


def test_scores_are_the_package_s_own() -> None:
    index = ReferenceIndex(CHUNKS, k1=1.5)
    for query in (["a"], ["b", "c"], ["unknown"], ["e", "e"]):
        np.testing.assert_array_equal(index.scores(query), BM25Okapi(CHUNKS).get_scores(query))


def test_our_index_agrees() -> None:
    ours, theirs = LexicalIndex(CHUNKS, idf="okapi"), ReferenceIndex(CHUNKS, k1=1.2)
    for query in (["a"], ["b", "c", "d"], ["e", "e"]):
        np.testing.assert_allclose(ours.scores(query), theirs.scores(query), rtol=1e-6)
        assert ours.search(query, 4)[0].tolist() == theirs.search(query, 4)[0].tolist()


def test_it_changes_as_ours_does() -> None:
    index = ReferenceIndex(CHUNKS[:2])
    index.search(["b"], 1)
    index.append(CHUNKS[2:], ["en"] * 4)
    index.remove([1, 5])
    left = [CHUNKS[0], *CHUNKS[2:5]]
    expected = BM25Okapi(left, k1=1.2).get_scores(["a", "d"])
    np.testing.assert_array_equal(index.scores(["a", "d"])[[0, 2, 3, 4]], expected)
    again = ReferenceIndex.from_arrays(index.to_arrays())
    np.testing.assert_array_equal(again.scores(["a", "d"]), index.scores(["a", "d"]))
    assert (len(again), again.count, again.languages) == (6, 4, ("en",))
    assert again.postings_of([0]) == [{"a": 1.0, "b": 2.0}]


def test_masks_phrases_and_prefixes_hold() -> None:
    index = ReferenceIndex([["ab", "x"], ["ac"], ["x", "ab"], ["d"]])
    assert index.search(["x"], 5, np.array([False, True, True, True]))[0].tolist() == [2]
    assert sorted(index.search(LexicalQuery(prefixes=(Prefix("a"),)), 5)[0].tolist()) == [0, 1, 2]
    query = LexicalQuery(("ab", "x"), (Phrase((("ab", "x"),)),))
    texts = [[["ab", "x"]], [["ac"]], [["x", "ab"]], [["d"]]]
    assert index.search(query, 5, None, lambda at: [texts[each] for each in at])[0].tolist() == [0]


@pytest.mark.parametrize("chunks", [[], [[]]])
def test_nothing_to_score(chunks: list[list[str]]) -> None:
    assert ReferenceIndex(chunks).search(["a"], 3)[0].tolist() == []


def test_parts_of_words_are_refused() -> None:
    with pytest.raises(ConfigError, match="whole words"):
        ReferenceIndex([{"a": 1.5}]).scores(["a"])


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rank_bm25", None)
    with pytest.raises(MissingExtraError, match="bm25"):
        ReferenceIndex()
