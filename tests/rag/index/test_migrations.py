"""A knowledge base of the version before labels and fields: searched at once, and complete after an ingestion."""

from __future__ import annotations

import sqlite3
import zlib
from pathlib import Path

from rag import RAG

NEW_IN_POINTS = ("tenant", "title", "modified", "pages", "author")


def made_old(database: Path) -> None:
    """Take the tables back to version 2, with what that version wrote into them."""
    with sqlite3.connect(database) as old:
        old.execute("DROP TABLE labels")
        for seq, heading, text in old.execute("SELECT seq, heading, text FROM points").fetchall():
            before = "\n".join(filter(None, (heading, zlib.decompress(text).decode())))
            old.execute("UPDATE points SET text = ? WHERE seq = ?", (zlib.compress(before.encode()), seq))
        old.execute("ALTER TABLE points DROP COLUMN title")
        old.execute("ALTER TABLE points DROP COLUMN heading")
        for name in NEW_IN_POINTS:
            old.execute("UPDATE points SET payload = json_remove(payload, ?)", (f"$.{name}",))
        old.execute("UPDATE documents SET metadata = json_set(metadata, '$.tenant', 'acme')")  # read in the file itself
        old.execute("UPDATE files SET reading = 'readers 2'")
        old.execute("UPDATE components SET version = 2 WHERE name IN ('catalogue', 'embedded store')")
    old.close()


def test_an_older_knowledge_base_is_searched_at_once_and_read_again(tmp_path: Path, home: Path, docs: Path) -> None:
    (docs / "page.html").write_text("<title>Lighthouse</title><p>The keeper refunds the toll.</p>", encoding="utf-8")
    with RAG.open(tmp_path / "kb", home=home, environ={}) as kb:
        kb.ingest(docs)
        expected = [(hit.document, hit.lexical_score) for hit in kb.search("Lighthouse refund")]
    made_old(tmp_path / "kb" / "knowledge.db")
    with RAG.open(tmp_path / "kb", home=home, environ={}) as kb:
        assert kb.parts.manifest.labels() == {}
        assert kb.search("refund", tenant="acme")
        assert not kb.verify(repair=False).complete, "titles are not found, and fields not filtered by"
        report = kb.ingest(docs)
        assert report.count("updated") == 4
        assert sum(file.embedded for file in report.files) == 0
        assert [(hit.document, hit.lexical_score) for hit in kb.search("Lighthouse refund")] == expected
        assert {hit.document for hit in kb.search("refund", condition="title = 'Lighthouse'")} == {"page.html"}
        assert kb.parts.catalogue.audiences() == [{"tenant": None, "groups": None, "documents": 4}]
        assert kb.verify().complete
