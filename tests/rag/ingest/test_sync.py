"""Ingestion keeps a knowledge base in step with a folder, whatever stops it half-way."""

from __future__ import annotations

import builtins
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from plumbline.errors import InputError, StorageError
from rag import RAG
from rag.index.backlog import Backlog
from rag.ingest.chunk.recursive import RecursiveChunker
from rag.ingest.item import Item, PassedOver
from rag.ingest.report import FileOutcome, IngestReport, Progress
from rag.types import Chunk, Document
from routing.errors import ConnectionFailedError
from routing.testing.fakes import FakeEmbedder


def outcomes(report: IngestReport) -> dict[str, str]:
    return {file.name: file.outcome for file in report.files}


def found(kb: RAG, query: str) -> list[str]:
    return [hit.document for hit in kb.search(query) if hit.lexical_rank is not None]


def test_everything_is_added_once(kb: RAG, docs: Path) -> None:
    first = kb.ingest(docs)
    assert outcomes(first) == {"more/shipping 🙂.md": "added", "returns.md": "added", "shops.csv": "added"}
    assert first.cost == 0
    assert all(file.chunks >= 1 and file.characters > 0 and file.tokens > 0 for file in first.files)
    second = kb.ingest(docs)
    assert set(outcomes(second).values()) == {"unchanged"}
    assert kb.status().totals.documents == 3


def test_every_chunk_is_a_span_of_its_document(kb: RAG, docs: Path) -> None:
    kb.ingest(docs)
    catalogue = kb._parts.catalogue
    for row in catalogue.documents():
        document = catalogue.document(row["id"])
        assert document is not None
        chunks = catalogue.chunks_of(row["id"], generation=1)
        assert chunks
        for chunk in chunks:
            assert document.text[chunk.start : chunk.end] == chunk.text


def test_a_changed_file_replaces_its_document(kb: RAG, docs: Path) -> None:
    kb.ingest(docs)
    (docs / "shops.csv").write_text("shop,city,opens\nGrand Bazaar,Reykjavik,8:00\n", encoding="utf-8")
    assert outcomes(kb.ingest(docs))["shops.csv"] == "updated"
    assert found(kb, "Reykjavik Bazaar") == ["shops.csv"]
    assert found(kb, "Malmö") == []


def test_a_touched_file_is_not_read_again(kb: RAG, docs: Path) -> None:
    kb.ingest(docs)
    os.utime(docs / "shops.csv", (1, 1))
    assert outcomes(kb.ingest(docs))["shops.csv"] == "unchanged"


def test_afresh_reads_everything(kb: RAG, docs: Path) -> None:
    kb.ingest(docs)
    assert set(outcomes(kb.ingest(docs, afresh=True)).values()) <= {"added", "updated"}
    assert kb.status().totals.documents == 3


def test_a_vanished_file_is_removed_unless_it_is_kept(kb: RAG, docs: Path) -> None:
    kb.ingest(docs)
    (docs / "shops.csv").unlink()
    assert "shops.csv" not in outcomes(kb.ingest(docs, keep_missing=True))
    assert found(kb, "Malmö") == ["shops.csv"]
    assert outcomes(kb.ingest(docs))["shops.csv"] == "removed"
    assert found(kb, "Malmö") == []


def test_the_last_file_may_vanish_too(kb: RAG, docs: Path) -> None:
    folder = docs / "more"
    kb.ingest(folder)
    (folder / "shipping 🙂.md").unlink()
    with pytest.raises(InputError, match=r"1 documents ingested from there are kept.*--allow-empty"):
        kb.ingest(folder)
    assert kb.status().totals.documents == 1
    assert kb.ingest(folder, allow_empty=True).count("removed") == 1
    assert kb.status().totals.documents == 0


def test_a_folder_that_is_not_mounted_empties_nothing(kb: RAG, docs: Path) -> None:
    kb.ingest(docs)
    docs.rename(docs.with_name("elsewhere"))
    with pytest.raises(InputError, match=r"no file or folder at.*3 documents"):
        kb.ingest(docs)
    assert found(kb, "Malmö") == ["shops.csv"]


def test_what_cannot_be_looked_at_is_not_taken_for_gone(kb: RAG, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kb.ingest(docs)
    real_list, real_stat = os.scandir, os.stat

    def scandir(path: Any) -> Any:
        if str(path).endswith("more"):
            raise PermissionError(13, "Permission denied", path)
        return real_list(path)

    def stat(path: Any, **kwargs: Any) -> os.stat_result:
        if str(path).endswith("shops.csv"):
            raise PermissionError(13, "Permission denied", path)
        return real_stat(path, **kwargs)

    monkeypatch.setattr(os, "scandir", scandir)
    monkeypatch.setattr(os, "stat", stat)
    report = kb.ingest(docs)
    assert report.count("removed") == 0
    assert outcomes(report)["more"] == "failed"
    monkeypatch.undo()
    assert kb.status().totals.documents == 3


def test_a_document_is_one_whichever_folder_it_was_named_through(kb: RAG, docs: Path) -> None:
    kb.ingest(docs)
    inner = docs / "more" / "shipping 🙂.md"
    assert kb.ingest(inner).count("unchanged") == 1
    inner.write_text("# Shipping\n\nParcels to Greenland take 20 days.\n", encoding="utf-8")
    assert outcomes(kb.ingest(docs / "more")) == {"more/shipping 🙂.md": "updated"}
    inner.unlink()
    assert outcomes(kb.ingest(docs))["more/shipping 🙂.md"] == "removed"
    assert found(kb, "Greenland") == []


def test_what_could_not_be_read_is_tried_again(kb: RAG, docs: Path, tmp_path: Path, home: Path) -> None:
    small = {"loading.max_file_bytes": 40}
    with RAG.open(tmp_path / "kb2", home=home, environ={}, settings=small) as strict:
        assert {file.name for file in strict.ingest(docs).failed} == {"returns.md", "more/shipping 🙂.md", "shops.csv"}
    with RAG.open(tmp_path / "kb2", home=home, environ={}) as lenient:
        assert lenient.ingest(docs).count("added") == 3


def test_a_file_name_that_is_no_text_is_shown_and_read(kb: RAG, docs: Path) -> None:
    Path(os.fsdecode(os.fsencode(docs) + b"/inv\xff.txt")).write_text("The zebra crossing opens in May.", "utf-8")
    report = kb.ingest(docs)
    assert report.count("added") == 4
    assert found(kb, "zebra crossing") == ["inv\\xff.txt"]
    assert kb.ingest(docs).count("unchanged") == 4


def test_a_pipe_is_passed_over(kb: RAG, docs: Path) -> None:
    os.mkfifo(docs / "pipe.txt")
    assert outcomes(kb.ingest(docs))["pipe.txt"] == "skipped"


def test_an_unexpected_failure_of_one_file_stops_no_other(kb: RAG, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = RecursiveChunker.split

    def split(self: RecursiveChunker, document: Document) -> list[Chunk]:
        if document.name == "shops.csv":
            raise ZeroDivisionError("division by zero")
        return real(self, document)

    monkeypatch.setattr(RecursiveChunker, "split", split)
    report = kb.ingest(docs)
    assert report.count("added") == 2
    assert report.failed[0].reason == "unexpected ZeroDivisionError: division by zero"


def test_an_ingestion_that_finds_nothing_binds_to_no_embedder(tmp_path: Path, home: Path, docs: Path) -> None:
    with RAG.open(tmp_path / "kb", home=home, environ={}) as kb, pytest.raises(InputError):
        kb.ingest(tmp_path / "nowhere")
    with RAG.open(tmp_path / "kb", home=home, environ={}, embedder=FakeEmbedder()) as kb:
        assert kb.ingest(docs).count("added") == 3


def test_other_folders_are_left_alone(kb: RAG, docs: Path, tmp_path: Path) -> None:
    kb.ingest(docs)
    other = tmp_path / "other"
    other.mkdir()
    (other / "returns.md").write_text("Another company accepts returns for 14 days.", encoding="utf-8")
    assert outcomes(kb.ingest(other)) == {"returns.md": "added"}
    assert kb.status().totals.documents == 4


def test_a_single_file(kb: RAG, docs: Path) -> None:
    assert outcomes(kb.ingest(docs / "returns.md")) == {"returns.md": "added"}


def test_bad_files_stop_nothing(kb: RAG, docs: Path) -> None:
    (docs / "empty.txt").write_bytes(b"")
    (docs / "binary.txt").write_bytes(bytes(range(256)) * 40)
    (docs / "broken.pdf").write_bytes(b"%PDF-1.7\n" + b"garbage" * 50)
    (docs / "broken.docx").write_bytes(b"PK\x03\x04 not a zip")
    (docs / "picture.xyz").write_bytes(b"?")
    report = kb.ingest(docs)
    assert report.count("added") == 3
    failed = {file.name: file.reason for file in report.failed}
    assert set(failed) == {"empty.txt", "binary.txt", "broken.pdf", "broken.docx"}
    assert all(failed.values())
    assert outcomes(report)["picture.xyz"] == "skipped"
    again = kb.ingest(docs)
    assert {file.name for file in again.failed} == set(failed), "what cannot be read must be said every time"
    assert kb.status().totals.failed_files == 4


def test_a_file_that_breaks_later_keeps_its_document(kb: RAG, docs: Path) -> None:
    kb.ingest(docs)
    (docs / "shops.csv").write_bytes(b"")
    (failed,) = kb.ingest(docs).failed
    assert "kept" in failed.notes[0]
    assert found(kb, "Malmö") == ["shops.csv"]
    (docs / "shops.csv").write_text("shop,city\nPier,Oslo\n", encoding="utf-8")
    assert outcomes(kb.ingest(docs))["shops.csv"] == "updated"


def test_no_permission_is_reported(kb: RAG, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.open

    def refuse(path: Any, *args: Any, **kwargs: Any) -> Any:
        if str(path).endswith("shops.csv"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *args, **kwargs)

    monkeypatch.setattr(builtins, "open", refuse)
    monkeypatch.setattr("io.open", refuse)
    (failed,) = kb.ingest(docs).failed
    assert failed.name == "shops.csv"
    assert "ermission denied" in (failed.reason or "")


def test_an_empty_and_a_missing_folder(kb: RAG, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    with pytest.raises(InputError, match="nothing to ingest"):
        kb.ingest(tmp_path / "nothing")
    with pytest.raises(InputError, match="no file or folder"):
        kb.ingest(tmp_path / "nowhere")
    (tmp_path / "nothing" / "x.xyz").write_text("?", encoding="utf-8")
    with pytest.raises(InputError, match="1 files there are of kinds that cannot be read"):
        kb.ingest(tmp_path / "nothing")


def test_progress_is_told_file_by_file(kb: RAG, docs: Path) -> None:
    seen: list[Progress] = []
    kb.ingest(docs, on_progress=seen.append)
    assert [(p.done, p.total) for p in seen] == [(1, 3), (2, 3), (3, 3)]
    assert all(isinstance(p.last, FileOutcome) for p in seen)


def test_an_interruption_keeps_what_was_stored_and_the_next_run_goes_on(kb: RAG, docs: Path) -> None:
    class Stop(Exception):
        pass

    def interrupt(progress: Progress) -> None:
        raise Stop

    with pytest.raises(Stop):
        kb.ingest(docs, on_progress=interrupt)
    stored = kb.status().totals.documents
    assert stored >= 1
    report = kb.ingest(docs)
    assert (report.count("unchanged"), report.count("added")) == (stored, 3 - stored)


def test_a_crash_between_catalogue_and_store_is_made_good(kb: RAG, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = kb._parts.store
    real = type(store).upsert

    async def crash(self: Any, points: Sequence[Any]) -> None:
        raise StorageError("The disk is full.")

    monkeypatch.setattr(type(store), "upsert", crash)
    with pytest.raises(StorageError):
        kb.ingest(docs)
    assert kb.status().totals.waiting == 3
    monkeypatch.setattr(type(store), "upsert", real)
    kb.ingest(docs)
    assert kb.status().totals.waiting == 0
    assert sorted(kb._loop.run(store.ids())) == Backlog(kb.parts.engine, kb.parts.path).chunk_ids(generation=1)
    assert found(kb, "Iceland") == ["more/shipping 🙂.md"]


def test_an_embedder_that_fails_loses_nothing(kb: RAG, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kb.ingest(docs / "returns.md")
    embedder = type(kb._parts.embedder.embedder)
    real = embedder.embed_passages

    async def offline(self: Any, texts: Sequence[str]) -> Any:
        raise ConnectionFailedError("no route", model="openai/x")

    monkeypatch.setattr(embedder, "embed_passages", offline)
    with pytest.raises(ConnectionFailedError):
        kb.ingest(docs)
    monkeypatch.setattr(embedder, "embed_passages", real)
    assert found(kb, "gift cards") == ["returns.md"]
    assert kb.ingest(docs).count("failed") == 0
    assert kb.status().totals.waiting == 0


@pytest.mark.parametrize("last", [True, False])
def test_many_files_that_are_gone_are_removed_some_at_a_time(
    kb: RAG, docs: Path, monkeypatch: pytest.MonkeyPatch, last: bool
) -> None:
    monkeypatch.setattr("rag.ingest.sync.MISSING", 2)
    for n in range(7):
        (docs / f"a{n}.md").write_text(f"# Note {n}\n", "utf-8")
    kb.ingest(docs)
    for path in docs.glob("*" if last else "a*"):
        if path.is_file():
            path.unlink()
    kept = {"more/shipping 🙂.md"} if last else {"more/shipping 🙂.md", "returns.md", "shops.csv"}
    gone = 9 if last else 7
    assert kb.ingest(docs, dry_run=True).count("removed") == gone
    assert kb.status().totals.documents == 10
    assert kb.ingest(docs).count("removed") == gone
    assert {row["name"] for row in kb.status().documents} == kept
    (docs / "more" / "shipping 🙂.md").unlink()
    kb.ingest(docs, allow_empty=True)
    assert {row["name"] for row in kb.status().documents} == kept - {"more/shipping 🙂.md"}


def test_many_files_that_are_gone_with_their_folder(kb: RAG, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag.ingest.sync.MISSING", 2)
    for n in range(7):
        (docs / f"a{n}.md").write_text(f"# Note {n}\n", "utf-8")
    kb.ingest(docs)
    docs.rename(docs.with_name("elsewhere"))
    with pytest.raises(InputError):
        kb.ingest(docs)
    assert kb.status().totals.documents == 10
    assert kb.ingest(docs, allow_empty=True).count("removed") == 10
    assert kb.status().totals.documents == 0


class OutOfReach:
    """A source whose files are there and cannot be reached."""

    root = "list.urls"

    def items(self) -> Iterator[Item | PassedOver]:
        yield PassedOver("http://x/a.md", "a.md", "connection refused", failed=True)

    def is_gone(self, source: str) -> bool:
        return False


def test_files_out_of_reach_are_not_taken_for_kinds_that_are_not_read(kb: RAG) -> None:
    with pytest.raises(InputError, match=r"None of the 1 files.*connection refused") as caught:
        kb.ingest(OutOfReach())
    assert "allow" not in (caught.value.hint or "")
