"""Verification finds every way in which a knowledge base can be incomplete, and repairs it."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from plumbline.locks import lock_file
from rag import RAG
from rag.index.backlog import Backlog
from rag.ingest.locking import LOCK_FILE
from rag.ingest.verify import Finding, Kind
from tests.rag.ingest.source.web import Page, serving


def kinds(found: Iterable[Finding]) -> set[str]:
    return {finding.kind for finding in found}


def exported(kb: RAG) -> str:
    text = io.StringIO()
    kb.export(text)
    return text.getvalue()


def sql(kb: RAG, statement: str) -> None:
    with kb.parts.engine.begin() as connection:
        connection.exec_driver_sql(statement)


def lose_a_point(kb: RAG) -> None:
    (first, *_) = kb._loop.run(kb.parts.store.ids())
    kb._loop.run(kb.parts.store.delete([first]))


def spoil_a_vector(kb: RAG) -> None:
    sql(kb, f"UPDATE points SET vector = x'{np.full(256, 2, np.float32).tobytes().hex()}' WHERE seq = 1")


def exchange_a_text(kb: RAG) -> None:
    points = kb._loop.run(kb.parts.store.get(kb._loop.run(kb.parts.store.ids())[:2]))
    kb._loop.run(kb.parts.store.upsert([replace(points[0], text=points[1].text)]))


def leave_a_stray(kb: RAG) -> None:
    (point,) = kb._loop.run(kb.parts.store.get(kb._loop.run(kb.parts.store.ids())[:1]))
    kb._loop.run(kb.parts.store.upsert([replace(point, id="stray")]))


def forget_to_index(kb: RAG) -> None:
    sql(kb, "DELETE FROM indexed WHERE document_id = (SELECT id FROM documents WHERE name = 'shops.csv')")


def damage_a_chunk(kb: RAG) -> None:
    sql(kb, "UPDATE chunks SET text = 'forged' WHERE document_id = (SELECT id FROM documents WHERE name = 'shops.csv')")


def lose_a_chunk(kb: RAG) -> None:
    sql(
        kb,
        "DELETE FROM chunks WHERE document_id = (SELECT id FROM documents WHERE name = 'shops.csv') AND position = 0",
    )


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lose_a_point, {"missing"}),
        (spoil_a_vector, {"vector"}),
        (exchange_a_text, {"vector"}),
        (leave_a_stray, {"stray"}),
        (forget_to_index, {"waiting"}),
        (damage_a_chunk, {"text", "vector"}),
        (lose_a_chunk, {"text", "stray"}),
    ],
)
def test_damage_is_found_and_repaired(kb: RAG, docs: Path, damage: Callable[[RAG], None], expected: set[Kind]) -> None:
    kb.ingest(docs)
    whole = exported(kb)
    damage(kb)
    seen = kb.verify(repair=False)
    assert kinds(seen.found) >= expected - {"stray"}
    assert seen.left == seen.found
    assert not seen.complete
    repaired = kb.verify()
    assert kinds(repaired.found) >= expected - {"stray"}
    assert repaired.left == ()
    assert repaired.complete
    assert exported(kb) == whole
    assert kb.verify().found == ()


def test_a_whole_knowledge_base_is_proven_so(kb: RAG, docs: Path) -> None:
    kb.ingest(docs)
    seen = kb.verify()
    assert (seen.files, seen.documents, seen.found) == (3, 3, ())
    assert seen.chunks == kb.status().totals.chunks
    assert seen.characters == kb.status().totals.characters


def test_files_that_are_not_indexed_are_found_and_ingested(kb: RAG, docs: Path) -> None:
    kb.ingest(docs)
    (docs / "new.md").write_text("# New\n\nThe new shop opens in Tromsø.\n", encoding="utf-8")
    (docs / "returns.md").write_text("# Returns\n\nThere are none.\n", encoding="utf-8")
    (docs / "shops.csv").unlink()
    seen = kb.verify(repair=False)
    assert sorted((finding.kind, Path(finding.where).name) for finding in seen.found) == [
        ("changed", "new.md"),
        ("changed", "returns.md"),
        ("gone", "shops.csv"),
    ]
    assert kb.verify().complete
    assert {row["name"] for row in kb.status().documents} == {"new.md", "returns.md", "more/shipping 🙂.md"}


def test_a_file_that_cannot_be_read_leaves_it_incomplete(kb: RAG, docs: Path) -> None:
    (docs / "bad.txt").write_bytes(bytes(range(256)) * 40)
    kb.ingest(docs)
    seen = kb.verify()
    assert kinds(seen.left) == {"unreadable"}
    assert "bad.txt" in seen.left[0].where


def test_a_folder_out_of_reach_is_said_and_nothing_is_removed(kb: RAG, docs: Path) -> None:
    kb.ingest(docs)
    docs.rename(docs.with_name("elsewhere"))
    seen = kb.verify()
    assert kinds(seen.left) == {"out of reach"}
    assert kb.status().totals.documents == 3


def test_the_export_depends_on_contents_alone(tmp_path: Path, home: Path, docs: Path) -> None:
    with RAG.open(tmp_path / "a", home=home, environ={}) as first:
        first.ingest(docs)
        one = exported(first)
    with RAG.open(tmp_path / "b", home=home, environ={}) as second:
        second.ingest(docs / "shops.csv")
        second.ingest(docs)
        second.ingest(docs, afresh=True)
        two = exported(second)
    assert one.count('"vector"') == one.count('"postings"') == 3
    assert one == two


def test_no_ingestion_runs_while_it_is_proven(kb: RAG, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kb.ingest(docs)
    lose_a_point(kb)
    free: list[bool] = []
    chunk_ids = Backlog.chunk_ids

    def watched(self: Backlog, *, generation: int) -> list[str]:
        with (kb.parts.path / LOCK_FILE).open("w") as file:
            free.append(lock_file(file))
        return chunk_ids(self, generation=generation)

    monkeypatch.setattr(Backlog, "chunk_ids", watched)
    assert kb.verify().complete
    assert free == [False, False]


def test_a_page_without_a_stamp_is_read_to_prove_it_unchanged(kb: RAG) -> None:
    with serving() as web:
        web.pages["/a.md"] = Page(b"# Opening hours\n\nFrom nine to five.\n")
        kb.ingest(f"{web.url}/a.md")
        assert kb.verify(repair=False).found == ()
        web.pages["/a.md"] = Page(b"# Opening hours\n\nFrom ten to five.\n")
        assert kinds(kb.verify(repair=False).found) == {"changed"}
        assert kb.verify().complete
        web.pages.clear()
        assert not kb.verify(repair=False).complete


def test_many_chunks_are_proven_some_at_a_time(kb: RAG, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kb.ingest(docs)
    whole, seen = exported(kb), kb.verify()
    monkeypatch.setattr("rag.ingest.verify.CHUNKS_AT_ONCE", 1)
    monkeypatch.setattr("rag.index.export.LINES_AT_ONCE", 1)
    assert (exported(kb), kb.verify()) == (whole, seen)
    lose_a_point(kb)
    assert kinds(kb.verify(repair=False).found) == {"missing"}


def test_a_source_of_which_nothing_is_left_is_no_longer_looked_for(kb: RAG, docs: Path) -> None:
    kb.ingest(docs)
    kb.ingest(docs / "shops.csv")
    assert len(kb.status().sources) == 2
    (docs / "shops.csv").unlink()
    kb.ingest(docs)
    assert [source.root for source in kb.status().sources] == [str(docs)]
    assert kb.verify().found == ()
