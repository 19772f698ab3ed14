"""What each generation's store must still learn or forget, and what it must hold in the end."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from plumbline.database import storage_errors, writing
from rag.index import tables
from rag.index.rows import insert, portions

if TYPE_CHECKING:
    from sqlalchemy import Engine


class Backlog:
    """Reads and writes the state of indexing in the database behind `engine`, at `path`."""

    def __init__(self, engine: Engine, path: Path) -> None:
        self._engine = engine
        self._path = path

    def mark_indexed(self, document_ids: Iterable[str], *, generation: int) -> set[str]:
        """The store of the generation now has the points of these documents; returns those removed meanwhile."""
        from sqlalchemy import select

        d, wanted = tables.documents().c, list(document_ids)
        there: set[str] = set()
        with writing(self._engine, self._path) as connection:
            for some in portions(wanted):
                there.update(connection.scalars(select(d.id).where(d.id.in_(some))))
            rows = [{"generation": generation, "document_id": document_id} for document_id in sorted(there)]
            insert(connection, tables.indexed(), rows)
        return set(wanted) - there

    def mark_waiting(self, document_ids: Iterable[str], *, generation: int) -> None:
        """The store of the generation may lack points of these documents."""
        indexed = tables.indexed()
        with writing(self._engine, self._path) as connection:
            for some in portions(list(document_ids)):
                of_these = indexed.c.document_id.in_(some)
                connection.execute(indexed.delete().where(indexed.c.generation == generation, of_these))

    def waiting(self, *, generation: int) -> list[str]:
        """Ids of the documents whose points the store of the generation may lack, in order."""
        from sqlalchemy import select

        d, i = tables.documents().c, tables.indexed().c
        done = select(i.document_id).where(i.generation == generation)
        with storage_errors(self._path), self._engine.connect() as connection:
            return list(connection.scalars(select(d.id).where(d.id.not_in(done)).order_by(d.id)))

    def obsolete(self, *, generation: int) -> list[str]:
        """Ids of the points that the store of the generation must forget."""
        obsolete = tables.obsolete()
        with storage_errors(self._path), self._engine.connect() as connection:
            query = obsolete.select().with_only_columns(obsolete.c.chunk_id)
            return list(connection.scalars(query.where(obsolete.c.generation == generation)))

    def forget_obsolete(self, chunk_ids: Sequence[str], *, generation: int) -> None:
        """The store has forgotten these points."""
        obsolete = tables.obsolete()
        with writing(self._engine, self._path) as connection:
            for some in portions(chunk_ids):
                of_these = obsolete.c.chunk_id.in_(some)
                connection.execute(obsolete.delete().where(obsolete.c.generation == generation, of_these))

    def twins(self, hashes: Collection[str], *, generation: int) -> dict[str, list[str]]:
        """By hash of a chunk, ids of points of the generation whose vector is that of a chunk with this hash.

        The store may have lost one of them: ask it.
        """
        from sqlalchemy import select, union_all

        c, o = tables.chunks().c, tables.obsolete().c
        found: dict[str, list[str]] = {}
        with storage_errors(self._path), self._engine.connect() as connection:
            for some in portions(sorted(hashes)):
                query = union_all(
                    select(c.hash, c.id).where(c.generation == generation, c.hash.in_(some)),
                    select(o.hash, o.chunk_id).where(o.generation == generation, o.hash.in_(some)),
                )
                for row in connection.execute(query):
                    found.setdefault(row[0], []).append(row[1])
        return found

    def chunk_ids(self, *, generation: int) -> list[str]:
        """The ids of all chunks of indexed documents, sorted: what the store of the generation must hold."""
        from sqlalchemy import and_, select

        c, i = tables.chunks().c, tables.indexed()
        indexed = and_(i.c.document_id == c.document_id, i.c.generation == c.generation)
        with storage_errors(self._path), self._engine.connect() as connection:
            query = select(c.id).join(i, indexed).where(c.generation == generation).order_by(c.id)
            return list(connection.scalars(query))
