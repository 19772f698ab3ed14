"""Experiments on disk: a folder per run, with its id, what decided its outcomes, and its rows as they come.

EXP-2026-03-01-001/
    experiment.json   id, time, suite, fingerprint (hashes of data, corpus, configurations and prompts; seed; versions)
    rows.jsonl        one outcome a line, on the disk as soon as it is there
    result.json       scores, differences, verdict: written last, so that a folder without it is unfinished
    report.html       the same as a page
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from evals.journal import Journal
from evals.outcome import Outcome
from plumbline.database import storage_errors
from plumbline.errors import CorruptStateError, InputError
from rag.types import Hit

MANIFEST, ROWS, RESULT, REPORT = "experiment.json", "rows.jsonl", "result.json", "report.html"
Key = tuple[str, str]
"""Configuration and example."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an experiment is: `fingerprint` holds everything that decides its outcomes."""

    id: str
    started: str
    suite: str
    fingerprint: Mapping[str, Any]


class Experiment:
    """An experiment's folder, open for writing. Make one with `begin` or `unfinished`."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest
        self._journal = Journal(folder / ROWS)
        self.outcomes = dict(map(_from_entry, self._journal.entries))

    def add(self, key: Key, outcome: Outcome) -> None:
        """Store one outcome for good, without the texts of its hits; a later one for the same key wins."""
        lean = _lean(outcome)
        self.outcomes[key] = lean
        config, example = key
        self._journal.append(
            {"config": config, "example": example, "outcome": _outcomes().dump_python(lean, mode="json")}
        )

    def close(self) -> None:
        """Close the rows."""
        self._journal.close()

    def abandon(self) -> None:
        """Close it after an error; a folder in which nothing has been stored is removed, for it says nothing."""
        if not self.outcomes:
            with suppress(OSError):  # the error that led here matters more
                for name in (ROWS, MANIFEST):
                    (self.folder / name).unlink(missing_ok=True)
                self.folder.rmdir()
        self.close()


def begin(out: Path, suite: str, fingerprint: Mapping[str, Any]) -> Experiment:
    """A new experiment under `out`, with the day's next number; safe when several start at once."""
    now = datetime.now(UTC)
    day = now.strftime("EXP-%Y-%m-%d")
    with storage_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        number = max(
            (int(path.name[len(day) + 1 :]) for path in out.glob(f"{day}-*") if _numbered(path, day)), default=0
        )
        while True:
            number += 1
            folder = out / f"{day}-{number:03}"
            try:
                folder.mkdir()
            except FileExistsError:
                continue
            break
        manifest = Manifest(folder.name, now.isoformat(timespec="seconds"), suite, fingerprint)
        _write(folder / MANIFEST, _manifests().dump_json(manifest, indent=2).decode())
    return Experiment(folder, manifest)


def unfinished(out: Path, fingerprint: Mapping[str, Any]) -> Experiment | None:
    """The latest experiment under `out` that is not finished and of which everything was the same."""
    for folder in sorted(out.glob("EXP-*"), reverse=True):
        if (folder / MANIFEST).is_file() and not (folder / RESULT).exists():
            manifest = read_manifest(folder)
            if manifest.fingerprint == json.loads(json.dumps(fingerprint)):
                return Experiment(folder, manifest)
    return None


def read_manifest(folder: Path) -> Manifest:
    """The manifest in an experiment's folder; raises `InputError` when it is none, `CorruptStateError` if damaged."""
    if not (folder / MANIFEST).is_file():
        raise InputError(f"{folder} is not the folder of an experiment: it has no {MANIFEST}.")
    try:
        return _manifests().validate_json((folder / MANIFEST).read_bytes())
    except ValidationError as error:
        raise CorruptStateError(f"{folder / MANIFEST} cannot be read: {error.errors()[0]['msg']}.") from error


def read_outcomes(folder: Path) -> dict[Key, Outcome]:
    """The outcomes of an experiment."""
    journal = Journal(folder / ROWS)
    journal.close()
    return dict(map(_from_entry, journal.entries))


def finish(experiment: Experiment, result: str, report: str) -> None:
    """Write the report, then the result, which marks the experiment finished."""
    with storage_errors(experiment.folder):
        _write(experiment.folder / REPORT, report)
        _write(experiment.folder / RESULT, result)


def _write(path: Path, text: str) -> None:
    scratch = path.with_name(path.name + ".part")
    scratch.write_text(text, encoding="utf-8", errors="replace")
    scratch.replace(path)


def _numbered(path: Path, day: str) -> bool:
    return path.name[len(day) + 1 :].isdigit()


def _lean(outcome: Outcome) -> Outcome:
    """Spans say where hits stand; their text is the document's. Thousands of rows fit in memory this way."""
    answer = outcome.answer and replace(outcome.answer, hits=())  # `hits` of the outcome are the same
    return replace(outcome, answer=answer, hits=tuple(_without_text(hit) for hit in outcome.hits))


def _without_text(hit: Hit) -> Hit:
    return replace(hit, chunk=replace(hit.chunk, text="", context=""))


def _from_entry(entry: Mapping[str, Any]) -> tuple[Key, Outcome]:
    try:
        return (str(entry["config"]), str(entry["example"])), _outcomes().validate_python(entry["outcome"])
    except (KeyError, ValidationError) as error:
        raise CorruptStateError(
            f"A row in {ROWS} is not of this version of Plumbline ({type(error).__name__}).",
            hint="Start a new experiment: --afresh.",
        ) from error


@cache
def _outcomes() -> TypeAdapter[Outcome]:
    return TypeAdapter(Outcome)


@cache
def _manifests() -> TypeAdapter[Manifest]:
    return TypeAdapter(Manifest)
