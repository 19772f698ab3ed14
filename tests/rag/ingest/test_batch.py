"""Files whose text is there already are left out where the settings say so, and come back when it is gone."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from rag import RAG
from rag.config import build_ingestor
from rag.ingest.batch import FILES, PAID_FILES, Batch
from rag.ingest.chunk import Forecast
from rag.ingest.chunk.recursive import RecursiveChunker
from rag.ingest.item import Item
from rag.ingest.plan import Step
from rag.ingest.prepare import Prepared
from rag.types import Document
from routing.chat import Usage
from tests.rag.ingest.test_sync import outcomes

TEXT = "# Opening hours\n\nThe shop in Tromsø opens at nine.\n"


@pytest.fixture
def skipping(tmp_path: Path, home: Path) -> Iterator[RAG]:
    with RAG.open(tmp_path / "kb", home=home, environ={}, settings={"loading.duplicates": "skip"}) as kb:
        yield kb


def stored(kb: RAG) -> list[str]:
    return [row["name"] for row in kb.status().documents]


def test_the_first_of_a_batch_is_kept(skipping: RAG, docs: Path) -> None:
    for name in ("a.md", "b.md", "c.md"):
        (docs / name).write_text(TEXT, "utf-8")
    report = skipping.ingest(docs)
    assert (outcomes(report)["a.md"], outcomes(report)["b.md"], outcomes(report)["c.md"]) == (
        "added",
        "skipped",
        "skipped",
    )
    assert [name for name in stored(skipping) if len(name) == 4] == ["a.md"]
    assert set(outcomes(skipping.ingest(docs)).values()) == {"unchanged"}


@pytest.mark.parametrize("kept", ["a.md", "z.md"])
@pytest.mark.parametrize("how", ["vanishes", "changes"])
def test_no_text_is_lost_when_the_kept_file_goes(skipping: RAG, docs: Path, kept: str, how: str) -> None:
    (docs / kept).write_text(TEXT, "utf-8")
    skipping.ingest(docs)
    (docs / "m.md").write_text(TEXT, "utf-8")
    assert outcomes(skipping.ingest(docs))["m.md"] == "skipped"
    if how == "vanishes":
        (docs / kept).unlink()
    else:
        (docs / kept).write_text("# Something else\n\nNothing of the kind.\n", "utf-8")
    skipping.ingest(docs)
    assert "m.md" in stored(skipping)
    assert skipping.search("Tromsø")[0].document == "m.md"
    assert skipping.verify(repair=False).found == ()


def test_a_copy_made_while_its_original_changes_is_kept(skipping: RAG, docs: Path) -> None:
    (docs / "z.md").write_text(TEXT, "utf-8")
    skipping.ingest(docs)
    (docs / "z.md").rename(docs / "a.md")
    (docs / "z.md").write_text("# Something else\n\nNothing of the kind.\n", "utf-8")
    skipping.ingest(docs)
    assert {"a.md", "z.md"} <= set(stored(skipping))
    assert skipping.search("Tromsø")[0].document == "a.md"


def test_a_rehearsal_names_duplicates_too(skipping: RAG, docs: Path) -> None:
    (docs / "a.md").write_text(TEXT, "utf-8")
    (docs / "b.md").write_text(TEXT, "utf-8")
    rehearsed = outcomes(skipping.ingest(docs, dry_run=True))
    assert rehearsed == outcomes(skipping.ingest(docs))
    (docs / "c.md").write_text(TEXT, "utf-8")
    assert outcomes(skipping.ingest(docs, dry_run=True))["c.md"] == "skipped"


def test_what_was_left_out_comes_in_when_copies_are_kept_again(
    skipping: RAG, tmp_path: Path, home: Path, docs: Path
) -> None:
    for name in ("a.md", "b.md"):
        (docs / name).write_text(TEXT, "utf-8")
    skipping.ingest(docs)
    with RAG.open(tmp_path / "kb", home=home, environ={}) as kb:
        kb.ingest(docs)
        assert {"a.md", "b.md"} <= set(stored(kb))


def test_a_part_of_an_archive_that_was_left_out_comes_back(skipping: RAG, docs: Path) -> None:
    (docs / "a.md").write_text(TEXT, "utf-8")
    with zipfile.ZipFile(docs / "z.zip", "w") as archive:
        archive.writestr("copy.md", TEXT)
        archive.writestr("own.md", "# Own\n\nThis stands in the archive alone.\n")
    skipping.ingest(docs)
    assert [name for name in stored(skipping) if "z.zip" in name] == ["z.zip!/own.md"]
    assert skipping.ingest(docs).count("unchanged") == 5
    (docs / "a.md").unlink()
    skipping.ingest(docs)
    assert [name for name in stored(skipping) if "z.zip" in name] == ["z.zip!/copy.md", "z.zip!/own.md"]


def test_two_files_that_swap_their_texts_lose_none(skipping: RAG, docs: Path) -> None:
    other = "# Prices\n\nA ticket to Bodø costs nine crowns.\n"
    for first, second in ((TEXT, other), (other, TEXT)):
        (docs / "a.md").write_text(first, "utf-8")
        (docs / "b.md").write_text(second, "utf-8")
        skipping.ingest(docs)
        assert {"a.md", "b.md"} <= set(stored(skipping))
    assert skipping.search("Bodø")[0].document == "a.md"


@pytest.mark.parametrize(("priced", "most"), [(True, PAID_FILES), (False, FILES)])
def test_what_a_model_was_paid_for_is_stored_soon(kb: RAG, priced: bool, most: int) -> None:
    class Paid(RecursiveChunker):
        """Costs nothing, but says that it might."""

        def forecast(self, document: Document) -> Forecast:
            return Forecast(0, Usage(), Decimal(0))

    indexer = build_ingestor(kb.parts).indexer
    indexer = replace(indexer, chunker=Paid() if priced else indexer.chunker)
    batch = Batch(indexer, kb.parts.manifest, "/docs", lambda source, root: "readers", "keep")
    taken = 0
    while not batch.full:
        item = Item(f"/docs/{taken}.md", f"{taken}.md", "", 1, "")
        batch.add(Prepared(item), Step("read", item))
        taken += 1
    assert taken == most
