from __future__ import annotations

import numpy as np
import pytest

from evals.stats import kappa
from plumbline.errors import InputError

inter_rater = pytest.importorskip("statsmodels.stats.inter_rater")


def ratings(n: int) -> tuple[list[str], list[str]]:
    generator = np.random.default_rng(2)
    first = generator.choice(["yes", "partly", "no"], size=n, p=[0.5, 0.2, 0.3])
    second = np.where(generator.random(n) < 0.75, first, generator.choice(["yes", "partly", "no"], size=n))
    return first.tolist(), second.tolist()


def test_the_estimate_and_nearly_the_interval_are_those_of_statsmodels() -> None:
    first, second = ratings(300)
    table = [
        [sum(a == x and b == y for a, b in zip(first, second, strict=True)) for y in set(first)] for x in set(first)
    ]
    theirs = inter_rater.cohens_kappa(table)
    ours = kappa(first, second)
    assert ours.estimate == pytest.approx(theirs.kappa, abs=1e-9)
    assert (ours.low, ours.high) == pytest.approx((theirs.kappa_low, theirs.kappa_upp), abs=0.02)
    assert (ours.n, ours.method) == (300, "bca")


def test_items_of_one_source_count_less() -> None:
    first, second = ratings(60)
    sources = list(range(60)) * 4
    clustered = kappa(first * 4, second * 4, clusters=sources)
    once = kappa(first, second)
    assert (clustered.low, clustered.high) == pytest.approx((once.low, once.high), abs=0.03)
    assert clustered.clusters == 60


def test_full_agreement_is_no_proof() -> None:
    found = kappa([1, 2] * 10, [1, 2] * 10)
    assert (found.estimate, found.high, found.method) == (1, 1, "score")
    assert found.low == pytest.approx(2 * 0.838875 - 1, abs=1e-5)
    assert kappa([1, 2] * 10, [1, 2] * 10, clusters=[1, 2, 3, 4] * 5).low < found.low


def test_labels_may_be_of_any_kind_and_one_rater_constant() -> None:
    assert kappa([True, False, True, True], [True] * 4).estimate == 0
    assert kappa(["a", None, "a", None], ["a", None, None, "a"]).estimate == 0


def test_what_has_no_kappa_is_refused() -> None:
    with pytest.raises(InputError, match="no labels"):
        kappa([], [])
    with pytest.raises(InputError, match="first has 1, second has 2"):
        kappa(["a"], ["a", "b"])
    with pytest.raises(InputError, match="one and the same label"):
        kappa(["a", "a"], ["a", "a"])
