from __future__ import annotations

import numpy as np
import pytest

from evals.stats.columns import check_resamples, cluster_codes, column, columns_of_one_length
from plumbline.errors import InputError


def test_whatever_is_numbers_is_read() -> None:
    assert column([True, False, 2], "x").tolist() == [1, 0, 2]
    assert column(np.array([0.5], dtype=np.float32), "x").dtype == np.float64


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([], "x is empty"),
        ([1.0, float("nan"), 2.0], r"x\[1\] is nan"),
        ([1.0, float("inf"), float("nan")], r"x\[1\] is inf, and 1 more"),
        ([[1.0], [2.0]], r"shape is \(2, 1\)"),
        (["one"], "x must be numbers"),
        ([[1.0], [2.0, 3.0]], "x must be numbers"),
        ([1.0, None], r"x\[1\] is nan"),
    ],
)
def test_what_is_wrong_is_named_with_its_position(values: list[object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        column(values, "x")  # type: ignore[arg-type]  # that is the test


def test_different_lengths_are_named() -> None:
    with pytest.raises(InputError, match="first has 2, second has 3"):
        columns_of_one_length({"first": [1, 2], "second": [1, 2, 3]})


def test_labels_of_any_kind_become_numbers() -> None:
    assert cluster_codes(["b", ("a", 1), "b", None, 7], 5).tolist() == [0, 1, 0, 2, 3]
    assert cluster_codes(np.array([5, 5, 2]), 3).tolist() == [0, 0, 1]


def test_wrong_labels_are_refused() -> None:
    with pytest.raises(InputError, match="values has 3, clusters has 2"):
        cluster_codes(["a", "b"], 3)
    with pytest.raises(InputError, match=r"clusters\[1\] is NaN"):
        cluster_codes(["a", float("nan")], 2)
    with pytest.raises(InputError, match=r"clusters\[0\] is NaN"):
        cluster_codes(np.array([np.nan], dtype=np.float32), 1)


def test_too_few_resamples_are_refused() -> None:
    check_resamples(40, 0.95)
    with pytest.raises(InputError, match="at least 40 resamples; 39"):
        check_resamples(39, 0.95)
    with pytest.raises(InputError, match="level must be between 0 and 1; 95"):
        check_resamples(999, 95)
