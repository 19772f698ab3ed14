from __future__ import annotations

import io
import random

import numpy as np
import numpy.typing as npt
import pytest
from rank_bm25 import BM25Okapi

from plumbline.errors import CorruptStateError, InputError
from rag.index.lexical import LexicalIndex, prepare
from rag.index.lexical.query import LexicalQuery

WORDS = [
    "refund",
    "window",
    "days",
    "delivery",
    "order",
    "return",
    "label",
    "carrier",
    "parcel",
    "customs",
    "fee",
    "invoice",
    "tax",
    "price",
    "stock",
]


def corpus(chunks: int = 200, seed: int = 7) -> list[list[str]]:
    """Chunks of Zipf-distributed words; the first word is in most of them, so that some idf is negative in Okapi's."""
    draw = random.Random(seed)
    weights = [1 / rank for rank in range(1, len(WORDS) + 1)]
    return [draw.choices(WORDS, weights, k=draw.randint(1, 30)) for _ in range(chunks)]


QUERIES = [["refund"], ["stock", "price"], ["tax", "tax", "refund"], WORDS, ["unknown"], ["unknown", "fee"]]


@pytest.mark.parametrize(("k1", "b"), [(1.5, 0.75), (0.9, 0.4)])
def test_okapi_agrees_with_rank_bm25(k1: float, b: float) -> None:
    chunks = corpus()
    reference = BM25Okapi(chunks, k1=k1, b=b)
    index = LexicalIndex(chunks, k1=k1, b=b, idf="okapi")
    assert sum("refund" in chunk for chunk in chunks) > 100  # so its idf is negative and the floor is used
    for query in QUERIES:
        np.testing.assert_allclose(index.scores(query), reference.get_scores(query), rtol=1e-6)


def test_okapi_agrees_where_every_word_is_common() -> None:
    chunks = [["a", "b"], ["a", "b", "c"], ["a", "b", "c"], ["a"]]  # the mean idf is below zero, and so its quarter
    reference, index = BM25Okapi(chunks), LexicalIndex(chunks, k1=1.5, idf="okapi")
    assert reference.average_idf < 0
    for query in (["a"], ["b", "c"], ["a", "b", "c", "c"]):
        np.testing.assert_allclose(index.scores(query), reference.get_scores(query), rtol=1e-6)


@pytest.mark.parametrize("chunks", [30, 3000])
def test_okapi_agrees_on_words_of_every_rarity(chunks: int) -> None:
    rng = np.random.default_rng(1)
    texts = [[f"w{word}" for word in row] for row in np.minimum(rng.zipf(1.2, (chunks, 40)), 4000).tolist()]
    reference, index = BM25Okapi(texts), LexicalIndex(texts, k1=1.5, idf="okapi")
    for query in (["w1", "w2"], ["w3", "w50", "w700"], ["w4000"], texts[7]):
        np.testing.assert_allclose(index.scores(query), reference.get_scores(query), rtol=1e-6, atol=0)


def test_lucene_scores_are_the_formula() -> None:
    index = LexicalIndex([["a", "b", "a"], ["b"], ["c"]], k1=1.2, b=0.75)
    idf = np.log(1 + (3 - 1 + 0.5) / (1 + 0.5))
    length = 1 - 0.75 + 0.75 * 3 / (5 / 3)
    np.testing.assert_allclose(index.scores(["a"]), [idf * 2 * 2.2 / (2 + 1.2 * length), 0, 0], rtol=1e-6)


def test_weighted_frequencies_count_as_they_are() -> None:
    index = LexicalIndex([{"a": 2.5, "b": 1.0}, {"b": 1.0}])
    idf, length = np.log(1 + 1.5 / 1.5), 1 - 0.75 + 0.75 * 3.5 / 2.25
    np.testing.assert_allclose(index.scores(["a"]), [idf * 2.5 * 2.2 / (2.5 + 1.2 * length), 0], rtol=1e-6)
    assert index.postings_of([0]) == [{"a": 2.5, "b": 1.0}]


def test_the_best_come_first_and_ties_by_position() -> None:
    index = LexicalIndex([["a", "x"], ["a", "a"], ["b", "x"], ["a", "x"], ["a", "x"]])
    positions, scores = index.search(["a"], 3)
    assert positions.tolist() == [1, 0, 3]
    assert scores[0] > scores[1] == scores[2]
    assert index.search(["a"], 10)[0].tolist() == [1, 0, 3, 4]


@pytest.mark.parametrize("query", [[], ["unknown"]])
def test_nothing_found(query: list[str]) -> None:
    positions, scores = LexicalIndex(corpus()).search(query, 5)
    assert positions.tolist() == scores.tolist() == []


def test_an_empty_index_can_be_searched() -> None:
    index = LexicalIndex()
    assert len(index) == index.count == 0
    assert index.search(["a"], 5)[0].tolist() == []
    index.append([[], ["a"]])
    assert index.search(["a"], 5)[0].tolist() == [1]


def test_k_of_zero_finds_nothing() -> None:
    assert LexicalIndex([["a"]]).search(["a"], 0)[0].tolist() == []


def test_a_mask_hides_chunks_without_changing_scores() -> None:
    index = LexicalIndex(corpus())
    everything = index.scores(["customs"])
    mask = np.arange(len(index)) % 3 == 0
    positions, scores = index.search(["customs"], 200, mask)
    assert positions.size
    assert (positions % 3 == 0).all()
    np.testing.assert_array_equal(scores, everything[positions])


def test_a_mask_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(InputError, match="mask"):
        LexicalIndex([["a"]]).search(["a"], 1, np.ones(2, np.bool_))


def test_appending_is_the_same_as_building_at_once() -> None:
    chunks = corpus()
    grown = LexicalIndex(chunks[:50])
    grown.search(["refund"], 1)
    grown.append(chunks[50:51])
    grown.append([])
    grown.append([*chunks[51:], ["neverseen"]])
    whole = LexicalIndex([*chunks, ["neverseen"]])
    for query in [*QUERIES, ["neverseen"]]:
        np.testing.assert_array_equal(grown.scores(query), whole.scores(query))


@pytest.mark.parametrize("idf", ["lucene", "okapi"])
def test_removed_chunks_do_not_count(idf: str) -> None:
    chunks = [*corpus(), ["lonely", "refund"]]
    index = LexicalIndex(chunks, idf="okapi" if idf == "okapi" else "lucene")
    gone = {0, 17, 200}
    index.remove(gone)
    left = [i for i in range(len(chunks)) if i not in gone]
    fresh = LexicalIndex([chunks[i] for i in left], idf="okapi" if idf == "okapi" else "lucene")
    assert (len(index), index.count) == (201, 198)
    for query in [*QUERIES, ["lonely"]]:
        scores = index.scores(query)
        np.testing.assert_array_equal(scores[left], fresh.scores(query))
        assert not scores[sorted(gone)].any()
    index.append([["lonely"]])
    assert index.search(["lonely"], 2)[0].tolist() == [201]


@pytest.mark.parametrize("position", [-1, 3])
def test_removing_what_is_not_there_is_refused(position: int) -> None:
    with pytest.raises(InputError, match="Positions to remove"):
        LexicalIndex([["a"], ["b"], ["c"]]).remove([position])


def test_very_frequent_terms_are_counted_without_overflow() -> None:
    index = LexicalIndex([["a"] * 70_000, ["a", "b"]])
    assert index.scores(["a"])[0] > 0


def saved(index: LexicalIndex) -> dict[str, npt.NDArray[np.generic]]:
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **index.to_arrays())
    file.seek(0)
    with np.load(file) as arrays:
        return dict(arrays)


def test_the_index_survives_a_file() -> None:
    index = LexicalIndex([*corpus(), ["größe", "東京", "with\nnewline"]])
    index.remove([3])
    again = LexicalIndex.from_arrays(saved(index))
    for query in [*QUERIES, ["größe"], ["東京"], ["with\nnewline"]]:
        np.testing.assert_array_equal(again.scores(query), index.scores(query))
    again.append([["größe"]])
    again.remove([0])
    assert again.search(["größe"], 5)[0].tolist() == [201, 200]
    assert (again.count, index.count) == (200, 200)


def test_an_empty_index_survives_a_file() -> None:
    assert len(LexicalIndex.from_arrays(saved(LexicalIndex()))) == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("format", np.array([99])),
        ("indptr", np.array([0, 5, 2])),
        ("chunks", np.full(6, 10**6, np.int32)),
        ("frequencies", np.ones(1, np.uint16)),
        ("lengths", np.ones(1, np.int32)),
        ("vocabulary", np.frombuffer(b"\xff\xff\xff", np.uint8)),
        ("lengths", None),
    ],
)
def test_damage_is_noticed(name: str, value: npt.NDArray[np.generic] | None) -> None:
    arrays = saved(LexicalIndex([["a", "b"], ["b", "c"], ["a", "c"]]))
    if value is None:
        del arrays[name]
    else:
        arrays[name] = value
    with pytest.raises(CorruptStateError, match="lexical index is damaged"):
        LexicalIndex.from_arrays(arrays)


@pytest.mark.parametrize(("k1", "b"), [(-1.0, 0.5), (1.0, 1.5)])
def test_impossible_settings_are_refused(k1: float, b: float) -> None:
    with pytest.raises(InputError, match="k1"):
        LexicalIndex(k1=k1, b=b)


def test_forgetting_what_was_prepared_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "_LEAST", 4000)
    monkeypatch.setattr(prepare, "_PER_CHUNK", 0)
    texts = [[f"w{(number * step) % 97}" for step in range(1, 12)] for number in range(300)]
    index, fresh = LexicalIndex(texts), LexicalIndex(texts)
    for number in [*range(97), *range(0, 97, 7), 3, 3]:
        query = [f"w{number}", "w5"]
        expected = fresh.scores(query)
        np.testing.assert_array_equal(index.search(query, 300)[1], -np.sort(-expected[expected > 0]))
    assert 0 < index._prepared._bytes <= 4000


@pytest.mark.parametrize("query", QUERIES)
def test_scores_of_some_positions(query: list[str]) -> None:
    index = LexicalIndex(corpus())
    index.remove([3, 50])
    some = np.array([0, 7, 8, 120, 199])
    assert index.scores_at(LexicalQuery(tuple(query)), some) == pytest.approx(index.scores(query)[some], rel=1e-6)
