"""The chunker suite accepts ours and catches what it is there to catch."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest

from plumbline.text.tokens import tokenizer
from rag.ingest.chunk import chunks_from
from rag.ingest.chunk.recursive import RecursiveChunker
from rag.testing.chunker import check_chunker
from rag.types import Chunk, Document


class Spoiled:
    """Our chunker with one thing wrong."""

    name = "spoiled"

    def __init__(self, spoil: Callable[[Document, list[Chunk]], list[Chunk]]) -> None:
        self._spoil = spoil

    async def chunk(self, document: Document) -> list[Chunk]:
        return self._spoil(document, await RecursiveChunker(size=64, overlap=8).chunk(document))


class Words:
    """The smallest chunker that fits: a chunk per word, and no base class."""

    name = "words"

    async def chunk(self, document: Document) -> list[Chunk]:
        spans, at = [], 0
        for word in document.text.split():
            start = document.text.index(word, at)
            at = start + len(word)
            spans.append((start, at, tokenizer().count(word)))
        return chunks_from(document, spans)


async def test_a_minimal_chunker_of_a_stranger_passes():
    await check_chunker(Words())


def late(document: Document, chunks: list[Chunk], by: int) -> list[Chunk]:
    """Chunks that begin too late, in the first word that they share with the one before."""
    made = chunks[:1]
    for before, chunk in pairwise(chunks):
        start = chunk.start + by
        text = document.text[start : chunk.end]
        inside = start < before.end and " " not in document.text[chunk.start : start + 1]
        made.append(replace(chunk, start=start, text=text, tokens=tokenizer().count(text)) if inside else chunk)
    return made


Spoil = Callable[[Document, list[Chunk]], list[Chunk]]

SPOILS: dict[str, Spoil] = {
    "not a span": lambda d, c: [replace(x, end=len(d.text) + 1) for x in c],
    "white space": lambda d, c: [
        replace(x, end=x.end + 1, text=d.text[x.start : x.end + 1]) if x.end < len(d.text) else x for x in c
    ],
    "the document has": lambda d, c: [replace(x, text=x.text.upper()) for x in c],
    "is in no chunk": lambda d, c: c[:-1],
    "index is": lambda d, c: [replace(x, index=x.index + 1) for x in c],
    "starts no later": lambda d, c: [y for x in c for y in (x, replace(x, index=x.index + 1))][:2] if c else [],
    "share an id": lambda d, c: [replace(x, id="same") for x in c],
    "page is": lambda d, c: [replace(x, page=99) for x in c],
    "section is": lambda d, c: [replace(x, section="Elsewhere") for x in c],
    "tokens is": lambda d, c: [replace(x, tokens=x.tokens + 1) for x in c],
    "inside a word": lambda d, c: late(d, c, 2) if d.name == "wrapped lines" else c,
    "inside a character": lambda d, c: late(d, c, 1) if d.name == "combining" else c,
    "does not lie in its parent": lambda d, c: [replace(x, parent=(x.start + 1, x.end)) for x in c],
    "the parents .* overlap": lambda d, c: [replace(x, parent=(x.start, x.end)) for x in c],
    "is in no child": lambda d, c: c[:1] + [replace(x, parent=(0, len(d.text))) for x in c[1:]],
    "document_id": lambda d, c: [replace(x, document_id="other") for x in c],
}


@pytest.mark.parametrize("wrong", SPOILS)
async def test_it_catches(wrong: str):
    with pytest.raises(AssertionError, match=wrong):
        await check_chunker(Spoiled(SPOILS[wrong]), max_tokens=64, count=tokenizer().count)


async def test_it_catches_a_broken_budget():
    with pytest.raises(AssertionError, match="48 are allowed"):
        await check_chunker(RecursiveChunker(size=64, overlap=8), max_tokens=48, count=tokenizer().count)


async def test_it_catches_chunks_that_share_characters():
    with pytest.raises(AssertionError, match="both hold"):
        await check_chunker(RecursiveChunker(size=64, overlap=8), overlap=False)


async def test_it_catches_ids_that_change():
    class Restless(Words):
        calls = 0

        async def chunk(self, document: Document) -> list[Chunk]:
            self.calls += 1
            return [replace(chunk, id=f"{chunk.id}{self.calls}") for chunk in await super().chunk(document)]

    with pytest.raises(AssertionError, match="other ids"):
        await check_chunker(Restless())
