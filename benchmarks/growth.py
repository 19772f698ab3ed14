"""How the time of a search and the memory of the embedded store grow, as a table and a plot.

    python -m benchmarks.growth [--counts 10000,100000,300000,1000000] [--plot growth.svg] [--vectors FILE.npy]

Runs `benchmarks.stores` for each count and reads its figures. The plot needs the extra `eval` (matplotlib).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._store_data import StoreData
from benchmarks.stores import FILTERS, measure
from plumbline.extras import require

SIDES = ("dense", "lexical", "hybrid")


def row(report: dict[str, Any]) -> dict[str, float]:
    """The figures of one count that are plotted."""
    searched, built = report["search"], report["build"]
    times = {side: searched["100 %"][side] for side in SIDES}
    recalls = {"recall": min(searched[name]["recall"] for name in FILTERS)}
    memory = {"searched_mb": searched["searched_mb"], "build_mb": built["peak_mb"], "open": searched["open_seconds"]}
    return {**times, **recalls, "numpy": report["numpy"]["100 %"], **memory, "rate": built["chunks_per_second"]}


def show(rows: dict[int, dict[str, float]]) -> None:
    """Print the table: CPU ms of searches, the lowest recall@10, memory in MB, seconds to open, points a second."""
    columns = ("dense", "lexical", "hybrid", "numpy", "recall", "searched_mb", "build_mb", "open", "rate")
    print(f"| points | {' | '.join(columns)} |")
    print("|---" * (len(columns) + 1) + "|")
    for count, each in rows.items():
        print(f"| {count:,} | {' | '.join(f'{each[name]:,.3f}' for name in columns)} |", flush=True)


def plot(rows: dict[int, dict[str, float]], path: Path) -> None:
    """Draw time and memory over the number of points, both axes logarithmic."""
    figure = require("matplotlib.figure", "eval").Figure(figsize=(10, 4), layout="constrained")
    time, memory = figure.subplots(1, 2)
    counts = list(rows)
    for name, style in (("dense", "o-"), ("lexical", "s-"), ("hybrid", "D-"), ("numpy", "--")):
        time.loglog(counts, [each[name] for each in rows.values()], style, label=name)
    for name, style in (("searched_mb", "o-"), ("build_mb", "s-")):
        memory.loglog(counts, [each[name] for each in rows.values()], style, label=name.replace("_mb", ""))
    time.set(xlabel="points", ylabel="CPU ms per search, p50")
    memory.set(xlabel="points", ylabel="MB of the process")
    for axes in (time, memory):
        axes.grid(visible=True, which="both", alpha=0.3)
        axes.legend()
    figure.savefig(path)


def main() -> None:
    """Measure each count, print and plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", default="10000,100000,300000,1000000")
    parser.add_argument("--plot", type=Path, default=Path("growth.svg"))
    parser.add_argument("--vectors", help="a .npy file of unit vectors to take")
    options = parser.parse_args()
    vectors = None if options.vectors is None else np.load(options.vectors, mmap_mode="r")
    rows: dict[int, dict[str, float]] = {}
    for count in map(int, options.counts.split(",")):
        data = StoreData(count, 384 if vectors is None else vectors.shape[1], vectors=vectors)
        rows[count] = row(measure(data, options.vectors))
        show(rows)
    plot(rows, options.plot)


if __name__ == "__main__":
    main()
