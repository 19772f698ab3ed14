"""How often the intervals of `evals.stats` hold the true value: simulated experiments of what evals measure.

    python benchmarks/coverage.py [--runs 10000] [--resamples 999] [--workers 2] [--only TEXT]

One row a scenario: `ours` as the functions come by default, `naive` the same with the clusters forgotten (in a
quarter of the runs), `normal` the estimate -/+ 1.96 standard errors (delta method for ratios, cluster-robust in
clusters). Percentages of the runs; the aim is 95. `error` is the Monte-Carlo standard error of `ours`, `width` the
mean width of our finite intervals.
"""

from __future__ import annotations

import argparse
import os
import time
import zlib
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from math import isfinite, sqrt

import numpy as np

from benchmarks._coverage_scenarios import Sample, Scenario, scenarios

CHUNK = 250
NAIVE_EVERY = 4  # its intervals are the slow ones, and far enough off to be seen in fewer runs
LEVEL = 0.95
SLACK = 1e-12  # bounds that meet the true value but for rounding hold it


@dataclass(slots=True)
class Tally:
    """How many of `runs` intervals held the truth, by kind, and the widths of ours."""

    runs: int = 0
    ours: int = 0
    naive: int = 0
    naive_runs: int = 0
    normal: int = 0
    finite: int = 0
    width: float = 0.0

    def add(self, other: Tally) -> None:
        """Count another's runs, too."""
        self.runs += other.runs
        self.ours += other.ours
        self.naive += other.naive
        self.naive_runs += other.naive_runs
        self.normal += other.normal
        self.finite += other.finite
        self.width += other.width


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--resamples", type=int, default=999)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    started = time.perf_counter()
    print("| scenario | units | ours | naive | normal | error | width |\n|---|--:|--:|--:|--:|--:|--:|")
    chosen = [(i, scenario) for i, scenario in enumerate(scenarios()) if arguments.only in scenario.name]
    with ProcessPoolExecutor(arguments.workers) as pool:
        simulated = partial(simulate, resamples=arguments.resamples)
        for number, scenario in chosen:
            total = Tally()
            starts = range(0, arguments.runs, CHUNK)
            sizes = [min(CHUNK, arguments.runs - start) for start in starts]
            for tally in pool.map(simulated, [number] * len(starts), starts, sizes):
                total.add(tally)
            print(row(scenario, total), flush=True)
    print(f"\n{arguments.runs} runs each, {time.perf_counter() - started:.0f} s with {arguments.workers} processes")


def simulate(number: int, start: int, runs: int, resamples: int) -> Tally:
    """`runs` experiments of a scenario, by its place; which ones depends on the scenario and on `start` alone."""
    scenario = next(scenario for i, scenario in enumerate(scenarios()) if i == number)
    generator = np.random.default_rng([zlib.crc32(f"{scenario.name} {scenario.units}".encode()), start])
    tally = Tally()
    for run in range(start, start + runs):
        sample = scenario.draw(generator)
        options = {"level": LEVEL, "resamples": resamples, "seed": run}
        ours = scenario.interval(*sample.columns, clusters=sample.clusters, **options)
        tally.runs += 1
        tally.ours += holds(scenario, ours.low, ours.high)
        if isfinite(ours.high - ours.low):
            tally.finite += 1
            tally.width += ours.high - ours.low
        if sample.clusters is not None and run % NAIVE_EVERY == 0:
            tally.naive_runs += 1
            naive = scenario.interval(*sample.columns, **options)
            tally.naive += holds(scenario, naive.low, naive.high)
        if scenario.linear:
            tally.normal += holds(scenario, *normal(scenario, sample))
    return tally


def holds(scenario: Scenario, low: float, high: float) -> bool:
    """Whether the truth lies within."""
    return low - SLACK <= scenario.truth <= high + SLACK


def normal(scenario: Scenario, sample: Sample) -> tuple[float, float]:
    """Estimate -/+ 1.96 standard errors."""
    first, *second = sample.columns
    paired = scenario.name.removeprefix("clusters, ").startswith("paired")
    numerators = first - second[0] if paired else first
    denominators = second[0] if second and not paired else np.ones(len(first))
    if not denominators.any():
        return -np.inf, np.inf
    estimate = numerators.sum() / denominators.sum()
    residuals = numerators - estimate * denominators
    if sample.clusters is not None:
        residuals = np.bincount(sample.clusters, residuals)
    g = len(residuals)
    half = 1.959964 * sqrt(g / (g - 1) * float(residuals @ residuals)) / denominators.sum()
    return float(estimate - half), float(estimate + half)


def row(scenario: Scenario, tally: Tally) -> str:
    """A line of the table."""
    share = tally.ours / tally.runs
    cells = [
        scenario.name,
        str(scenario.units),
        f"{share:.1%}",
        f"{tally.naive / tally.naive_runs:.1%}" if tally.naive_runs else "",
        f"{tally.normal / tally.runs:.1%}" if scenario.linear else "",
        f"{sqrt(share * (1 - share) / tally.runs):.1%}",
        f"{tally.width / max(tally.finite, 1):.3g}" + ("" if tally.finite == tally.runs else " (*)"),
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
