"""The catalogue: documents come back whole, replacement is atomic, nothing that waits is forgotten."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from plumbline.database import open_database
from plumbline.errors import StorageError
from rag.index.catalogue import Catalogue, FileRecord, Span
from rag.index.tables import catalogue_component
from rag.types import Chunk, Document, Page, Section

TEXT = "Returns\nGoods may be returned within 30 days. 🙂\nShipping\nWe ship to all islands."


def document(text: str = TEXT, doc_id: str = "d1") -> Document:
    return Document(
        id=doc_id,
        source=f"/docs/{doc_id}.pdf",
        name=f"{doc_id}.pdf",
        text=text,
        hash="abc",
        media_type="application/pdf",
        pages=(Page(1, 0, 48), Page(2, 48, len(text))),
        sections=(Section(("Returns",), 0, 48), Section(("Returns", "Shipping"), 48, len(text))),
        created="2026-01-31",
        metadata={"author": "Mara", "tags": ("a", "b"), "size": 3},
    )


def chunk(doc: Document, index: int, start: int, end: int) -> Chunk:
    return Chunk(f"{doc.id}-{start}-{end}", doc.id, index, start, end, doc.text[start:end], 9, page=1)


def record(doc: Document) -> FileRecord:
    return FileRecord(doc.source, "/docs", 10, 20, doc.hash, doc.id)


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    path = tmp_path / "knowledge.db"
    return Catalogue(open_database(path, [catalogue_component()]), path)


def test_a_document_comes_back_whole(catalogue: Catalogue) -> None:
    doc = document()
    catalogue.put_document(doc, [chunk(doc, 0, 0, 20), chunk(doc, 1, 20, 60)], record(doc))
    assert catalogue.document("d1") == doc
    assert catalogue.document("d2") is None
    assert [c.start for c in catalogue.chunks_of("d1")] == [0, 20]
    found = catalogue.chunks(["d1-20-60", "unknown"])
    assert found == {"d1-20-60": (chunk(doc, 1, 20, 60), "d1.pdf")}
    for root in ("/docs", "/docs/", "/", "/docs/d1.pdf"):
        assert catalogue.files(root) == {doc.source: record(doc)}
    for root in ("/other", "/doc", "/docs/d1", "/docs/%", "/d_cs"):
        assert catalogue.files(root) == {}


@given(st.data())
def test_spans_are_counted_in_code_points(data: st.DataObject) -> None:
    import tempfile

    content = data.draw(st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1))
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, len(content)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "knowledge.db"
        engine = open_database(path, [catalogue_component()])
        catalogue = Catalogue(engine, path)
        catalogue.put_document(replace(document(), text=content, pages=(), sections=()), [], None)
        assert catalogue.span("d1", start, end) == Span(content[start:end], None, None)
        engine.dispose()


def test_offsets_are_located(catalogue: Catalogue) -> None:
    doc = document()
    catalogue.put_document(doc, [], None)
    assert catalogue.locate("d1", 0) == (1, "Returns")
    assert catalogue.locate("d1", 47) == (1, "Returns")
    assert catalogue.locate("d1", 48) == (2, "Returns > Shipping")
    assert catalogue.locate("unknown", 0) == (None, None)
    assert catalogue.span("unknown", 0, 5) is None


def test_documents_are_listed_by_name_with_their_pages(catalogue: Catalogue) -> None:
    plain = replace(document(doc_id="d2"), pages=(), name="a.txt")
    for each in (document(), plain):
        catalogue.put_document(each, [], record(each))
    assert [(row["name"], row["pages"]) for row in catalogue.documents()] == [("a.txt", None), ("d1.pdf", 2)]
    assert [row["name"] for row in catalogue.documents("d1")] == ["d1.pdf"]
    assert catalogue.documents("d3") == []


def test_a_replaced_document_names_the_points_to_forget(catalogue: Catalogue) -> None:
    doc = document()
    catalogue.put_document(doc, [chunk(doc, 0, 0, 20), chunk(doc, 1, 20, 60)], record(doc))
    catalogue.mark_indexed(["d1"])
    assert catalogue.waiting() == []
    catalogue.put_document(doc, [chunk(doc, 0, 0, 20), chunk(doc, 1, 20, 50)], record(doc))
    assert catalogue.waiting() == ["d1"]
    assert catalogue.obsolete() == ["d1-20-60"]
    catalogue.put_document(doc, [chunk(doc, 0, 20, 60)], record(doc))
    assert sorted(catalogue.obsolete()) == ["d1-0-20", "d1-20-50"], "a chunk that is back must not be forgotten"
    catalogue.forget_obsolete(["d1-0-20", "d1-20-50"])
    assert catalogue.obsolete() == []


def test_only_indexed_chunks_are_expected_in_the_store(catalogue: Catalogue) -> None:
    for doc_id in ("d1", "d2"):
        doc = document(doc_id=doc_id)
        catalogue.put_document(doc, [chunk(doc, 0, 0, 20)], record(doc))
    catalogue.mark_indexed(["d2"])
    assert catalogue.chunk_ids() == ["d2-0-20"]
    catalogue.wait_again()
    assert catalogue.chunk_ids() == []


def test_removing_a_file_removes_its_document(catalogue: Catalogue) -> None:
    doc = document()
    catalogue.put_document(doc, [chunk(doc, 0, 0, 20)], record(doc))
    catalogue.remove_file(doc.source)
    catalogue.remove_file("unknown")
    assert catalogue.document("d1") is None
    assert catalogue.obsolete() == ["d1-0-20"]
    assert catalogue.totals().documents == 0


def test_a_failure_in_the_middle_keeps_the_old_document(catalogue: Catalogue) -> None:
    doc = document()
    catalogue.put_document(doc, [chunk(doc, 0, 0, 20)], record(doc))
    with catalogue._engine.begin() as connection:
        connection.execute(
            text(
                "CREATE TRIGGER full BEFORE INSERT ON chunks BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
            )
        )
    with pytest.raises(StorageError, match=r"disk is full.*Nothing stored was lost"):
        catalogue.put_document(document("new text"), [chunk(doc, 0, 0, 8)], record(doc))
    assert catalogue.document("d1") == doc
    assert len(catalogue.chunks_of("d1")) == 1


def test_totals_and_facts(catalogue: Catalogue) -> None:
    doc = document()
    catalogue.put_document(doc, [chunk(doc, 0, 0, 20), chunk(doc, 1, 20, 60)], record(doc))
    catalogue.put_file(FileRecord("/docs/bad.pdf", "/docs", 1, 2, "", None, error="it is damaged"))
    totals = catalogue.totals()
    assert (totals.documents, totals.pages, totals.chunks, totals.tokens) == (1, 2, 2, 18)
    assert (totals.characters, totals.waiting, totals.failed_files) == (len(TEXT), 1, 1)
    catalogue.set_facts({"embedder": "a"})
    catalogue.set_facts({"embedder": "b", "dim": "8"})
    assert catalogue.facts() == {"embedder": "b", "dim": "8"}


def test_a_span_says_where_it_stands(catalogue: Catalogue) -> None:
    catalogue.put_document(document(), [], None)
    for start, end in ((0, 7), (8, 45), (40, len(TEXT)), (48, 48), (0, len(TEXT) + 9)):
        assert catalogue.span("d1", start, end) == Span(TEXT[start:end], *catalogue.locate("d1", start))
    assert catalogue.span("d1", 48, 56) == Span("Shipping", 2, "Returns > Shipping")
    assert catalogue.span("unknown", 0, 7) is None
