"""The search of a run of points: exact where it says so, and what its approximation keeps of the nearest."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from rag.index.codes import encode
from rag.index.columns import Columns
from rag.index.segment import DenseSearch, Matching, Segment
from rag.index.texts import Texts
from rag.index.tuning import Tuning
from rag.index.vectors import Floats, vectors_of

COUNT, DIM = 6000, 128
RNG = np.random.default_rng(2)
TOPICS = RNG.normal(size=(60, DIM))


def made(count: int) -> Floats:
    """Vectors in topics, as those of texts lie."""
    vectors = TOPICS[RNG.integers(len(TOPICS), size=count)] + 0.9 * RNG.normal(size=(count, DIM))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32)


VECTORS, QUERIES = made(COUNT), made(40)


def fetch(seqs: list[int]) -> Mapping[int, Floats]:
    return {seq: VECTORS[seq - 1000] for seq in seqs}


def segment(full_bytes: int) -> Segment:
    centre = VECTORS.mean(axis=0)
    vectors = vectors_of(VECTORS, full_bytes)
    return Segment(np.arange(1000, 1000 + COUNT), Texts(), Columns(COUNT), vectors, encode(VECTORS, centre), centre)


@pytest.mark.parametrize("full_bytes", [0, 1 << 30], ids=["rounded", "full"])
@pytest.mark.parametrize("share", [1.0, 0.5, 0.05, 0.001])
def test_exact_is_exact_and_the_default_finds_nearly_all(full_bytes: int, share: float) -> None:
    part, flags = segment(full_bytes), RNG.random(COUNT) < share
    matching = Matching(flags)
    kept = 0
    for query in QUERIES:
        scores = np.where(flags, (VECTORS.astype(np.float64) @ query), -np.inf)
        best = np.argsort(-scores, kind="stable")[: min(10, int(flags.sum()))]
        rows, found = DenseSearch(query, 10, True, Tuning(), fetch).nearest(part, matching)
        assert rows.tolist() == best.tolist()
        assert found.tolist() == pytest.approx(scores[best], abs=1e-6)
        usual, _ = DenseSearch(query, 10, False, Tuning(), fetch).nearest(part, matching)
        assert flags[usual].all()
        kept += len(set(usual.tolist()) & set(best.tolist()))
    assert kept >= 0.97 * len(QUERIES) * min(10, int(flags.sum()))


def test_points_that_are_gone_from_the_database_are_not_found() -> None:
    part, query = segment(0), QUERIES[0]
    everything = Matching(np.ones(COUNT, np.bool_))
    first, *others = DenseSearch(query, 3, True, Tuning(), fetch).nearest(part, everything)[0].tolist()

    def fetch_others(seqs: list[int]) -> Mapping[int, Floats]:
        return {seq: vector for seq, vector in fetch(seqs).items() if seq != 1000 + first}

    found, _ = DenseSearch(query, 3, True, Tuning(), fetch_others).nearest(part, everything)
    assert first not in found.tolist()
    assert found.tolist()[: len(others)] == others
    assert [len(each) for each in DenseSearch(query, 3, True, Tuning(), lambda _: {}).nearest(part, everything)] == [
        0,
        0,
    ]


def test_many_points_with_one_vector_are_found_by_row() -> None:
    vectors = np.repeat(QUERIES[:1], 5000, axis=0)
    centre = np.zeros(DIM, np.float32)
    part = Segment(
        np.arange(5000), Texts(), Columns(5000), vectors_of(vectors, 1 << 30), encode(vectors, centre), centre
    )
    everything = Matching(np.ones(5000, np.bool_))
    found, _ = DenseSearch(QUERIES[0], 5, False, Tuning(), fetch).nearest(part, everything)
    assert found.tolist() == [0, 1, 2, 3, 4]


def test_rows_of_what_is_not_here() -> None:
    assert segment(0).rows_of(np.array([1005, 3, 1000, 10**9])).tolist() == [5, -1, 0, -1]
