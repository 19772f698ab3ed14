from __future__ import annotations

import pytest

from evals.metrics.pages import page_accuracy, page_hit
from plumbline.errors import InputError

LABELLED = {("10-K.pdf", 4), ("10-K.pdf", 5)}


def test_any_of_the_first_k_pages_counts() -> None:
    found = [("10-K.pdf", 3), ("other.pdf", 4), ("10-K.pdf", 5)]
    assert [page_hit(found, LABELLED, k) for k in (1, 2, 3, None)] == [False, False, True, True]
    assert page_accuracy(found, LABELLED) is False
    assert page_accuracy(found[::-1], LABELLED) is True


def test_a_format_without_pages_has_none_that_is_right() -> None:
    assert page_hit([("10-K.pdf", None)], LABELLED) is False


def test_without_labels_nothing_is_measured() -> None:
    assert page_hit([("10-K.pdf", 3)], ()) is None


def test_k_counts_from_one() -> None:
    with pytest.raises(InputError, match="0 was given"):
        page_hit([], LABELLED, 0)
