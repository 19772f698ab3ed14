"""Reads files damaged at random, and tells what became of them: every format, every contract.

    python benchmarks/fuzz_loaders.py [--seconds 60] [--seed 1] [--format pdf] [--keep FOLDER] [--engine atheris]

Small valid files of every format that is read are changed in their bytes and in their structure, and read in a worker
process through `rag.ingest.prepare.prepare`, so that a crash costs one file. Each must end in documents that keep the
contract (`rag.testing.loader`), in chunks that are their spans, or in an error of ours. What does not is a finding:
printed, and kept in a folder with `--keep`. `slow` means more than 2 seconds of CPU, `large` more than 300 MB above
what the process held before. `--engine atheris` lets the coverage of the pure-Python readers choose the mutations
(Linux; `pip install atheris`).
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from benchmarks._fuzz_check import BROKEN, MEASURED, UNEXPECTED
from rag.ingest.engine.workers import WorkerEngine
from rag.ingest.item import Item
from rag.ingest.prepare import Job, Prepared, Recipe
from rag.ingest.settings import MEBIBYTE, ChunkingSettings, LoadingSettings
from tests.rag.ingest.load.mutations import mutated
from tests.rag.ingest.load.seed_files import seeds

SLOW_SECONDS = 2.0
LARGE_KILOBYTES = 300_000
PORTION = 200
"""Mutants of one format in a row, in one run of the engine."""
RECIPE = Recipe(
    LoadingSettings(max_seconds=20, max_memory_bytes=3072 * MEBIBYTE, max_unpacked_bytes=64 * MEBIBYTE),
    ChunkingSettings(chunker="structure", size=64, overlap=8),
)


@dataclass(slots=True)
class Tally:
    """What became of the mutants of one format."""

    runs: int = 0
    read: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    findings: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    largest: int = 0


def main() -> None:
    """Fuzz and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--format", action="append", default=[], metavar="SUFFIX")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--engine", choices=("random", "atheris"), default="random")
    arguments = parser.parse_args()
    suffixes = [f".{name.removeprefix('.')}" for name in arguments.format] or list(seeds())
    if arguments.engine == "atheris":
        from benchmarks._fuzz_coverage import guided

        guided(suffixes[0], arguments.seconds, arguments.seed, RECIPE)
        return
    with tempfile.TemporaryDirectory() as scratch:
        fuzzer = Fuzzer(Path(scratch), arguments.keep)
        asyncio.run(fuzzer.run(suffixes, arguments.seconds, arguments.seed))
    show(fuzzer.tallies)


class Fuzzer:
    """Mutants in, tallies out."""

    def __init__(self, folder: Path, keep: Path | None) -> None:
        self.tallies: dict[str, Tally] = {}
        self._folder = folder
        self._keep = keep
        self._seen: set[str] = set()

    async def run(self, suffixes: Sequence[str], seconds: float, seed: int) -> None:
        """Take the formats in turn until `seconds` are over."""
        chance = random.Random(seed)
        engine = WorkerEngine(RECIPE, 1, function="benchmarks._fuzz_check:checked")
        waiting = deque(suffixes)
        ends = time.monotonic() + seconds
        try:
            while time.monotonic() < ends:
                suffix = waiting[0]
                waiting.rotate(-1)
                tally = self.tallies.setdefault(suffix, Tally())
                async for prepared in engine.prepared(self._jobs(chance, suffix, ends)):
                    self._note(tally, suffix, prepared)
        finally:
            await engine.close()

    def _jobs(self, chance: random.Random, suffix: str, ends: float) -> Iterator[Job]:
        for number in range(PORTION):
            if time.monotonic() > ends:
                return
            path = self._folder / f"{number}{suffix}"
            data = mutated(chance, suffix, seeds()[suffix])
            path.write_bytes(data)
            yield Job(Item(str(path), path.name, str(path), len(data), ""))

    def _note(self, tally: Tally, suffix: str, prepared: Prepared) -> None:
        tally.runs += 1
        tally.slowest = max(tally.slowest, prepared.seconds)
        grown = next((int(each.reason) for each in prepared.problems if each.name == MEASURED), 0)
        tally.largest = max(tally.largest, grown)
        error = prepared.error
        finding = _finding(prepared, grown)
        if finding is not None:
            self._found(tally, finding, suffix, Path(prepared.item.path))
        elif error is None:
            tally.read += 1
        else:
            tally.errors[error[:60]] += 1

    def _found(self, tally: Tally, finding: str, suffix: str, path: Path) -> None:
        kind = finding.partition(" (")[0][:90]
        tally.findings[kind] += 1
        if f"{suffix}{kind}" in self._seen:
            return
        self._seen.add(f"{suffix}{kind}")
        data = path.read_bytes()
        name = f"{sha256(data).hexdigest()[:12]}{suffix}"
        print(f"{suffix:<8}{name}  {finding}", flush=True)
        if self._keep is not None:
            self._keep.mkdir(parents=True, exist_ok=True)
            (self._keep / name).write_bytes(data)


def _finding(prepared: Prepared, grown: int) -> str | None:
    """What must be looked at."""
    error = prepared.error
    if error is not None and error.startswith((UNEXPECTED, BROKEN)):
        return error
    if error is not None and error.startswith(("the reader ", "reading it took", "it needs more memory")):
        return error
    if prepared.seconds > SLOW_SECONDS:
        return f"slow ({prepared.seconds:.1f} s)"
    if grown > LARGE_KILOBYTES:
        return f"large ({grown / 1000:,.0f} MB)"
    return None


def show(tallies: dict[str, Tally]) -> None:
    """A row for each format, then its findings and its commonest errors."""
    print(f"\n{'format':<10}{'runs':>8}{'read':>8}{'errors':>8}{'findings':>10}{'slowest s':>11}{'peak MB':>9}")
    for suffix, tally in sorted(tallies.items()):
        wrong = sum(tally.findings.values())
        print(
            f"{suffix:<10}{tally.runs:>8,}{tally.read:>8,}{sum(tally.errors.values()):>8,}{wrong:>10,}"
            f"{tally.slowest:>11.2f}{tally.largest / 1000:>9,.0f}"
        )
    total = sum(tally.runs for tally in tallies.values())
    print(f"{'all':<10}{total:>8,}")
    for suffix, tally in sorted(tallies.items()):
        for kind, count in tally.findings.most_common():
            print(f"{suffix:<10}{count:>8,}  {kind}")


if __name__ == "__main__":
    main()
