from __future__ import annotations

import pytest

from evals.stats import wilson
from plumbline.errors import InputError

proportion = pytest.importorskip("statsmodels.stats.proportion")


@pytest.mark.parametrize("n", [1, 2, 20, 500])
@pytest.mark.parametrize("level", [0.8, 0.95, 0.999])
def test_it_is_that_of_statsmodels(n: int, level: float) -> None:
    for successes in {0, 1, n // 3, n - 1, n}:
        ours = wilson(successes, n, level)
        theirs = proportion.proportion_confint(successes, n, alpha=1 - level, method="wilson")
        assert (ours.low, ours.high) == pytest.approx(theirs, abs=1e-9)
        assert (ours.estimate, ours.n, ours.level) == (successes / n, n, level)


@pytest.mark.parametrize(("successes", "n", "level"), [(3, 2, 0.95), (-1, 2, 0.95), (0, 0, 0.95), (1, 2, 0)])
def test_impossible_counts_are_refused(successes: int, n: int, level: float) -> None:
    with pytest.raises(InputError):
        wilson(successes, n, level)
