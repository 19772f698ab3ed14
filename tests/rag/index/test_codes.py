"""One-bit codes, held against counting bits one by one."""

from __future__ import annotations

import numpy as np
import pytest

from rag.index.codes import ROWS_AT_ONCE, distances, encode, nearest


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
