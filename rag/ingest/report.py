"""What an ingestion did, file by file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from routing.chat import Usage

Outcome = Literal["added", "updated", "unchanged", "removed", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """What became of one file: `reason` says why it failed or was skipped, `notes` what else is worth knowing."""

    source: str
    name: str
    outcome: Outcome
    pages: int = 0
    chunks: int = 0
    characters: int = 0
    tokens: int = 0
    seconds: float = 0.0
    reason: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class IngestReport:
    """Every file's outcome, and what the ingestion used: embedding tokens and their cost (`None`: price unknown)."""

    files: tuple[FileOutcome, ...]
    seconds: float
    usage: Usage
    cost: Decimal | None
    trace_id: str

    def count(self, outcome: Outcome) -> int:
        """How many files had this outcome."""
        return Counter(file.outcome for file in self.files)[outcome]

    @property
    def failed(self) -> tuple[FileOutcome, ...]:
        """The files that could not be read."""
        return tuple(file for file in self.files if file.outcome == "failed")

    def __str__(self) -> str:
        from rag.plain import plain_report

        return plain_report(self)


@dataclass(frozen=True, slots=True)
class Progress:
    """Where an ingestion stands: `done` of `total` files; `last` is the newest outcome."""

    done: int
    total: int
    last: FileOutcome


OnProgress = Callable[[Progress], None]
