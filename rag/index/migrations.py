"""What takes the tables of an older version to the next, with everything that is in them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Connection


def _catalogue_2(connection: Connection) -> None:
    """Generations; several documents to a file; hashes of chunks; files by stamp.

    Stamps and readings are left empty, so that the next ingestion looks at every file again.
    """
    from rag.index import tables

    sql = connection.exec_driver_sql
    facts = {row.name: row.value for row in sql("SELECT name, value FROM facts")}
    old = ("files", "documents", "chunks", "obsolete")
    for index in ("files_by_root", "chunks_by_document"):
        sql(f"DROP INDEX {index}")
    for name in old:
        sql(f"ALTER TABLE {name} RENAME TO {name}_1")
    made = (
        tables.generations(), tables.sources(), tables.files(), tables.documents(), tables.chunks(), tables.indexed(),
        tables.obsolete(),
    )  # fmt: skip
    for table in made:
        table.create(connection)
    if facts:
        sql("INSERT INTO generations VALUES (1, ?, 1)", (json.dumps(facts, sort_keys=True),))
    sql("INSERT INTO files SELECT source, root, '', 0, hash, '', error, NULL FROM files_1")
    sql(
        "INSERT INTO documents SELECT id, source, source, name, hash, '', media_type, language, created, dropped,"
        " metadata, characters, text FROM documents_1"
    )
    sql("INSERT INTO indexed SELECT 1, id FROM documents_1 WHERE indexed")
    sql(
        "INSERT INTO chunks SELECT 1, id, document_id, position, start, \"end\", tokens, '', NULL, NULL, page, section,"
        " context, text FROM chunks_1"
    )
    sql("INSERT INTO obsolete SELECT 1, chunk_id, '' FROM obsolete_1")
    for name in (*(f"{name}_1" for name in old), "facts"):
        sql(f"DROP TABLE {name}")


def _catalogue_3(connection: Connection) -> None:
    """Labels of sources."""
    connection.exec_driver_sql("CREATE TABLE labels (root VARCHAR NOT NULL PRIMARY KEY, labels TEXT NOT NULL)")


def _store_2(connection: Connection) -> None:
    """Points of several generations."""
    sql = connection.exec_driver_sql
    sql("ALTER TABLE points RENAME TO points_1")
    sql(
        "CREATE TABLE points (seq INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, generation INTEGER NOT NULL,"
        " id VARCHAR NOT NULL, vector BLOB NOT NULL, payload TEXT NOT NULL, text BLOB NOT NULL)"
    )
    sql("CREATE UNIQUE INDEX points_by_id ON points (generation, id)")
    sql("CREATE INDEX points_by_seq ON points (generation, seq)")
    sql("INSERT INTO points SELECT seq, 1, id, vector, payload, text FROM points_1")
    sql(
        "UPDATE sqlite_sequence SET seq = max(seq, coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'points_1'),"
        " 0)) WHERE name = 'points'"
    )
    sql("DROP TABLE points_1")


def _store_3(connection: Connection) -> None:
    """Fields of points. What stood in the text before stays there until its document is indexed again."""
    for name in ("title", "heading"):
        connection.exec_driver_sql(f"ALTER TABLE points ADD COLUMN {name} TEXT NOT NULL DEFAULT ''")


CATALOGUE_MIGRATIONS = (_catalogue_2, _catalogue_3)
STORE_MIGRATIONS = (_store_2, _store_3)
