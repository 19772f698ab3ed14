from __future__ import annotations

import numpy as np
import pytest

from rag.index.store import Found
from rag.retrieve.features import candidates, features

DENSE = [("a", 0.9), ("b", 0.7)]
LEXICAL = [("c", 9.0), ("a", 7.0), ("d", 5.0)]


def test_a_row_for_each_candidate() -> None:
    found = Found(DENSE, LEXICAL)
    assert candidates(found) == ["c", "a", "d", "b"]
    third = (3 / 2) ** 0.5
    assert features(found) == pytest.approx(np.array([[third, -1], [0, 1], [-third, -1], [-third, -1]]))


def test_sides_without_differences() -> None:
    assert features(Found([], [])).shape == (0, 2)
    assert features(Found([("a", 0.1)] * 1, [("b", 2.0), ("c", 2.0)])).tolist() == [[1, 0], [1, 0], [0, 1]]
