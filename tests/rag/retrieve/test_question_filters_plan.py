"""What a document can satisfy, and what documents are called besides the names of their files."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag import RAG
from rag.index.filters import And, Eq, Exists, Filter, In, Not, Or, Range, matches
from rag.retrieve.question_filters_names import DocumentNames
from rag.retrieve.question_filters_plan import PREFERRED, can_match, limits

DOCUMENT = {"source_document": "a.pdf", "tenant": "acme", "groups": ("staff",)}

leaves: st.SearchStrategy[Filter] = st.sampled_from(
    [
        Eq("tenant", "acme"),
        Eq("tenant", "globex"),
        Eq("groups", "staff"),
        Not(Exists("tenant")),
        Eq("page_number", 1),
        Range("page_number", gte=2),
        Exists("section_heading"),
    ]
)


def grown(parts: st.SearchStrategy[Filter]) -> st.SearchStrategy[Filter]:
    several = st.lists(parts, max_size=3).map(tuple)
    return st.builds(And, several) | st.builds(Or, several) | st.builds(Not, parts)


@given(st.recursive(leaves, grown, max_leaves=6), st.integers(1, 3), st.booleans())
def test_a_document_whose_chunk_matches_can_match(condition: Filter, page: int, headed: bool) -> None:
    chunk = {**DOCUMENT, "page_number": page, **({"section_heading": "A"} if headed else {})}
    if matches(condition, chunk):
        assert can_match(condition, DOCUMENT)


def test_a_document_of_another_cannot() -> None:
    assert not can_match(And((Eq("page_number", 1), Eq("tenant", "globex"))), DOCUMENT)
    assert not can_match(Not(Or((Eq("page_number", 1), Eq("tenant", "acme")))), DOCUMENT)


@pytest.mark.parametrize(
    ("question", "file"),
    [
        ("What did Larkspur Gardens order?", "Larkspur_Gardens/one.txt"),
        ("What is agreed for Project Heron?", "two.md"),
        ("What does Quill Partners charge?", "three.txt"),
    ],
)
def test_folders_titles_and_labels_are_names_too(tmp_path: Path, question: str, file: str) -> None:
    docs, labelled = tmp_path / "docs", tmp_path / "labelled"
    (docs / "Larkspur_Gardens").mkdir(parents=True)
    labelled.mkdir()
    (docs / "Larkspur_Gardens" / "one.txt").write_text("Two hundred tulips.", encoding="utf-8")
    (docs / "two.md").write_text("---\ntitle: Project Heron\n---\nIt begins in May.\n", encoding="utf-8")
    (labelled / "three.txt").write_text("Ninety pounds an hour.", encoding="utf-8")
    with RAG.open(tmp_path / "kb", home=tmp_path / "home", environ={}) as kb:
        kb.ingest(docs)
        kb.ingest(labelled, labels={"supplier": "Quill Partners"})
        names = DocumentNames(kb.parts.engine, tmp_path / "kb" / "knowledge.db", kb.parts.changes)
        found = limits(question, names)
        assert found.narrow is None
        assert [(each.condition, each.weight) for each in found.searches] == [
            (In("source_document", (file,)), PREFERRED)
        ]
        mine = Eq("source_document", "nothing")
        assert limits(question, names, mine).searches == ()
