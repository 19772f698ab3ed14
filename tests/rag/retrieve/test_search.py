"""A search while another process changes over to another index finds what is in the one or in the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from plumbline.errors import StorageError
from rag import RAG
from rag.index.embedded import EmbeddedStore
from rag.index.store import Found, Point, Search
from rag.retrieve.access import EVERYTHING, Access

SMALL = {"chunking.size": 16, "chunking.overlap": 0}


@pytest.fixture
def built(tmp_path: Path, home: Path, docs: Path) -> Path:
    for n in range(40):
        (docs / f"note {n}.md").write_text(f"# Note {n}\n\nThe parcel {n} goes to Iceland.\n", "utf-8")
    with RAG.open(tmp_path / "kb", home=home, environ={}) as kb:
        kb.ingest(docs)
    return tmp_path / "kb"


def test_an_index_that_is_being_removed_is_searched_no_more(
    built: Path, home: Path, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The changeover takes place between the start of a search and its look at the store, half of which is gone."""
    search = EmbeddedStore.search
    meanwhile: list[Callable[[], object]] = []

    async def late(self: EmbeddedStore, wanted: Search) -> Found:
        if meanwhile:
            meanwhile.pop()()
        return await search(self, wanted)

    def changed_over() -> None:
        with RAG.open(built, home=home, environ={}, settings=SMALL) as writer:
            number = writer.parts.live.current().generation
            writer.ingest(docs)
        with reader.parts.engine.begin() as connection:
            # As if the removal of the old index stood half-way: some points and all chunks are there.
            connection.exec_driver_sql(
                "INSERT INTO points SELECT NULL, ?, id, vector, payload, title, heading, text FROM points", (number,)
            )
            connection.exec_driver_sql(
                'INSERT INTO chunks SELECT ?, id, document_id, position, start, "end", tokens, hash, parent_start,'
                " parent_end, page, section, context, text FROM chunks WHERE position = 0 LIMIT 3",
                (number,),
            )

    with RAG.open(built, home=home, environ={}) as reader:
        monkeypatch.setattr(EmbeddedStore, "search", late)
        meanwhile.append(changed_over)
        hits = reader.search("parcel Iceland", top_k=20)
        assert not meanwhile
        assert len(hits) == 20
        assert [hit.chunk.id for hit in hits] == [hit.chunk.id for hit in reader.search("parcel Iceland", top_k=20)]
        assert list(reader.parts.live._stores) == [2], "the index that was replaced is held in memory no more"


def test_words_in_quotes_must_stand_so_in_what_is_found(kb: RAG, docs: Path) -> None:
    kb.ingest(docs)
    assert len(kb.search("refund paid shipping")) > 1
    for mode in ("hybrid", "dense", "lexical"):
        with RAG.open(kb.parts.path, home=kb.parts.home.path, environ={}, settings={"retrieval.mode": mode}) as other:
            assert [hit.document for hit in other.search('"Refunds are paid within"')] == ["returns.md"]
            assert other.search('"paid are refunds"') == []


@pytest.mark.parametrize("expand", ["none", "passages"])
def test_what_was_given_to_others_is_closed_before_the_store_hears_of_it(
    kb: RAG, docs: Path, monkeypatch: pytest.MonkeyPatch, expand: str
) -> None:
    """The ingestion dies between the catalogue and the store."""
    kb.ingest(docs)

    async def dies(self: EmbeddedStore, points: Sequence[Point]) -> None:
        raise StorageError("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(EmbeddedStore, "upsert", dies)
        with pytest.raises(StorageError):
            kb.ingest(docs, labels={"tenant": "acme", "groups": ["board"]})
    with RAG.open(kb.parts.path, home=kb.parts.home.path, environ={}, settings={"retrieval.expand": expand}) as other:
        for who in (Access(), Access("globex", ("board",)), Access("acme")):
            assert other.search("refund shipping shop", access=who) == []
            assert other.ask("How long is the refund window?", access=who).hits == ()
        assert other.search("refund shipping shop", access=EVERYTHING)
        assert other.search("refund shipping shop", access=Access("acme", ("board", "staff")))
        assert other.verify().complete
        assert other.search("refund shipping shop", access=Access("acme")) == []


@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
def test_what_a_question_names_comes_first_and_others_fill_up(kb: RAG, docs: Path, mode: str) -> None:
    kb.ingest(docs)
    settings = {"retrieval.mode": mode, "retrieval.question.filters": True}
    with RAG.open(kb.parts.path, home=kb.parts.home.path, environ={}, settings=settings) as other:
        question = "What does returns.md say about a parcel to Iceland?"
        found = other.explain(question, top_k=2)
        assert [hit.document for hit in found.hits] == ["returns.md", "more/shipping 🙂.md"]
        assert found.hits[0].score >= found.hits[1].score
        assert found.notes[-1] == "Only 1 passage matched there; the others are from elsewhere."
        assert len(found.searches) == 2
        alone = other.explain(question, top_k=1)
        assert [hit.document for hit in alone.hits] == ["returns.md"]
        assert (len(alone.notes), len(alone.searches)) == (1, 1), "nothing lacked"


def test_what_the_caller_limits_is_not_filled_up(kb: RAG, docs: Path) -> None:
    kb.ingest(docs)
    settings = {"retrieval.question.filters": True}
    with RAG.open(kb.parts.path, home=kb.parts.home.path, environ={}, settings=settings) as other:
        question = "What does returns.md say about a parcel to Iceland?"
        found = other.explain(question, condition="source_document != 'shops.csv'")
        assert {hit.document for hit in found.hits} == {"returns.md", "more/shipping 🙂.md"}
        found = other.explain(question, condition="source_document = 'returns.md'")
        assert [hit.document for hit in found.hits] == ["returns.md"]


def test_where_nothing_matches_what_a_question_names_everything_is_searched(kb: RAG, docs: Path) -> None:
    kb.ingest(docs)
    settings = {"retrieval.question.filters": True}
    with RAG.open(kb.parts.path, home=kb.parts.home.path, environ={}, settings=settings) as other:
        found = other.explain('"cost 12 euros" in shops.csv')
        assert [hit.document for hit in found.hits] == ["more/shipping 🙂.md"]
        assert found.notes[-1] == "Nothing matched there, so everything was searched."


def test_the_searches_of_a_plan_run_at_the_same_time(kb: RAG, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kb.ingest(docs)
    search, running, most = EmbeddedStore.search, 0, 0

    async def watched(self: EmbeddedStore, wanted: Search) -> Found:
        nonlocal running, most
        running += 1
        await asyncio.sleep(0)
        most = max(most, running)
        running -= 1
        return await search(self, wanted)

    settings = {"retrieval.question.filters": True}
    with RAG.open(kb.parts.path, home=kb.parts.home.path, environ={}, settings=settings) as other:
        question = "What do returns say about Iceland?"
        before = other.explain(question)
        monkeypatch.setattr(EmbeddedStore, "search", watched)
        found = other.explain(question)
    assert most == len(found.searches) == 2
    assert found.searches == before.searches
    assert found.hits == before.hits


@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
def test_a_condition_that_holds_nowhere_is_told_from_words_that_are_not_there(kb: RAG, docs: Path, mode: str) -> None:
    kb.ingest(docs, labels={"tenant": "acme", "year": 2024})
    with RAG.open(kb.parts.path, home=kb.parts.home.path, environ={}, settings={"retrieval.mode": mode}) as other:
        found = other.explain("Iceland", condition="year = 1999", tenant="acme")
        assert (found.hits, found.unmatched, found.notes) == (
            [],
            "No chunk matches year = 1999.",
            ("No chunk matches year = 1999.",),
        )
        answer = other.ask("How long is the refund window?", condition="year = 1999", tenant="acme")
        assert (answer.refused, answer.note) == (True, "No chunk matches year = 1999.")
        assert "No chunk matches" in str(answer)
        assert other.explain('"no such words"', condition="year = 2024", tenant="acme").unmatched is None
        assert other.explain('"no such words"').unmatched is None, "whom it is for is no condition of the caller's"
