"""What an ingestion did, file by file."""

from __future__ import annotations

import os
import pickle
import tempfile
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import IO, Literal, overload

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


class Outcomes(Sequence[FileOutcome]):
    """Outcomes in the order in which they came. The first `IN_MEMORY` are held, the others lie in a temporary file.

    Iterate over it: an item by its number costs as much as all before it.
    """

    IN_MEMORY = 10_000

    def __init__(self, outcomes: Iterable[FileOutcome] = ()) -> None:
        self.counts: Counter[Outcome] = Counter()
        self._held: list[FileOutcome] = []
        self._spilled: IO[bytes] | None = None
        for outcome in outcomes:
            self.append(outcome)

    def append(self, outcome: FileOutcome) -> None:
        """Add one at the end."""
        self.counts[outcome.outcome] += 1
        if len(self._held) < self.IN_MEMORY:
            self._held.append(outcome)
            return
        if self._spilled is None:
            self._spilled = tempfile.TemporaryFile()  # noqa: SIM115 (it lives as long as this object)
            weakref.finalize(self, self._spilled.close)
        self._spilled.seek(0, os.SEEK_END)
        pickle.dump(outcome, self._spilled)

    def __len__(self) -> int:
        return self.counts.total()

    def __iter__(self) -> Iterator[FileOutcome]:
        yield from self._held
        place = 0
        for _ in range(len(self) - len(self._held)):
            assert self._spilled is not None
            self._spilled.seek(place)
            outcome = pickle.load(self._spilled)  # noqa: S301 (written by ourselves, in a file without a name)
            place = self._spilled.tell()
            yield outcome

    @overload
    def __getitem__(self, index: int) -> FileOutcome: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[FileOutcome]: ...

    def __getitem__(self, index: int | slice) -> FileOutcome | Sequence[FileOutcome]:
        return list(self)[index]


@dataclass(frozen=True, slots=True)
class IngestReport:
    """Every file's outcome, and what the ingestion used: embedding tokens and their cost (`None`: price unknown).

    `reindexed` documents were cut or embedded anew because the configuration changed. After a `dry_run` outcomes are
    what would become of the files, and `usage` and `cost` an estimate of what it would use.
    """

    files: Sequence[FileOutcome]
    seconds: float
    usage: Usage
    cost: Decimal | None
    trace_id: str
    reindexed: int = 0
    dry_run: bool = False

    def count(self, outcome: Outcome) -> int:
        """How many files had this outcome."""
        counts = self.files.counts if isinstance(self.files, Outcomes) else Counter(each.outcome for each in self.files)
        return counts[outcome]

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
