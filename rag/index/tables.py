"""The tables of a knowledge base: the catalogue's, and those of the embedded store beside it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from plumbline.database import Component

if TYPE_CHECKING:
    from sqlalchemy import MetaData, Table


@cache
def _catalogue() -> MetaData:
    from sqlalchemy import Boolean, Column, Index, Integer, MetaData, String, Table, Text

    tables = MetaData()
    Table("facts", tables, Column("name", String, primary_key=True), Column("value", Text, nullable=False))
    Table(
        "files",
        tables,
        Column("source", String, primary_key=True),
        Column("root", String, nullable=False),
        Column("size", Integer, nullable=False),
        Column("mtime_ns", Integer, nullable=False),
        Column("hash", String, nullable=False),
        Column("document_id", String),
        Column("chunking", Text, nullable=False),
        Column("error", Text),
        Index("files_by_root", "root"),
    )
    Table(
        "documents",
        tables,
        Column("id", String, primary_key=True),
        Column("source", String, nullable=False),
        Column("name", String, nullable=False),
        Column("hash", String, nullable=False),
        Column("media_type", String, nullable=False),
        Column("language", String),
        Column("created", String),
        Column("dropped", Integer, nullable=False),
        Column("metadata", Text, nullable=False),
        Column("characters", Integer, nullable=False),
        Column("indexed", Boolean, nullable=False),
        # The text comes last so that reading the other columns never walks through it.
        Column("text", Text, nullable=False),
    )
    Table(
        "pages",
        tables,
        Column("document_id", String, primary_key=True),
        Column("number", Integer, primary_key=True),
        Column("start", Integer, nullable=False),
        Column("end", Integer, nullable=False),
    )
    Table(
        "sections",
        tables,
        Column("document_id", String, primary_key=True),
        Column("position", Integer, primary_key=True),
        Column("path", Text, nullable=False),
        Column("start", Integer, nullable=False),
        Column("end", Integer, nullable=False),
    )
    Table(
        "chunks",
        tables,
        Column("id", String, primary_key=True),
        Column("document_id", String, nullable=False),
        Column("position", Integer, nullable=False),
        Column("start", Integer, nullable=False),
        Column("end", Integer, nullable=False),
        Column("tokens", Integer, nullable=False),
        Column("page", Integer),
        Column("section", Text),
        Column("context", Text, nullable=False),
        Column("text", Text, nullable=False),
        Index("chunks_by_document", "document_id", "position"),
    )
    Table("obsolete", tables, Column("chunk_id", String, primary_key=True))
    return tables


@cache
def _embedded_store() -> MetaData:
    from sqlalchemy import Column, Integer, LargeBinary, MetaData, String, Table, Text

    tables = MetaData()
    Table(
        "points",
        tables,
        Column("seq", Integer, primary_key=True),
        Column("id", String, nullable=False, unique=True),
        Column("vector", LargeBinary, nullable=False),
        Column("payload", Text, nullable=False),
        # Compressed. The terms of the lexical index are made from it when the index is built.
        Column("text", LargeBinary, nullable=False),
        sqlite_autoincrement=True,
    )
    # One row per removed point; readers that hold it in memory learn from here that it is gone.
    Table(
        "removals",
        tables,
        Column("number", Integer, primary_key=True),
        Column("seq", Integer, nullable=False),
        sqlite_autoincrement=True,
    )
    return tables


def catalogue_component() -> Component:
    """The catalogue's tables, for `open_database`."""
    return Component("catalogue", 1, _catalogue())


def embedded_store_component() -> Component:
    """The embedded store's tables, for `open_database`."""
    return Component("embedded store", 1, _embedded_store())


def facts() -> Table:
    """name → value: what the knowledge base was built with."""
    return _catalogue().tables["facts"]


def files() -> Table:
    """One row per file looked at."""
    return _catalogue().tables["files"]


def documents() -> Table:
    """One row per document, with its text."""
    return _catalogue().tables["documents"]


def pages() -> Table:
    """The spans of pages."""
    return _catalogue().tables["pages"]


def sections() -> Table:
    """The spans of sections."""
    return _catalogue().tables["sections"]


def chunks() -> Table:
    """One row per chunk."""
    return _catalogue().tables["chunks"]


def obsolete() -> Table:
    """Points that the store must still forget."""
    return _catalogue().tables["obsolete"]


def points() -> Table:
    """One row per point of the embedded store; `seq` grows with every write."""
    return _embedded_store().tables["points"]


def removals() -> Table:
    """One row per point removed from the embedded store."""
    return _embedded_store().tables["removals"]
