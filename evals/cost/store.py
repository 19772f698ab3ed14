"""The rows of a run as they are stored: a journal in the output folder, which a later run goes on with."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from evals.cost.row import Row, from_entry, to_entry
from evals.journal import Journal
from plumbline.errors import CorruptStateError, InputError

FILE = "rows.jsonl"


class Rows:
    """The rows in `folder`, by query and configuration. The first entry of the journal is the suite's fingerprint.

    Raises `InputError` when the folder holds the rows of another suite, `CorruptStateError` when a row is damaged.
    """

    def __init__(self, folder: Path, fingerprint: dict[str, str]) -> None:
        self._journal = Journal(folder / FILE)
        self._rows: dict[tuple[str, str], Row] = {}
        self.ingest_costs: dict[str, Decimal | None] = {}
        self.notes: list[str] = []
        try:
            self._read(folder, fingerprint)
        except BaseException:
            self.close()
            raise
        if not self._journal.entries:
            self._journal.append({"suite": fingerprint})

    @property
    def all(self) -> tuple[Row, ...]:
        """The rows in the order in which they were made."""
        return tuple(self._rows.values())

    def __len__(self) -> int:
        return len(self._rows)

    def has(self, config: str, query: str) -> bool:
        """Whether the row of this query under this configuration is there."""
        return (config, query) in self._rows

    def add(self, row: Row) -> None:
        """Store a row, for good."""
        self._journal.append({"row": to_entry(row)})
        self._rows[row.config, row.query] = row

    def add_ingest(self, config: str, cost: Decimal | None) -> None:
        """Store what reading the documents did cost."""
        self._journal.append({"ingest": config, "cost": None if cost is None else str(cost)})
        self.ingest_costs[config] = cost

    def add_note(self, note: str) -> None:
        """Store what the reader must know, once."""
        if note not in self.notes:
            self._journal.append({"note": note})
            self.notes.append(note)

    def close(self) -> None:
        """Close the journal."""
        self._journal.close()

    def _read(self, folder: Path, fingerprint: dict[str, str]) -> None:
        for number, entry in enumerate(self._journal.entries, 1):
            try:
                if number == 1:
                    self._check(folder, entry["suite"], fingerprint)
                elif "note" in entry:
                    self.notes.append(str(entry["note"]))
                elif "ingest" in entry:
                    self.ingest_costs[entry["ingest"]] = None if entry["cost"] is None else Decimal(entry["cost"])
                else:
                    row = from_entry(entry["row"])
                    self._rows[row.config, row.query] = row
            except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
                raise CorruptStateError(
                    f"{folder / FILE}:{number} is no row of this benchmark ({error!r}).",
                    hint="Restore a copy, or start over in another folder (--out).",
                ) from error

    def _check(self, folder: Path, held: dict[str, str], wanted: dict[str, str]) -> None:
        different = [part for part, value in wanted.items() if held.get(part) != value]
        if different:
            raise InputError(
                f"{folder} holds the results of another run: {', '.join(different)} "
                f"{'differs' if len(different) == 1 else 'differ'}.",
                hint="Name another folder with --out, or start this one over with --afresh.",
            )
