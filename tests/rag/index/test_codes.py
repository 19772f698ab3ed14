"""One-bit codes, held against counting bits one by one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from rag.index import codes as codes_module
from rag.index.codes import ROWS_AT_ONCE, closest, distances, encode, nearest


@pytest.mark.parametrize("dim", [1, 63, 64, 65, 384, 1000])
def test_a_distance_is_the_number_of_dimensions_on_different_sides_of_the_centre(dim: int) -> None:
    rng = np.random.default_rng(dim)
    vectors, centre = rng.normal(size=(50, dim)).astype(np.float32), rng.normal(size=dim).astype(np.float32)
    query = rng.normal(size=dim).astype(np.float32)
    expected = ((vectors > centre) != (query > centre)).sum(axis=1)
    found = distances(encode(vectors, centre), encode(query[None], centre))
    assert found.tolist() == expected.tolist()


def test_distances_of_more_than_255_are_counted_and_blocks_join() -> None:
    count = ROWS_AT_ONCE + 5
    vectors = np.full((count, 300), -1, np.float32)
    vectors[-1] = 1
    found = distances(encode(vectors, np.zeros(300, np.float32)), encode(vectors[-1:], np.zeros(300, np.float32)))
    assert found[:-1].tolist() == [300] * (count - 1)
    assert found[-1] == 0


def test_nothing_is_nearest_to_nothing() -> None:
    codes = encode(np.empty((0, 100), np.float32), np.zeros(100, np.float32))
    found = distances(codes, encode(np.ones((1, 100), np.float32), np.zeros(100, np.float32)))
    assert nearest(found, 5).tolist() == []


def test_nearest_takes_ties_as_long_as_they_are_few() -> None:
    assert nearest(np.array([5, 1, 3, 3, 9], np.uint16), 2).tolist() == [1, 2, 3]
    many = np.array([2, 0, *[1] * 100], np.uint16)
    assert nearest(many, 5).tolist() == [1, 2, 3, 4, 5]
    assert nearest(many, 1000).tolist() == list(range(102))


def near_and_far(count: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Vectors of 256 dimensions, and a query: to every hundredth of them it is near."""
    rng = np.random.default_rng(5)
    query = rng.normal(size=256).astype(np.float32)
    vectors = rng.normal(size=(count, 256)).astype(np.float32)
    vectors[::100] += query * rng.uniform(1, 2, (len(vectors[::100]), 1)).astype(np.float32)
    return vectors, query


@pytest.mark.parametrize("excluding", [False, True])
def test_comparing_halves_first_finds_what_comparing_all_does(excluding: bool) -> None:
    vectors, query = near_and_far(20_000)
    centre = np.zeros(256, np.float32)
    codes, code = encode(vectors, centre), encode(query[None], centre)
    excluded = np.where(np.arange(20_000) % 3 == 0, 0xFFFF, 0).astype(np.uint16) if excluding else None
    everything = distances(codes, code)
    if excluded is not None:
        everything |= excluded
    rows = closest(codes, code, 20, excluded)
    assert np.all(np.diff(rows) > 0)
    assert set(rows.tolist()) == set(nearest(everything, 20).tolist())
    assert excluded is None or not excluded[rows].any()


def test_the_same_code_many_times_is_found_by_row() -> None:
    codes = encode(np.ones((20_000, 256), np.float32), np.zeros(256, np.float32))
    assert closest(codes, codes[:, :1], 5).tolist() == [0, 1, 2, 3, 4]


def test_a_sample_that_misleads_costs_nothing_that_is_near(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows of the sample are all nearer than the rest, so that hardly any other seems to be near."""
    monkeypatch.setattr(codes_module, "SAMPLE", 64)
    signs = np.ones((20_000, 256), np.float32)
    signs[:, :100] = -1
    for number, row in enumerate(range(0, 20_000, 20_000 // 64)):
        signs[row, number:] = 1
    codes = encode(signs, np.zeros(256, np.float32))
    query = encode(np.ones((1, 256), np.float32), np.zeros(256, np.float32))
    assert closest(codes, query, 60).tolist()[:50] == [*range(0, 20_000, 20_000 // 64)][:50]
    assert len(closest(codes, query, 60)) >= 60
