"""Kills an ingestion with SIGKILL again and again, lets it go on, and compares what comes out with one left alone.

Run:  python -m benchmarks.crash --kills 1000
Writes documents of its own, in three rounds of one folder: at first, after edits, removals and additions, and again
with another chunk size, so that the whole index is built anew beside the old one. The ingesting process is killed at
moments spread evenly over the time that an undisturbed run takes. After each round the sorted export of documents,
chunks, vectors and postings must be the same bytes as without kills, and `rag verify` must find nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rag import RAG

SETTINGS: tuple[dict[str, Any], ...] = ({}, {}, {"chunking.size": 64, "chunking.overlap": 8})
"""Of each round."""

WORDS = [
    "harbour", "lantern", "granite", "orchard", "copper", "meadow", "anchor", "violin", "saffron", "glacier",
    "refund", "parcel", "invoice", "warranty", "delivery", "window", "customer", "branch", "evening",
    "market", "island", "bridge", "engine", "letter", "garden", "winter",
]  # fmt: skip


@dataclass(slots=True)
class Tally:
    """What happened: kills by round, and in which state of the database they fell."""

    kills: Counter[int] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    rounds: int = 0
    wrong: list[str] = field(default_factory=list)


def write_documents(folder: Path, rng: random.Random, count: int) -> None:
    """`count` documents of one to a hundred paragraphs."""
    for number in range(count):
        (folder / f"{number % 7}").mkdir(parents=True, exist_ok=True)
        path = folder / f"{number % 7}" / f"document {number:03}.md"
        path.write_text(_document(rng, number, int(rng.paretovariate(1.0))), encoding="utf-8")


def change_documents(folder: Path, rng: random.Random) -> None:
    """Edit a third of the documents, remove a tenth, add some."""
    for path in sorted(folder.rglob("*.md")):
        chance = rng.random()
        if chance < 0.1:
            path.unlink()
        elif chance < 0.43:
            path.write_text(path.read_text(encoding="utf-8").replace("harbour", "quay", 2) + "\nMore.\n", "utf-8")
    for number in range(1000, 1010):
        (folder / f"new {number}.md").write_text(_document(rng, number, 4), encoding="utf-8")


def ingest(kb: Path, home: Path, docs: Path, settings: dict[str, Any]) -> None:
    """Bring `kb` in step with `docs`."""
    with RAG.open(kb, home=home, environ={}, settings=settings) as base:
        base.ingest(docs)


def digest(kb: Path, home: Path, settings: dict[str, Any]) -> str:
    """The SHA-256 of the export; raises `AssertionError` when verification finds anything."""
    with RAG.open(kb, home=home, environ={}, settings=settings) as base:
        seen = base.verify(repair=False)
        assert seen.complete, seen.left[:3]
        text = io.StringIO()
        base.export(text)
        return hashlib.sha256(text.getvalue().encode()).hexdigest()


def killed(kb: Path, home: Path, docs: Path, settings: dict[str, Any], after: float) -> bool:
    """Ingest in a process of its own and kill it `after` seconds; false when it had ended by then."""
    child = os.fork()
    if child == 0:
        try:
            ingest(kb, home, docs, settings)
        finally:
            os._exit(0)
    deadline = time.perf_counter() + after
    while time.perf_counter() < deadline:
        done, _ = os.waitpid(child, os.WNOHANG)
        if done:
            return False
        time.sleep(0.0005)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def state_of(kb: Path) -> str:
    """In which state a kill left the database."""
    import sqlite3

    file = kb / "knowledge.db"
    if not file.exists():
        return "no database"
    with sqlite3.connect(file) as connection:
        try:
            generations = connection.execute("SELECT count(*), max(active) FROM generations").fetchone()
            if generations[0] == 0:
                return "nothing stored"
            if generations[0] > 1:
                return "a changeover under way"
            waiting = connection.execute(
                "SELECT count(*) FROM documents WHERE id NOT IN (SELECT document_id FROM indexed)"
            ).fetchone()[0]
            obsolete = connection.execute("SELECT count(*) FROM obsolete").fetchone()[0]
        except sqlite3.OperationalError:
            return "tables not made"
    if waiting:
        return "documents stored, not indexed"
    return "points to forget" if obsolete else "between batches"


def one_life(folder: Path, seed: int, documents: int, tally: Tally, kills: int, *, per_round: int) -> None:
    """Three rounds of one folder, killed on the way, against the same rounds left alone."""
    rng = random.Random(seed)
    docs, home = folder / "docs", folder / "home"
    write_documents(docs, rng, documents)
    for number, settings in enumerate(SETTINGS):
        if number == 1:
            change_documents(docs, rng)
        began = time.perf_counter()
        pid = os.fork()
        if pid == 0:
            ingest(folder / "whole", home, docs, settings)
            os._exit(0)
        os.waitpid(pid, 0)
        seconds = time.perf_counter() - began
        for _ in range(per_round):
            if sum(tally.kills.values()) >= kills:
                break
            after = seconds * rng.random()
            if killed(folder / "killed", home, docs, settings, after):
                tally.kills[number] += 1
                tally.states[state_of(folder / "killed")] += 1
        ingest(folder / "killed", home, docs, settings)
        try:
            same = digest(folder / "killed", home, settings) == digest(folder / "whole", home, settings)
        except AssertionError as error:
            tally.wrong.append(f"seed {seed}, round {number}: {error}")
        else:
            if not same:
                tally.wrong.append(f"seed {seed}, round {number}: the exports differ")
        tally.rounds += 1


def main() -> int:
    """Print how many kills there were, where they fell, and what was wrong after them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--documents", type=int, default=120)
    parser.add_argument("--per-round", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    tally, seed, began = Tally(), arguments.seed, time.perf_counter()
    while sum(tally.kills.values()) < arguments.kills:
        folder = Path(tempfile.mkdtemp(prefix="plumbline-crash-"))
        try:
            one_life(folder, seed, arguments.documents, tally, arguments.kills, per_round=arguments.per_round)
        finally:
            shutil.rmtree(folder)
        seed += 1
        print(f"{sum(tally.kills.values()):,} kills, {len(tally.wrong)} wrong", end="\r", file=sys.stderr, flush=True)
    print(f"{sum(tally.kills.values()):,} kills in {tally.rounds} rounds, {time.perf_counter() - began:.0f} s")
    for number, name in enumerate(("first ingestion", "after changes", "another chunk size")):
        print(f"  {name}: {tally.kills[number]:,} kills")
    for state, count in tally.states.most_common():
        print(f"  left with {state}: {count:,}")
    print(f"{len(tally.wrong)} rounds came out otherwise than without kills")
    for line in tally.wrong:
        print(f"  {line}")
    return 1 if tally.wrong else 0


def _document(rng: random.Random, number: int, paragraphs: int) -> str:
    parts = [f"# Document {number}"]
    for paragraph in range(min(paragraphs, 100)):
        if paragraph % 5 == 4:
            parts.append(f"## Part {paragraph}")
        parts.append(" ".join(rng.choices(WORDS, k=rng.randint(10, 80))).capitalize() + ".")
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
