"""A knowledge base of the first version opens with everything that is in it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from rag import RAG
from rag.ingest.chunk.recursive import RecursiveChunker

OLD_TABLES = """
CREATE TABLE components (name TEXT PRIMARY KEY, version INTEGER NOT NULL);
INSERT INTO components VALUES ('catalogue', 1), ('embedded store', 1);
CREATE TABLE facts (name VARCHAR NOT NULL, value TEXT NOT NULL, PRIMARY KEY (name));
CREATE TABLE files (source VARCHAR NOT NULL, root VARCHAR NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
  hash VARCHAR NOT NULL, document_id VARCHAR, chunking TEXT NOT NULL, error TEXT, PRIMARY KEY (source));
CREATE INDEX files_by_root ON files (root);
CREATE TABLE documents (id VARCHAR NOT NULL, source VARCHAR NOT NULL, name VARCHAR NOT NULL, hash VARCHAR NOT NULL,
  media_type VARCHAR NOT NULL, language VARCHAR, created VARCHAR, dropped INTEGER NOT NULL, metadata TEXT NOT NULL,
  characters INTEGER NOT NULL, indexed BOOLEAN NOT NULL, text TEXT NOT NULL, PRIMARY KEY (id));
CREATE TABLE pages (document_id VARCHAR NOT NULL, number INTEGER NOT NULL, start INTEGER NOT NULL,
  "end" INTEGER NOT NULL, PRIMARY KEY (document_id, number));
CREATE TABLE sections (document_id VARCHAR NOT NULL, position INTEGER NOT NULL, path TEXT NOT NULL,
  start INTEGER NOT NULL, "end" INTEGER NOT NULL, PRIMARY KEY (document_id, position));
CREATE TABLE chunks (id VARCHAR NOT NULL, document_id VARCHAR NOT NULL, position INTEGER NOT NULL,
  start INTEGER NOT NULL, "end" INTEGER NOT NULL, tokens INTEGER NOT NULL, page INTEGER, section TEXT,
  context TEXT NOT NULL, text TEXT NOT NULL, PRIMARY KEY (id));
CREATE INDEX chunks_by_document ON chunks (document_id, position);
CREATE TABLE obsolete (chunk_id VARCHAR NOT NULL, PRIMARY KEY (chunk_id));
CREATE TABLE points (seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, id VARCHAR NOT NULL, vector BLOB NOT NULL,
  payload TEXT NOT NULL, text BLOB NOT NULL, UNIQUE (id));
CREATE TABLE removals (number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, seq INTEGER NOT NULL);
"""


@pytest.fixture
def old(tmp_path: Path, docs: Path) -> Path:
    """A knowledge base as the first version wrote it, with one of the files of `docs` and a file that failed."""
    import zlib

    text = "Gift cards can be redeemed for two years."
    file = docs / "returns.md"
    vector = np.full(256, 1 / 16, np.float32).tobytes()
    kb = tmp_path / "old"
    kb.mkdir()
    with sqlite3.connect(kb / "knowledge.db") as connection:
        connection.executescript(OLD_TABLES)
        run = connection.execute
        facts = {"embedder": "embedded/wordllama", "dim": "256", "chunking": RecursiveChunker().name}
        connection.executemany("INSERT INTO facts VALUES (?, ?)", facts.items())
        run("INSERT INTO files VALUES (?, ?, 1, 2, 'h', 'd', 'recursive', NULL)", (str(file), str(docs)))
        run("INSERT INTO files VALUES (?, ?, 1, 2, '', NULL, 'recursive', 'broken')", (f"{docs}/x.pdf", str(docs)))
        run(
            "INSERT INTO documents VALUES ('d', ?, 'returns.md', 'h', 'text/markdown', NULL, NULL, 0, '{}', ?, 1, ?)",
            (str(file), len(text), text),
        )
        run("INSERT INTO chunks VALUES ('c', 'd', 0, 0, ?, 9, NULL, NULL, '', ?)", (len(text), text))
        run("INSERT INTO points VALUES (7, 'c', ?, '{}', ?)", (vector, zlib.compress(text.encode())))
        run("DELETE FROM sqlite_sequence")
        run("INSERT INTO sqlite_sequence VALUES ('points', 9)")
    return kb


def test_what_was_stored_is_found(old: Path, home: Path) -> None:
    with RAG.open(old, home=home, environ={}) as kb:
        assert kb.search("gift cards")[0].chunk.text == "Gift cards can be redeemed for two years."
        state = kb.status()
        assert (state.totals.documents, state.totals.waiting, state.totals.failed_files) == (1, 0, 1)
        assert state.facts["embedder"] == "embedded/wordllama"
        with kb.parts.engine.connect() as connection:
            tables = set(connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'").scalars())
            counters = "SELECT seq FROM sqlite_sequence WHERE name = 'points'"
            sequence = connection.exec_driver_sql(counters).scalar_one()
        assert not {name for name in tables if name.endswith("_1")} | (tables & {"facts"})
        assert sequence == 9, "numbers once given to points are not given again"


def test_the_next_ingestion_reads_everything_again(old: Path, home: Path, docs: Path) -> None:
    with RAG.open(old, home=home, environ={}) as kb:
        report = kb.ingest(docs)
        assert {file.name: file.outcome for file in report.files}["returns.md"] == "updated"
        assert kb.verify().left == ()
