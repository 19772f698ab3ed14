"""The manifest: which files were looked at, in which state, and how far the ingestion of each source came."""

from __future__ import annotations

import heapq
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plumbline.database import storage_errors, writing
from rag.index import tables
from rag.index.rows import metadata_from_json
from rag.types import MetadataValue

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Engine

ROWS_PER_READ = 1000


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A file as it was when last looked at.

    `root` names the source it was first read from, `stamp` changes with its content as far as can be told without
    reading, `seen_ns` is when it was looked at (ns since the epoch), `hash` the SHA-256 of its bytes, `reading` how it
    was read. `error` says why it could not be read, or is `None`; `duplicate_of` are the fingerprints, with spaces
    between, of the texts that it repeats, for which it or parts of it were left out.
    """

    source: str
    root: str
    stamp: str
    seen_ns: int
    hash: str
    reading: str
    error: str | None = None
    duplicate_of: str | None = None


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """A source that was ingested: when its last run finished (ISO 8601), and how many files had which outcome."""

    root: str
    finished: str
    counts: Mapping[str, int]


class Manifest:
    """Reads and writes the manifest in the database behind `engine`, which lies at `path`."""

    def __init__(self, engine: Engine, path: Path) -> None:
        self._engine = engine
        self._path = path

    def files(self, root: str) -> Iterator[FileRecord]:
        """What is known of the file `root`, of files below the folder `root` and of what was read as `root`, ordered
        by source. Rows are read as they are asked for, some at a time: no reading is left open, behind which the log of
        a long run's writing could only grow.
        """
        from sqlalchemy import and_, or_

        f = tables.files().c
        below, outside = _below(root), or_(f.source <= _below(root)[0], f.source >= _below(root)[1])
        inside = and_(f.source > below[0], f.source < below[1])
        streams = map(self._pages, (and_(f.source == root, outside), inside, and_(f.root == root, outside)))
        last = None
        for record in heapq.merge(*streams, key=lambda record: record.source):
            if record.source != last:
                yield record
            last = record.source

    def _pages(self, condition: ColumnElement[bool]) -> Iterator[FileRecord]:
        """The files for which `condition`, a range of one index, holds, by source."""
        files, after = tables.files(), ""
        while True:
            query = files.select().where(condition, files.c.source > after).order_by(files.c.source)
            with storage_errors(self._path), self._engine.connect() as connection:
                rows = connection.execute(query.limit(ROWS_PER_READ)).mappings().all()
            for row in rows:
                yield FileRecord(**row)
            if len(rows) < ROWS_PER_READ:
                return
            after = rows[-1]["source"]

    def count(self, root: str) -> int:
        """How many files `files` gives."""
        from sqlalchemy import func, select

        with storage_errors(self._path), self._engine.connect() as connection:
            return connection.scalar(select(func.count()).select_from(tables.files()).where(_belongs(root))) or 0

    def repeating(self, root: str) -> Iterator[FileRecord]:
        """Those of `files` that repeat texts which, as far as one look tells, are not there any more."""
        from sqlalchemy import select

        files, fingerprint = tables.files(), tables.documents().c.fingerprint
        there = select(fingerprint).where(fingerprint == files.c.duplicate_of).exists()
        query = files.select().where(_belongs(root), files.c.duplicate_of.is_not(None), ~there)
        with storage_errors(self._path), self._engine.connect() as connection:
            for row in connection.execution_options(yield_per=ROWS_PER_READ).execute(query).mappings():
                yield FileRecord(**row)

    def file(self, source: str) -> FileRecord | None:
        """What is known of one file, or `None`."""
        files = tables.files()
        with storage_errors(self._path), self._engine.connect() as connection:
            row = connection.execute(files.select().where(files.c.source == source)).mappings().first()
            return None if row is None else FileRecord(**row)

    def put(self, records: Sequence[FileRecord]) -> None:
        """Remember files that were looked at and gave nothing new."""
        with writing(self._engine, self._path) as connection:
            put_files(connection, records)

    def distrust(self, sources: Collection[str]) -> None:
        """Let the files that gave the documents at these addresses be read again, whatever their stamps say."""
        from sqlalchemy import select

        files, d = tables.files(), tables.documents().c
        with writing(self._engine, self._path) as connection:
            for source in sources:
                of_document = select(d.file).where(d.source == source)
                connection.execute(files.update().where(files.c.source.in_(of_document)).values(reading=""))

    def failed(self) -> list[FileRecord]:
        """The files that could not be read, by source."""
        files = tables.files()
        with storage_errors(self._path), self._engine.connect() as connection:
            query = files.select().where(files.c.error.is_not(None)).order_by(files.c.source)
            return [FileRecord(**row) for row in connection.execute(query).mappings()]

    def finish(self, root: str, counts: Mapping[str, int]) -> None:
        """Remember that a run over the source `root` came to its end just now."""
        sources = tables.sources()
        row: dict[str, Any] = {
            "root": root,
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "counts": json.dumps(dict(counts), sort_keys=True),
        }
        with writing(self._engine, self._path) as connection:
            connection.execute(sources.insert().prefix_with("OR REPLACE"), row)

    def label(self, root: str, labels: Mapping[str, MetadataValue]) -> None:
        """Say this of all documents of the source `root`, in place of what was said before; empty: nothing."""
        table = tables.labels()
        with writing(self._engine, self._path) as connection:
            connection.execute(table.delete().where(table.c.root == root))
            if labels:
                row = {"root": root, "labels": json.dumps(dict(labels), ensure_ascii=False, sort_keys=True)}
                connection.execute(table.insert(), row)

    def labels(self) -> dict[str, dict[str, MetadataValue]]:
        """What was said of sources, by their roots."""
        with storage_errors(self._path), self._engine.connect() as connection:
            rows = connection.execute(tables.labels().select()).all()
        return {row.root: metadata_from_json(row.labels) for row in rows}

    def sources(self) -> list[SourceRecord]:
        """Every source that was ingested and of which files are known, by name."""
        sources = tables.sources()
        with storage_errors(self._path), self._engine.connect() as connection:
            rows = connection.execute(sources.select().order_by(sources.c.root)).all()
        return [SourceRecord(row.root, row.finished, json.loads(row.counts)) for row in rows if self.count(row.root)]

    def read_without(self, ending: str) -> int:
        """How many files gave documents that were read otherwise than so that `reading` ends like that."""
        from sqlalchemy import func, select

        f, d = tables.files().c, tables.documents().c
        gave = select(d.id).where(d.file == f.source).exists()
        otherwise = select(func.count()).select_from(tables.files()).where(gave, f.reading.not_like(f"%{ending}"))
        with storage_errors(self._path), self._engine.connect() as connection:
            return connection.scalar(otherwise) or 0


def put_files(connection: Connection, records: Sequence[FileRecord]) -> None:
    """Write records inside a transaction of the caller's."""
    if records:
        rows = [{name: getattr(record, name) for name in FileRecord.__slots__} for record in records]
        connection.execute(tables.files().insert().prefix_with("OR REPLACE"), rows)


def _belongs(root: str) -> ColumnElement[bool]:
    """Ranges of the index, no scan."""
    from sqlalchemy import and_, or_

    f, (first, end) = tables.files().c, _below(root)
    return or_(f.source == root, and_(f.source > first, f.source < end), f.root == root)


def _below(root: str) -> tuple[str, str]:
    """What lies below `root` lies between these: "0" is what follows "/" in the order of characters."""
    below = root.rstrip("/")
    return f"{below}/", f"{below}0"
