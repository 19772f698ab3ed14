"""The catalogue: documents come back whole, replacement is atomic, nothing that waits is forgotten."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, text

from plumbline.database import open_database
from plumbline.errors import StorageError
from rag.index.backlog import Backlog
from rag.index.catalogue import Catalogue, Span
from rag.index.components import catalogue_component
from rag.index.generations import Generation, Generations
from rag.index.manifest import FileRecord, Manifest
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
    return FileRecord(doc.source, "/docs", "10-20-30", 40, doc.hash, "readers 1")


def stored(catalogue: Catalogue, doc: Document, *chunks: Chunk, generation: int = 1) -> None:
    catalogue.put([(record(doc), [(doc, chunks)])], generation=generation)


def beside(catalogue: Catalogue) -> tuple[Backlog, Manifest, Generations]:
    engine, path = catalogue._engine, catalogue._path
    return Backlog(engine, path), Manifest(engine, path), Generations(engine, path)


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    path = tmp_path / "knowledge.db"
    return Catalogue(open_database(path, [catalogue_component()]), path)


def test_a_document_comes_back_whole(catalogue: Catalogue) -> None:
    doc = document()
    stored(catalogue, doc, chunk(doc, 0, 0, 20), chunk(doc, 1, 20, 60))
    assert catalogue.document("d1") == doc
    assert catalogue.document("d2") is None
    assert [c.start for c in catalogue.chunks_of("d1", generation=1)] == [0, 20]
    found = catalogue.chunks(["d1-20-60", "unknown"], generation=1)
    assert found == {"d1-20-60": (chunk(doc, 1, 20, 60), "d1.pdf")}
    assert catalogue.chunks(["d1-20-60"], generation=2) == {}


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
        catalogue.put_document(replace(document(), text=content, pages=(), sections=()), [])
        assert catalogue.span("d1", start, end) == Span(content[start:end], None, None)
        engine.dispose()


def test_offsets_are_located(catalogue: Catalogue) -> None:
    doc = document()
    catalogue.put_document(doc, [])
    assert catalogue.locate("d1", 0) == (1, "Returns")
    assert catalogue.locate("d1", 47) == (1, "Returns")
    assert catalogue.locate("d1", 48) == (2, "Returns > Shipping")
    assert catalogue.locate("unknown", 0) == (None, None)
    assert catalogue.span("unknown", 0, 5) is None


def test_documents_are_listed_by_name_with_their_pages(catalogue: Catalogue) -> None:
    plain = replace(document(doc_id="d2"), pages=(), name="a.txt")
    for each in (document(), plain):
        stored(catalogue, each)
    assert [(row["name"], row["pages"]) for row in catalogue.documents()] == [("a.txt", None), ("d1.pdf", 2)]
    assert [row["name"] for row in catalogue.documents("d1")] == ["d1.pdf"]
    assert catalogue.documents("d3") == []


def test_a_replaced_document_names_the_points_to_forget(catalogue: Catalogue) -> None:
    beside(catalogue)[2].add({}, active=True)
    doc = document()
    stored(catalogue, doc, chunk(doc, 0, 0, 20), chunk(doc, 1, 20, 60))
    backlog, _, _ = beside(catalogue)
    assert backlog.mark_indexed(["d1", "gone"], generation=1) == {"gone"}
    assert backlog.waiting(generation=1) == []
    assert backlog.waiting(generation=2) == ["d1"]
    stored(catalogue, doc, chunk(doc, 0, 0, 20), chunk(doc, 1, 20, 50))
    assert backlog.waiting(generation=1) == ["d1"]
    assert backlog.obsolete(generation=1) == ["d1-20-60"]
    stored(catalogue, doc, chunk(doc, 0, 20, 60))
    assert sorted(backlog.obsolete(generation=1)) == ["d1-0-20", "d1-20-50"], (
        "a chunk that is back must not be forgotten"
    )
    backlog.forget_obsolete(["d1-0-20", "d1-20-50"], generation=1)
    assert backlog.obsolete(generation=1) == []


def test_only_indexed_chunks_are_expected_in_the_store(catalogue: Catalogue) -> None:
    for doc_id in ("d1", "d2"):
        doc = document(doc_id=doc_id)
        stored(catalogue, doc, chunk(doc, 0, 0, 20))
    backlog, _, _ = beside(catalogue)
    backlog.mark_indexed(["d2"], generation=1)
    assert backlog.chunk_ids(generation=1) == ["d2-0-20"]
    backlog.mark_waiting(["d2"], generation=1)
    assert backlog.chunk_ids(generation=1) == []


def test_removing_a_file_removes_its_document(catalogue: Catalogue) -> None:
    doc = document()
    stored(catalogue, doc, chunk(doc, 0, 0, 20))
    catalogue.remove_files([doc.source, "unknown"])
    backlog, manifest, _ = beside(catalogue)
    assert manifest.file(doc.source) is None
    assert catalogue.document("d1") is None
    assert backlog.obsolete(generation=1) == ["d1-0-20"]
    assert catalogue.totals().documents == 0


def test_a_failure_in_the_middle_keeps_the_old_document(catalogue: Catalogue) -> None:
    doc = document()
    stored(catalogue, doc, chunk(doc, 0, 0, 20))
    with catalogue._engine.begin() as connection:
        connection.execute(
            text(
                "CREATE TRIGGER full BEFORE INSERT ON chunks BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
            )
        )
    with pytest.raises(StorageError, match=r"disk is full.*Nothing stored was lost"):
        stored(catalogue, document("new text"), chunk(doc, 0, 0, 8))
    assert catalogue.document("d1") == doc
    assert len(catalogue.chunks_of("d1", generation=1)) == 1


def test_totals_and_facts(catalogue: Catalogue) -> None:
    doc = document()
    stored(catalogue, doc, chunk(doc, 0, 0, 20), chunk(doc, 1, 20, 60))
    _, manifest, generations = beside(catalogue)
    manifest.put([FileRecord("/docs/bad.pdf", "/docs", "1", 2, "", "", error="it is damaged")])
    generations.add({"embedder": "a"}, active=True)
    totals = catalogue.totals()
    assert (totals.documents, totals.pages, totals.chunks, totals.tokens) == (1, 2, 2, 18)
    assert (totals.characters, totals.waiting, totals.failed_files) == (len(TEXT), 1, 1)
    assert generations.active() == Generation(1, {"embedder": "a"}, active=True)


def test_a_file_gives_what_it_holds_now(catalogue: Catalogue) -> None:
    first, second = document(doc_id="d1"), document(doc_id="d2")
    mail = record(first)
    catalogue.put([(mail, [(first, [chunk(first, 0, 0, 20)]), (second, [chunk(second, 0, 0, 20)])])], generation=1)
    assert {row["file"] for row in catalogue.documents()} == {mail.source}
    catalogue.put([(mail, [(second, [chunk(second, 0, 0, 20)])])], generation=1)
    assert [row["id"] for row in catalogue.documents()] == ["d2"]
    backlog, _, _ = beside(catalogue)
    assert backlog.obsolete(generation=1) == ["d1-0-20"]


def test_a_chunk_finds_the_points_with_its_text(catalogue: Catalogue) -> None:
    doc = document()
    one = chunk(doc, 0, 0, 20)
    stored(catalogue, doc, one)
    backlog, _, _ = beside(catalogue)
    assert backlog.twins([one.hash, "other"], generation=1) == {one.hash: [one.id]}
    assert backlog.twins([one.hash], generation=2) == {}
    catalogue.remove_files([doc.source])
    assert backlog.twins([one.hash], generation=1) == {one.hash: [one.id]}, "until it is forgotten"


def test_a_generation_is_built_beside_another_and_takes_its_place(catalogue: Catalogue) -> None:
    doc = document()
    backlog, _, generations = beside(catalogue)
    old = generations.add({"chunking": "a"}, active=True)
    stored(catalogue, doc, chunk(doc, 0, 0, 20))
    new = generations.add({"chunking": "b"}, active=False)
    catalogue.put_chunks([replace(chunk(doc, 0, 0, 20), parent=(0, 60)), chunk(doc, 1, 20, 60)], generation=new.number)
    assert (catalogue.totals().chunks, generations.active()) == (1, old)
    generations.switch(new.number)
    generations.drop(old.number)
    assert catalogue.totals().chunks == 2
    assert catalogue.chunks_of("d1", generation=old.number) == []
    assert catalogue.chunks_of("d1", generation=new.number)[0].parent == (0, 60)
    assert generations.add({}, active=False).number > new.number, "no number is ever used again"
    assert backlog.waiting(generation=new.number) == ["d1"]


def test_a_span_says_where_it_stands(catalogue: Catalogue) -> None:
    catalogue.put_document(document(), [])
    for start, end in ((0, 7), (8, 45), (40, len(TEXT)), (48, 48), (0, len(TEXT) + 9)):
        assert catalogue.span("d1", start, end) == Span(TEXT[start:end], *catalogue.locate("d1", start))
    assert catalogue.span("d1", 48, 56) == Span("Shipping", 2, "Returns > Shipping")
    assert catalogue.span("unknown", 0, 7) is None


def test_chunks_of_a_document_that_was_just_removed_are_not_kept(catalogue: Catalogue) -> None:
    doc, other = document(), document(doc_id="d2")
    stored(catalogue, doc, chunk(doc, 0, 0, 7))
    stored(catalogue, other)
    catalogue.remove_files([doc.source])
    catalogue.put_chunks([chunk(doc, 0, 0, 7), chunk(other, 0, 0, 7)], generation=2)
    assert catalogue.chunks_of(doc.id, generation=2) == []
    assert len(catalogue.chunks_of(other.id, generation=2)) == 1


def test_what_every_batch_asks_goes_through_an_index(catalogue: Catalogue) -> None:
    """As many rows as there are documents are never walked through to store or to remove a few."""
    asked: list[str] = []
    event.listen(catalogue._engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
    doc = document()
    backlog, manifest, generations = beside(catalogue)
    generations.add({}, active=True)
    stored(catalogue, doc, chunk(doc, 0, 0, 7))
    stored(catalogue, replace(doc, text="Shipping"), chunk(doc, 0, 0, 6))
    backlog.mark_indexed([doc.id], generation=1)
    backlog.twins([chunk(doc, 0, 0, 7).hash], generation=1)
    backlog.forget_obsolete(backlog.obsolete(generation=1), generation=1)
    catalogue.chunks([chunk(doc, 0, 0, 7).id], generation=1)
    catalogue.span(doc.id, 0, 3)
    catalogue.same_text(doc)
    catalogue.having_documents([doc.source])
    list(manifest.files("/docs"))
    catalogue.remove_files([doc.source])
    scans: list[tuple[str, str]] = []
    with catalogue._engine.connect() as connection:
        for statement in {each for each in asked if each.startswith(("SELECT", "DELETE"))}:
            values = (None,) * statement.count("?")
            steps = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
            scans += [(step.detail, statement) for step in steps if step.detail.startswith("SCAN")]
    assert len(asked) > 20
    assert [each for each in scans if "generations" not in each[0] and "CONSTANT" not in each[0]] == []
