"""The tables of a knowledge base: the catalogue's, and those of the embedded store beside it.

A *generation* is one way of cutting and embedding the documents. Documents, pages and sections are there once; chunks
and points belong to a generation, so that another way can be built beside the one that is searched.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import MetaData, Table


@cache
def catalogue_tables() -> MetaData:
    """All tables of the catalogue."""
    from sqlalchemy import MetaData

    tables = MetaData()
    _add_manifest(tables)
    _add_documents(tables)
    _add_chunks(tables)
    return tables


def _add_manifest(tables: MetaData) -> None:
    from sqlalchemy import Boolean, Column, Index, Integer, String, Table, Text

    Table(
        "generations",
        tables,
        Column("number", Integer, primary_key=True),
        Column("facts", Text, nullable=False),
        Column("active", Boolean, nullable=False),
        sqlite_autoincrement=True,
    )
    Table(
        "sources",
        tables,
        Column("root", String, primary_key=True),
        Column("finished", String, nullable=False),
        Column("counts", Text, nullable=False),
    )
    # What the user said of all documents of a source.
    Table("labels", tables, Column("root", String, primary_key=True), Column("labels", Text, nullable=False))
    Table(
        "files",
        tables,
        Column("source", String, primary_key=True),
        Column("root", String, nullable=False),
        Column("stamp", String, nullable=False),
        Column("seen_ns", Integer, nullable=False),
        Column("hash", String, nullable=False),
        Column("reading", String, nullable=False),
        Column("error", Text),
        Column("duplicate_of", String),
        Index("files_of_root", "root", "source"),
    )


def _add_documents(tables: MetaData) -> None:
    from sqlalchemy import Column, Index, Integer, String, Table, Text

    Table(
        "documents",
        tables,
        Column("id", String, primary_key=True),
        Column("file", String, nullable=False),
        Column("source", String, nullable=False),
        Column("name", String, nullable=False),
        Column("hash", String, nullable=False),
        Column("fingerprint", String, nullable=False),
        Column("media_type", String, nullable=False),
        Column("language", String),
        Column("created", String),
        Column("dropped", Integer, nullable=False),
        Column("metadata", Text, nullable=False),
        Column("characters", Integer, nullable=False),
        # The text comes last so that reading the other columns never walks through it.
        Column("text", Text, nullable=False),
        Index("documents_of_file", "file"),
        Index("documents_by_fingerprint", "fingerprint"),
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


def _add_chunks(tables: MetaData) -> None:
    from sqlalchemy import Column, Index, Integer, String, Table, Text

    Table(
        "chunks",
        tables,
        Column("generation", Integer, primary_key=True),
        Column("id", String, primary_key=True),
        Column("document_id", String, nullable=False),
        Column("position", Integer, nullable=False),
        Column("start", Integer, nullable=False),
        Column("end", Integer, nullable=False),
        Column("tokens", Integer, nullable=False),
        Column("hash", String, nullable=False),
        Column("parent_start", Integer),
        Column("parent_end", Integer),
        Column("page", Integer),
        Column("section", Text),
        Column("context", Text, nullable=False),
        Column("text", Text, nullable=False),
        # With the span in it, where chunks lie is told without walking through their texts.
        Index("chunks_of_document", "document_id", "generation", "position", "start", "end"),
        Index("chunks_by_hash", "generation", "hash"),
    )
    # Documents whose points the store of that generation has.
    Table(
        "indexed",
        tables,
        Column("generation", Integer, primary_key=True),
        Column("document_id", String, primary_key=True),
    )
    # Points that the store of that generation must still forget; until then their vectors can be used again.
    Table(
        "obsolete",
        tables,
        Column("generation", Integer, primary_key=True),
        Column("chunk_id", String, primary_key=True),
        Column("hash", String, nullable=False),
        Index("obsolete_by_hash", "generation", "hash"),
    )


@cache
def store_tables() -> MetaData:
    """All tables of the embedded store."""
    from sqlalchemy import Column, Index, Integer, LargeBinary, MetaData, String, Table, Text

    tables = MetaData()
    Table(
        "points",
        tables,
        Column("seq", Integer, primary_key=True),
        Column("generation", Integer, nullable=False),
        Column("id", String, nullable=False),
        Column("vector", LargeBinary, nullable=False),
        Column("payload", Text, nullable=False),
        Column("title", Text, nullable=False),
        Column("heading", Text, nullable=False),
        # Compressed. The terms of the lexical index are made from it when the index is built.
        Column("text", LargeBinary, nullable=False),
        Index("points_by_id", "generation", "id", unique=True),
        Index("points_by_seq", "generation", "seq"),
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


def generations() -> Table:
    """One row per way of cutting and embedding; at most one is active."""
    return catalogue_tables().tables["generations"]


def sources() -> Table:
    """One row per folder (or other source) ingested, with the counts of its last run."""
    return catalogue_tables().tables["sources"]


def labels() -> Table:
    """One row per source of whose documents something was said."""
    return catalogue_tables().tables["labels"]


def files() -> Table:
    """One row per file looked at."""
    return catalogue_tables().tables["files"]


def documents() -> Table:
    """One row per document, with its text."""
    return catalogue_tables().tables["documents"]


def pages() -> Table:
    """The spans of pages."""
    return catalogue_tables().tables["pages"]


def sections() -> Table:
    """The spans of sections."""
    return catalogue_tables().tables["sections"]


def chunks() -> Table:
    """One row per chunk and generation."""
    return catalogue_tables().tables["chunks"]


def indexed() -> Table:
    """The documents that each generation's store holds."""
    return catalogue_tables().tables["indexed"]


def obsolete() -> Table:
    """Points that the store must still forget."""
    return catalogue_tables().tables["obsolete"]


def points() -> Table:
    """One row per point of the embedded store; `seq` grows with every write."""
    return store_tables().tables["points"]


def removals() -> Table:
    """One row per point removed from the embedded store."""
    return store_tables().tables["removals"]
