from __future__ import annotations

from pathlib import Path

from evals.corpus import ingested
from evals.formats.entries import Entries, entries
from rag import RAG

TEXTS = {
    "4983": ("Parcels to Norway", "Nothing is said here about where it goes."),
    "22": ("", "A kettle boils."),
    "7": ("Violins", ""),
}


def corpus(path: Path, **changes: tuple[str, str]) -> Entries:
    return entries(path, TEXTS | changes)


async def test_titles_are_titles(tmp_path: Path) -> None:
    async with RAG.open(tmp_path / "kb", home=tmp_path) as kb:
        assert await ingested(kb, corpus(tmp_path / "corpus.jsonl")) == []
        (norway, *_), (violins, *_) = await kb.asearch("norway parcels"), await kb.asearch("violins")
        (point,) = await kb.parts.live.current().store.get([norway.chunk.id])
    assert (norway.document, norway.chunk.text) == ("4983", TEXTS["4983"][1])
    assert norway.chunk.context.endswith("Parcels to Norway")
    assert (point.title, point.text) == ("Parcels to Norway", TEXTS["4983"][1])
    assert (violins.document, violins.chunk.text) == ("7", "Violins")


async def test_what_is_unchanged_stays_and_what_is_gone_goes(tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl"
    async with RAG.open(tmp_path / "kb", home=tmp_path) as kb:
        await ingested(kb, corpus(path))
        before = {row["name"]: row for row in kb.status().documents}
        changed = corpus(path, **{"22": ("Kettles", "A kettle boils.")})
        assert await ingested(kb, Entries(path, changed.documents[:2])) == []
        after = {row["name"]: row for row in kb.status().documents}
        (kettle, *_) = await kb.asearch("kettles")
    assert set(after) == {"4983", "22"}
    assert after["4983"] == before["4983"]
    assert kettle.chunk.section == "Kettles"
