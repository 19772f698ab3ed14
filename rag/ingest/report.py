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
    """What became of one file: `reason` says why it failed or was skipped, `notes` what else is worth knowing.

    `embedded` is how many of its chunks needed a new vector; the others were there already.
    """

    source: str
    name: str
    outcome: Outcome
    documents: int = 0
    pages: int = 0
    chunks: int = 0
    embedded: int = 0
    characters: int = 0
    tokens: int = 0
    seconds: float = 0.0
    reason: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class IngestReport:
    """Every file's outcome, and what the ingestion used: embedding tokens and their cost (`None`: price unknown).

    `reindexed` documents were cut or embedded anew because the configuration changed. After a `dry_run` outcomes are
    what would become of the files, and `usage` and `cost` an estimate of what it would use.
    """

    files: tuple[FileOutcome, ...]
    seconds: float
    usage: Usage
    cost: Decimal | None
    trace_id: str
    reindexed: int = 0
    dry_run: bool = False

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
    """Where an ingestion stands: `done` of `total` files (`None`: not known), what they gave so far, in how many
    `seconds`; `last` is the newest outcome.
    """

    done: int
    total: int | None
    last: FileOutcome
    pages: int = 0
    chunks: int = 0
    tokens: int = 0
    seconds: float = 0.0


OnProgress = Callable[[Progress], None]
