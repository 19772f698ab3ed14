"""How long it takes to bring a knowledge base in step with many files, when nothing or one of them changed.

Run:  python -m benchmarks.sync --files 10000
Writes small text files of its own, ingests them, then runs `rag ingest` again as a process of its own, as a user
does: with nothing changed, with one file changed, and with `--rehash`. Beside it, in the same run, two floors:
looking at every file (its stat), and reading and hashing every file.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILES_PER_FOLDER = 500
WORDS_PER_FILE = 150


@dataclass(frozen=True, slots=True)
class Timed:
    """Wall and CPU seconds, CPU of child processes included, and the largest memory of a child in MB."""

    wall: float
    cpu: float
    memory: float
    result: Any = None


def write_files(folder: Path, count: int, seed: int) -> int:
    """Write `count` files of random words; returns their bytes."""
    rng = random.Random(seed)
    letters = "abcdefghiklmnoprstuvwz"
    words = ["".join(rng.choices(letters, k=rng.randint(2, 11))) for _ in range(5000)]
    size = 0
    for number in range(count):
        path = folder / f"{number // FILES_PER_FOLDER:04}" / f"{number:06}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        size += path.write_text(" ".join(rng.choices(words, k=WORDS_PER_FILE)) + f". Number {number}.\n", "utf-8")
    return size


def timed(run: Callable[[], Any]) -> Timed:
    """Run and measure."""
    before, children = time.process_time(), resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    result = run()
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = time.process_time() - before + after.ru_utime + after.ru_stime - children.ru_utime - children.ru_stime
    return Timed(wall, cpu, after.ru_maxrss / 1024, result)


def rag_ingest(docs: Path, kb: Path, home: Path, *options: str) -> dict[str, int]:
    """`rag ingest` as a process of its own; the counts by outcome."""
    command = [sys.executable, "-m", "plumbline.cli", "ingest", str(docs), "--kb", str(kb), "--json", *options]
    done = subprocess.run(command, env={**os.environ, "PLUMBLINE_HOME": str(home)}, check=True, capture_output=True)
    report = json.loads(done.stdout)
    return {outcome: count for outcome, count in report["counts"].items() if count}


def stat_all(folder: Path) -> int:
    """Look at every file; returns how many there are."""
    return sum((Path(root) / name).stat().st_size >= 0 for root, _, names in os.walk(folder) for name in names)


def hash_all(folder: Path) -> int:
    """Read and hash every file; returns how many there are."""
    return sum(
        len(hashlib.sha256((Path(root) / name).read_bytes()).digest()) == 32
        for root, _, names in os.walk(folder)
        for name in names
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="plumbline-sync-"))
    docs, kb, home = folder / "docs", folder / "kb", folder / "home"
    try:
        size = write_files(docs, arguments.files, arguments.seed)
        print(f"{arguments.files:,} files, {size / 1e6:.1f} MB")
        _show("first run", timed(lambda: rag_ingest(docs, kb, home)))
        time.sleep(3)  # so that no file counts as changed a moment ago
        _show("nothing changed", timed(lambda: rag_ingest(docs, kb, home)))
        (docs / "0000" / "000007.txt").write_text("Parcels to Iceland take 9 days.\n", encoding="utf-8")
        _show("one file changed", timed(lambda: rag_ingest(docs, kb, home)))
        _show("nothing changed, --rehash", timed(lambda: rag_ingest(docs, kb, home, "--rehash")))
        _show("floor: stat of every file", timed(lambda: stat_all(docs)))
        _show("floor: hash of every file", timed(lambda: hash_all(docs)))
    finally:
        shutil.rmtree(folder)


def _show(name: str, seen: Timed) -> None:
    print(f"{name:28} {seen.wall:7.2f} s wall {seen.cpu:7.2f} CPU-s {seen.memory:6.0f} MB   {seen.result}")


if __name__ == "__main__":
    main()
