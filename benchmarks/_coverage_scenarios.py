"""The populations of benchmarks/coverage.py: what evals measure, with the true value known exactly.

Clusters hold 1 to about 25 rows (geometric, 5 on average). 0/1 values in clusters are beta-binomial with intraclass
correlation .3; other values get a Gaussian copula with correlation .3 within a cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from math import exp

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, ndtr, ndtri

from evals.stats import Interval, bootstrap_mean, bootstrap_ratio, bootstrap_statistic, kappa, paired_difference

Floats = NDArray[np.float64]
Quantiles = Callable[[Floats], Floats]
"""The inverse distribution function: uniform numbers to values."""

CORRELATION = 0.3
ROWS_PER_CLUSTER = 5
TRUE_NDCG = 0.35 + 0.4 * 0.6
LEVELS, SHARES = np.array([0, 0.25, 0.5, 0.75, 1.0]), np.array([0.02, 0.05, 0.08, 0.15, 0.7])
AGREEMENT = np.array([[0.35, 0.04, 0.01], [0.05, 0.25, 0.05], [0.02, 0.03, 0.20]])


@dataclass(frozen=True, slots=True)
class Sample:
    """One experiment: its columns float[n], and which cluster each row is from (`None`: rows are independent)."""

    columns: tuple[Floats, ...]
    clusters: NDArray[np.intp] | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """A population to draw from, the number of units (rows, or clusters of them), and how the interval is made."""

    name: str
    units: int
    truth: float
    draw: Callable[[np.random.Generator], Sample]
    interval: Callable[..., Interval]
    linear: bool = True


def scenarios() -> Iterator[Scenario]:
    """All of them, in the order of the table."""
    yield from independent()
    yield from paired()
    yield from clustered()
    yield from others()


def independent() -> Iterator[Scenario]:
    """Means of independent rows."""
    for share in (0.1, 0.3, 0.5, 0.8, 0.9, 0.95):
        for n in (20, 50, 200):
            yield mean(f"right or wrong, {share:g}", n, share, partial(bernoulli, share))
    yield mean("right or wrong, .99", 20, 0.99, partial(bernoulli, 0.99))
    for n in (20, 50, 200):
        yield mean("nDCG, bounds given", n, TRUE_NDCG, ndcg, bounds=(0, 1))
        yield mean("nDCG, bounds not given", n, TRUE_NDCG, ndcg)
    for n in (20, 50):
        yield mean("judge, 5 levels, bounds given", n, float(LEVELS @ SHARES), levels, bounds=(0, 1))
        yield mean("judge, 5 levels", n, float(LEVELS @ SHARES), levels)
    yield mean("normal", 20, 0, ndtri)
    for n in (20, 50, 200):
        yield mean("latency, exponential", n, 1, exponential)
    for sigma, sizes in ((0.5, (20, 50)), (1.0, (10, 20, 50, 200))):
        for n in sizes:
            yield mean(f"cost, lognormal {sigma:g}", n, exp(sigma**2 / 2), partial(lognormal, sigma))


def paired() -> Iterator[Scenario]:
    """Differences of two systems over the same rows."""
    for n in (20, 50, 200):
        yield Scenario("paired, right or wrong", n, 0.07, partial(draw_paired_binary, n), paired_difference)
    for n in (20, 50):
        yield Scenario("paired, nDCG, most equal", n, 0.4 * (TRUE_NDCG - 0.5), partial(draw_ties, n), paired_difference)
        truth = exp(0.5) - exp(0.125)
        yield Scenario("paired, costs lognormal", n, truth, partial(draw_paired_costs, n), paired_difference)


def clustered() -> Iterator[Scenario]:
    """Rows in clusters of unequal sizes."""
    for g in (20, 50):
        for share in (0.7, 0.9):
            draw = partial(draw_clustered_binary, g, share)
            yield Scenario(f"clusters, right or wrong, {share:g}", g, share, draw, bootstrap_mean)
        yield in_clusters("clusters, nDCG, bounds given", g, TRUE_NDCG, ndcg, bounds=(0, 1))
        yield in_clusters("clusters, nDCG", g, TRUE_NDCG, ndcg)
        yield in_clusters("clusters, normal", g, 0, ndtri)
        yield in_clusters("clusters, exponential", g, 1, exponential)
        yield in_clusters("clusters, lognormal .5", g, exp(0.125), partial(lognormal, 0.5))
        yield Scenario("clusters, paired, right or wrong", g, 0.1, partial(draw_clustered_pairs, g), paired_difference)
        yield Scenario("clusters, dollars per right one", g, 1 / 0.7, partial(draw_clustered_costs, g), bootstrap_ratio)
    yield in_clusters("clusters, normal", 10, 0, ndtri)


def others() -> Iterator[Scenario]:
    """Ratios, F1, correlation, kappa."""
    for n in (20, 50, 200):
        yield Scenario("dollars per right one", n, exp(0.245) / 0.7, partial(draw_costs, n), bootstrap_ratio)
    for n in (50, 200):
        yield Scenario("F1, as a ratio", n, 0.48 / 0.61, partial(draw_f1, n), bootstrap_ratio)
    for n in (20, 50, 200):
        yield Scenario("correlation", n, 0.7, partial(draw_correlated, n), correlation, linear=False)
    chance = float(AGREEMENT.sum(axis=0) @ AGREEMENT.sum(axis=1))
    truth = (float(np.trace(AGREEMENT)) - chance) / (1 - chance)
    for n in (50, 200):
        yield Scenario("Cohen's kappa, 3 labels", n, truth, partial(draw_ratings, n), two_raters, linear=False)


def mean(name: str, n: int, truth: float, quantiles: Quantiles, bounds: tuple[float, float] | None = None) -> Scenario:
    """The mean of independent rows."""

    def draw(generator: np.random.Generator) -> Sample:
        return Sample((quantiles(generator.random(n)),))

    return Scenario(name, n, truth, draw, partial(bootstrap_mean, bounds=bounds))


def in_clusters(
    name: str, g: int, truth: float, quantiles: Quantiles, bounds: tuple[float, float] | None = None
) -> Scenario:
    """The mean of rows in g clusters."""

    def draw(generator: np.random.Generator) -> Sample:
        codes = cluster_codes(generator, g)
        return Sample((quantiles(copula(generator, codes)),), codes)

    return Scenario(name, g, truth, draw, partial(bootstrap_mean, bounds=bounds))


def cluster_codes(generator: np.random.Generator, g: int) -> NDArray[np.intp]:
    """Which cluster each row is from."""
    return np.repeat(np.arange(g), generator.geometric(1 / ROWS_PER_CLUSTER, g))


def copula(generator: np.random.Generator, codes: NDArray[np.intp]) -> Floats:
    """Uniform numbers, alike within clusters."""
    common = generator.normal(size=codes.max() + 1)[codes]
    own = generator.normal(size=len(codes))
    uniform: Floats = ndtr(np.sqrt(CORRELATION) * common + np.sqrt(1 - CORRELATION) * own)
    return uniform


def bernoulli(share: float, uniform: Floats) -> Floats:
    """1 with chance `share`, else 0."""
    return (uniform < share).astype(np.float64)


def ndcg(uniform: Floats) -> Floats:
    """0 for a quarter of the questions, 1 for 35 %, between for the others."""
    between = betaincinv(3, 2, np.clip((uniform - 0.25) / 0.4, 0, 1))
    return np.where(uniform < 0.25, 0.0, np.where(uniform > 0.65, 1.0, between))


def levels(uniform: Floats) -> Floats:
    """A judge's five grades, most of them the best."""
    return LEVELS[np.searchsorted(np.cumsum(SHARES)[:-1], uniform, side="right")]


def exponential(uniform: Floats) -> Floats:
    """Mean 1, skewness 2."""
    return -np.log1p(-uniform)


def lognormal(sigma: float, uniform: Floats) -> Floats:
    """Median 1; skewness 1.75 for sigma .5, and 6.2 for 1."""
    values: Floats = np.exp(sigma * ndtri(uniform))
    return values


def draw_paired_binary(n: int, generator: np.random.Generator) -> Sample:
    """Only the first is right for 12 % of the rows, only the second for 5 %, both for 60 %."""
    uniform = generator.random(n)
    return Sample((bernoulli(0.72, uniform), bernoulli(0.65, np.where(uniform < 0.12, 1, uniform - 0.12))))


def draw_ties(n: int, generator: np.random.Generator) -> Sample:
    """nDCG of two rankings that are equal for 60 % of the questions; else the second's is uniform."""
    first = ndcg(generator.random(n))
    return Sample((first, np.where(generator.random(n) < 0.6, first, generator.random(n))))


def draw_paired_costs(n: int, generator: np.random.Generator) -> Sample:
    """Costs that correlate by .6 (of their logarithms), the first's larger and more varied."""
    common = generator.normal(size=n)
    own = 0.6 * common + 0.8 * generator.normal(size=n)
    return Sample((np.exp(common), np.exp(0.5 * own)))


def draw_clustered_binary(g: int, share: float, generator: np.random.Generator) -> Sample:
    """Beta-binomial."""
    codes = cluster_codes(generator, g)
    strength = 1 / CORRELATION - 1
    shares = generator.beta(share * strength, (1 - share) * strength, g)
    return Sample(((generator.random(len(codes)) < shares[codes]).astype(np.float64),), codes)


def draw_clustered_pairs(g: int, generator: np.random.Generator) -> Sample:
    """Two systems right for .8 and .7 of the rows, by one copula: what is hard is hard for both."""
    codes = cluster_codes(generator, g)
    uniform = copula(generator, codes)
    shifted = np.where(generator.random(len(codes)) < 0.5, uniform, copula(generator, codes))
    return Sample((bernoulli(0.8, uniform), bernoulli(0.7, shifted)), codes)


def draw_costs(n: int, generator: np.random.Generator) -> Sample:
    """What each question cost, and whether its answer was right (70 %)."""
    return Sample((np.exp(0.7 * generator.normal(size=n)), (generator.random(n) < 0.7).astype(np.float64)))


def draw_clustered_costs(g: int, generator: np.random.Generator) -> Sample:
    """The same in clusters: exponential costs, hard sources are dear and go wrong."""
    codes = cluster_codes(generator, g)
    uniform = copula(generator, codes)
    return Sample((exponential(uniform), bernoulli(0.7, copula(generator, codes))), codes)


def draw_f1(n: int, generator: np.random.Generator) -> Sample:
    """F1 = 2 * hits / (positive + called so); 30 % are positive, 80 % of those are called so and 10 % of the others."""
    gold = generator.random(n) < 0.3
    called = generator.random(n) < np.where(gold, 0.8, 0.1)
    hits, counted = (gold & called).astype(np.float64), gold.astype(np.float64) + called
    return Sample((2 * hits, counted))


def draw_correlated(n: int, generator: np.random.Generator) -> Sample:
    """Two normal columns."""
    first = generator.normal(size=n)
    return Sample((first, 0.7 * first + np.sqrt(0.51) * generator.normal(size=n)))


def correlation(first: Floats, second: Floats, **options: object) -> Interval:
    """Pearson's, by `bootstrap_statistic`."""

    def statistic(weights: Floats, x: Floats, y: Floats) -> Floats:
        shares = weights / weights.sum(axis=1, keepdims=True)
        mean_x, mean_y = shares @ x, shares @ y
        variances = (shares @ x**2 - mean_x**2) * (shares @ y**2 - mean_y**2)
        found: Floats = (shares @ (x * y) - mean_x * mean_y) / np.sqrt(variances)
        return found

    return bootstrap_statistic([first, second], statistic, **options)  # type: ignore[arg-type]  # passed on as they are


def draw_ratings(n: int, generator: np.random.Generator) -> Sample:
    """The labels 0, 1, 2 of two raters."""
    cells = generator.choice(AGREEMENT.size, size=n, p=AGREEMENT.ravel())
    return Sample(((cells // 3).astype(np.float64), (cells % 3).astype(np.float64)))


def two_raters(first: Floats, second: Floats, **options: object) -> Interval:
    """Cohen's kappa."""
    return kappa(first.tolist(), second.tolist(), **options)  # type: ignore[arg-type]  # passed on as they are
