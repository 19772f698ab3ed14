"""Mutations chosen by coverage (atheris): for readers in Python, whose branches can be seen."""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from rag.ingest.item import Item
from rag.ingest.prepare import Job, Recipe
from tests.rag.ingest.load.seed_files import seeds

_LONGEST = 20_000
_MODULES = ["rag.ingest.load", "rag.ingest.structure", "rag.ingest.chunk", "html", "json", "csv", "email", "zipfile"]


def guided(suffix: str, seconds: float, seed: int, recipe: Recipe) -> None:
    """Fuzz one format in this process and print what was found; ends the process."""
    import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore]  # no dependency: for those who fuzz

    corpus = Path(tempfile.mkdtemp())
    for number, data in enumerate(seeds()[suffix]):
        (corpus / str(number)).write_bytes(data)
    for name in [each for each in sys.modules if each.startswith(("rag", "benchmarks._fuzz_check", *_MODULES))]:
        del sys.modules[name]  # to be imported again, this time with counters in it
    with atheris.instrument_imports(include=_MODULES):
        from benchmarks._fuzz_check import checked
    path = corpus.with_suffix(suffix)
    found: Counter[str] = Counter()

    def once(data: bytes) -> None:
        path.write_bytes(data)
        started = time.process_time()
        error = checked(Job(Item(str(path), path.name, str(path), len(data), "")), recipe).error
        took = time.process_time() - started
        kind = error if error and error.startswith(("unexpected", "broken")) else "slow" if took > 1 else None
        if kind is not None:
            found[kind[:90]] += 1
            if found[kind[:90]] == 1:
                print(f"{suffix}  {kind} ({took:.1f} s): {data[:80]!r}", flush=True)

    options: list[Any] = [sys.argv[0], str(corpus), f"-max_total_time={seconds:.0f}", f"-seed={seed}"]
    atheris.Setup([*options, f"-max_len={_LONGEST}", "-timeout=60", "-verbosity=1"], once)
    atheris.Fuzz()
