"""Generations: the ways of cutting and embedding that a knowledge base holds. One is active and is what is searched;
another may be under construction beside it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from plumbline.database import storage_errors, writing
from rag.index import tables
from rag.index.changes import Changes, UntilChanged

if TYPE_CHECKING:
    from sqlalchemy import Engine

DROPPED_AT_ONCE = 5000


@dataclass(frozen=True, slots=True)
class Generation:
    """`facts` are what it is built with: embedder, dim, chunking."""

    number: int
    facts: Mapping[str, str]
    active: bool


class Generations:
    """Reads and writes which generations there are in the database behind `engine`, at `path`."""

    def __init__(self, engine: Engine, path: Path, changes: Changes | None = None) -> None:
        self._engine = engine
        self._path = path
        self._active = UntilChanged(changes or Changes(path), self._read_active)

    def all(self) -> list[Generation]:
        """Every generation, oldest first."""
        with storage_errors(self._path), self._engine.connect() as connection:
            rows = connection.execute(tables.generations().select().order_by(tables.generations().c.number))
            return [Generation(row.number, json.loads(row.facts), row.active) for row in rows]

    def active(self) -> Generation | None:
        """The one that is searched; `None` while nothing was stored."""
        return self._active.get()

    def _read_active(self) -> Generation | None:
        with storage_errors(self._path), self._engine.connect() as connection:
            row = connection.exec_driver_sql("SELECT number, facts FROM generations WHERE active").first()
            return None if row is None else Generation(row.number, json.loads(row.facts), active=True)

    def add(self, facts: Mapping[str, str], *, active: bool) -> Generation:
        """Begin a generation, with a number that no other ever had."""
        row = {"facts": json.dumps(dict(facts), sort_keys=True), "active": active}
        with writing(self._engine, self._path) as connection:
            (number,) = connection.execute(tables.generations().insert(), row).inserted_primary_key or (0,)
        return Generation(int(number), dict(facts), active)

    def switch(self, number: int) -> None:
        """From now on search the generation `number`, at once for every process."""
        generations = tables.generations()
        with writing(self._engine, self._path) as connection:
            connection.execute(generations.update().values(active=generations.c.number == number))

    def retire(self, number: int) -> None:
        """Let a generation be nobody's any more: from now on it may be half of what it was, and is never taken up."""
        generations = tables.generations()
        with writing(self._engine, self._path) as connection:
            connection.execute(generations.update().where(generations.c.number == number).values(facts="{}"))

    def drop(self, number: int) -> None:
        """Forget a generation that is retired, with its chunks; its points are its store's to forget, before."""
        from sqlalchemy import select

        c = tables.chunks().c
        while True:
            with writing(self._engine, self._path) as connection:
                some = select(c.id).where(c.generation == number).limit(DROPPED_AT_ONCE)
                gone = connection.execute(tables.chunks().delete().where(c.generation == number, c.id.in_(some)))
                if gone.rowcount == 0:
                    for table in (tables.indexed(), tables.obsolete()):
                        connection.execute(table.delete().where(table.c.generation == number))
                    connection.execute(tables.generations().delete().where(tables.generations().c.number == number))
                    return
