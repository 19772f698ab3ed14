"""Who let low-quality data pass, when and why: kept in the home, so that it is never forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from plumbline.database import Component, open_database, storage_errors, writing
from plumbline.errors import InputError

if TYPE_CHECKING:
    from sqlalchemy import Engine, Table


@dataclass(frozen=True, slots=True)
class Override:
    """`by` let `source` pass with `total` points at `time` (ISO 8601, UTC), for `reason`."""

    time: str
    source: str
    total: float
    by: str
    reason: str


@cache
def _table() -> Table:
    from sqlalchemy import Column, Float, Integer, MetaData, String, Table, Text

    return Table(
        "quality_overrides",
        MetaData(),
        Column("seq", Integer, primary_key=True),
        Column("time", String, nullable=False),
        Column("source", Text, nullable=False),
        Column("total", Float, nullable=False),
        Column("by", Text, nullable=False),
        Column("reason", Text, nullable=False),
        sqlite_autoincrement=True,
    )


def component() -> Component:
    """The table of overrides, for `open_database`."""
    return Component("quality overrides", 1, _table().metadata)


class Overrides:
    """Writes and reads the overrides in the database behind `engine`, which lies at `path`."""

    def __init__(self, engine: Engine, path: Path) -> None:
        self._engine = engine
        self._path = path

    def record(self, source: str, total: float, *, by: str, reason: str) -> Override:
        """Store an override as of now; raises `InputError` when it does not say who or why."""
        for name, value in (("--by NAME", by), ("--reason TEXT", reason)):
            if not value.strip():
                raise InputError(
                    f"Low quality is let through only with {name}.", hint="Say who decides and why; both are kept."
                )
        made = Override(datetime.now(UTC).isoformat(timespec="seconds"), source, total, by.strip(), reason.strip())
        with writing(self._engine, self._path) as connection:
            connection.execute(_table().insert(), {name: getattr(made, name) for name in Override.__slots__})
        return made

    def all(self) -> list[Override]:
        """Every override, the latest first."""
        table = _table()
        with storage_errors(self._path), self._engine.connect() as connection:
            rows = connection.execute(table.select().order_by(table.c.seq.desc())).mappings()
            return [Override(**{name: row[name] for name in Override.__slots__}) for row in rows]


@contextmanager
def open_overrides(home: str | Path | None = None) -> Iterator[Overrides]:
    """The overrides of a home (`None`: the user's), which is made where there is none."""
    from rag.config import HOME_FILE, home_folder

    path = home_folder(home) / HOME_FILE
    engine = open_database(path, [component()])
    try:
        yield Overrides(engine, path)
    finally:
        engine.dispose()
