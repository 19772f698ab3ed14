from collections.abc import Iterator
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from plumbline.errors import InputError
from rag.ingest.item import Item
from rag.ingest.source import given
from rag.ingest.source.given import GivenSource, document_from_text
from rag.types import Document


def document(source: str, text: str = "Some text.", **fields: Any) -> Document:
    return document_from_text(text, source=source, **fields)


def items(source: GivenSource) -> list[Item]:
    found = [each for each in source.items() if isinstance(each, Item)]
    assert len(found) == len(list(source.items()))
    return found


def test_a_document_from_text_is_clean_and_says_what_was_dropped() -> None:
    made = document_from_text(
        "# Fees\r\n\0None\ud800.\n",
        source="db://notes/7",
        media_type="text/markdown",
        created="2026-01-02",
        metadata={"owner": "me"},
    )
    assert (made.text, made.dropped) == ("# Fees\nNone.\n", 2)
    assert (made.name, made.created, made.metadata) == ("7", "2026-01-02", {"owner": "me"})
    assert [(each.path, each.start, each.end) for each in made.sections] == [(("Fees",), 0, len(made.text))]
    assert document("x", "# Fees").sections == ()


def test_ids_are_stable_over_edits_and_hashes_are_not() -> None:
    one, other = document("a", "one"), document("a", "two", name="A")
    assert one.id == other.id != document("b").id
    assert one.hash != other.hash


@pytest.mark.parametrize("spool", [16 * 2**20, 10])
def test_documents_come_in_order_however_often_they_are_asked_for(monkeypatch: pytest.MonkeyPatch, spool: int) -> None:
    monkeypatch.setattr(given, "_IN_MEMORY_BYTES", spool)
    made = [document(name, f"Text of {name} ü.") for name in ("b", "c/d", "a", "c")]

    def stream() -> Iterator[Document]:
        yield from made

    source = GivenSource(stream())
    for _ in range(2):
        assert [each.document for each in items(source)] == sorted(made, key=lambda each: each.source)
    assert next((each.source, each.name, each.size) for each in items(source)) == ("a", "a", 13)


def test_stamps_change_with_anything_about_a_document() -> None:
    first = document("a", metadata={"x": 1, "y": 2})
    variants = [
        first,
        replace(first, text="Other"),
        replace(first, name="b"),
        replace(first, created="2026-01-01"),
        replace(first, metadata={"x": 2, "y": 2}),
    ]
    stamps = [items(GivenSource([each]))[0].stamp for each in variants]
    assert len(set(stamps)) == len(variants)
    same = replace(first, metadata=MappingProxyType({"y": 2, "x": 1}))
    assert items(GivenSource([same]))[0].stamp == stamps[0]


def test_nothing_is_removed_unless_what_is_given_is_all() -> None:
    documents = [document("a")]
    assert not GivenSource(documents).is_gone("b")
    complete = GivenSource(documents, "notes", complete=True)
    assert (complete.root, complete.is_gone("a"), complete.is_gone("b")) == ("notes", False, True)


def test_what_cannot_be_taken_is_named() -> None:
    wrong: Any = [document("a"), "text"]
    with pytest.raises(InputError, match="document 2 is a str"):
        GivenSource(wrong)
    with pytest.raises(InputError, match="Document 3 has a source that another has already: 'a'"):
        GivenSource([document("a"), document("b"), document("a", "again")])
