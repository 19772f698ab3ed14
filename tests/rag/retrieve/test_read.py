"""What is read where chunks were found: spans stay exact, nothing is read twice."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from rag import RAG
from rag.types import Hit

PARAGRAPHS = [
    "The harbour was built of granite in 1871. Ships from Bergen used it every week.",
    "Refunds are paid within thirty days of purchase. The receipt has to be shown. Gift cards are not refunded.",
    "The orchard behind the mill gives apples and pears. Children pick them in autumn.",
    "Parcels travel by sea for nine days. Parcels by air take two days and cost more.",
]
TEXT = "# Handbook\n\n" + "\n\n".join(f"## Part {n}\n\n{text}" for n, text in enumerate(PARAGRAPHS * 3)) + "\n"


def opened(folder: Path, **settings: Any) -> RAG:
    docs = folder / "docs"
    docs.mkdir(exist_ok=True)
    (docs / "handbook.md").write_text(TEXT, encoding="utf-8")
    (docs / "other.md").write_text("# Other\n\nNothing is said here about money.\n", encoding="utf-8")
    kb = RAG.open(folder / "kb", home=folder / "home", environ={}, settings=settings)
    kb.ingest(docs)
    return kb


def check_spans(kb: RAG, hits: list[Hit]) -> None:
    for hit in hits:
        document = kb.document(hit.chunk.document_id)
        assert document is not None
        assert document.text[hit.chunk.start : hit.chunk.end] == hit.chunk.text
    spans = [(hit.document, hit.chunk.start, hit.chunk.end) for hit in hits]
    for (one, start, end), (other, begin, stop) in combinations(spans, 2):
        assert one != other or end <= begin or stop <= start, "no two share a character"


PARENTS = {"chunking.chunker": "parent_child", "chunking.size": 16, "chunking.overlap": 0, "chunking.parent_size": 64}
PASSAGES = {"retrieval.expand": "passages", "chunking.size": 24, "chunking.overlap": 0}


@pytest.mark.parametrize("settings", [PARENTS, PASSAGES], ids=["parents", "passages"])
@pytest.mark.parametrize("mode", ["dense", "lexical", "hybrid"])
def test_spans_are_exact_and_apart(tmp_path: Path, settings: dict[str, Any], mode: str) -> None:
    with opened(tmp_path, **settings, **{"retrieval.mode": mode}) as kb:
        hits = kb.search("How fast are refunds paid?", top_k=5)
        assert hits
        check_spans(kb, hits)
        assert "Refunds are paid within thirty days" in hits[0].chunk.text
        assert hits == kb.search("How fast are refunds paid?", top_k=5)


def test_a_parent_is_read_once_where_its_best_child_stands(tmp_path: Path) -> None:
    with opened(tmp_path, **PARENTS) as kb:
        hits = kb.search("refunds receipt gift cards", top_k=3)
        assert len({(hit.chunk.start, hit.chunk.end) for hit in hits}) == len(hits) == 3
        best = hits[0]
        assert best.lexical_rank is not None
        assert 16 < best.chunk.tokens <= 64
        assert best.chunk.section is not None


def test_a_passage_holds_what_matters_and_no_more(tmp_path: Path) -> None:
    with opened(tmp_path, **PASSAGES, **{"retrieval.passage_characters": 120}) as kb:
        hits = kb.search("Are gift cards refunded?", top_k=3)
        check_spans(kb, hits)
        assert all(len(hit.chunk.text) <= 120 for hit in hits)
        assert "Gift cards are not refunded." in hits[0].chunk.text
        assert "harbour" not in hits[0].chunk.text
        assert hits[0].chunk.section is not None
        assert hits[0].chunk.section.startswith("Handbook > Part")
        assert kb.ask("Are gift cards refunded?").citations


def test_by_default_whole_chunks_have_room_for_their_neighbours(tmp_path: Path) -> None:
    text = "\n\n".join(f"Step {n} sets the valve of pump {n % 7} and reads its gauge twice." for n in range(200))
    (tmp_path / "manual.txt").write_text(text, encoding="utf-8")
    settings = {"retrieval.expand": "neighbours"}
    with RAG.open(tmp_path / "kb", home=tmp_path / "home", environ={}, settings=settings) as base:
        base.ingest(tmp_path / "manual.txt")
        found = base.search("step 100")[0].chunk
        assert found.text == text[found.start : found.end]
        assert found.tokens > 2 * 512
