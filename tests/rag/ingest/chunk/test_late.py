import numpy as np
import pytest

from plumbline.errors import ConfigError
from plumbline.text.tokens import tokenizer
from rag.ingest.chunk import ChunkEmbedder
from rag.ingest.chunk.late import LateChunker
from rag.testing.chunker import check_chunker
from rag.types import Document
from routing.meter import billed
from routing.models.embedded import EmbeddedEmbedder
from routing.testing.fakes import FakeEmbedder
from routing.vectors import TokenEmbeddings


def document(text: str) -> Document:
    return Document("doc", "s", "notes.txt", text, "", "text/plain")


class Neighbours(FakeEmbedder):
    """A token is a word; its vector says which word stands before it."""

    name = "scripted/neighbours"

    def __init__(self) -> None:
        super().__init__(dim=4)
        self.read: list[str] = []

    async def embed_tokens(self, texts):
        self.read += texts
        found = []
        for text in texts:
            spans, rows, at, before = [], [], 0, ""
            for word in text.split():
                at = text.index(word, at)
                spans.append((at, at + len(word)))
                rows.append([1.0, before == "apple", before == "pear", 0.0])
                at, before = at + len(word), word
            found.append(TokenEmbeddings(np.asarray(rows, np.float32).reshape(-1, 4), tuple(spans)))
        return found


async def test_conformance(metered):
    chunker = LateChunker(metered(EmbeddedEmbedder()), size=64)
    assert isinstance(chunker, ChunkEmbedder)
    await check_chunker(chunker, max_tokens=64, count=tokenizer().count)


async def test_a_chunk_knows_what_stands_before_it(metered):
    fruit = document("we grow the apple\n\nit keeps well")
    pears = document("we grow the pear\n\nit keeps well")
    chunker = LateChunker(metered(Neighbours()), size=16)
    for text, place in ((fruit, 1), (pears, 2)):
        chunks = await chunker.chunk(text)
        last = [chunk for chunk in chunks if chunk.text.endswith("well")][-1:]
        (vector,) = await chunker.embed(text, last)
        assert vector[place] > 0


async def test_without_surroundings_it_is_the_mean_of_the_chunk(metered):
    """The embedded model's tokens have the same vectors everywhere: late is then what embedding each chunk gives."""
    embedder = EmbeddedEmbedder()
    chunker = LateChunker(metered(embedder), size=32)
    text = document("The crane lifts cargo onto the ship. Refunds are paid within a week of delivery. " * 12)
    chunks = await chunker.chunk(text)
    vectors = await chunker.embed(text, chunks)
    assert len(chunks) > 3
    np.testing.assert_allclose(vectors, (await embedder.embed_passages([c.text for c in chunks])).vectors, atol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


async def test_long_documents_are_read_in_stretches_with_their_surroundings(metered, monkeypatch):
    monkeypatch.setattr("rag.ingest.chunk.late._STRETCH", 400)
    monkeypatch.setattr("rag.ingest.chunk.late._MARGIN", 30)
    text = document("\n\n".join(f"the {'apple' if i % 2 else 'pear'}" for i in range(200)))
    model = Neighbours()
    chunker = LateChunker(metered(model), size=16)
    chunks = await chunker.chunk(text)
    with billed() as bill:
        vectors = await chunker.embed(text, chunks)
    assert len(model.read) > 4
    assert max(map(len, model.read)) <= 400 + 60
    assert bill.usage.input_tokens >= 400
    whole = LateChunker(metered(Neighbours()), size=16)
    monkeypatch.undo()
    np.testing.assert_allclose(vectors, await whole.embed(text, chunks), atol=1e-6)


async def test_an_embedder_without_tokens_is_named(metered):
    chunker = LateChunker(metered(FakeEmbedder()))
    text = document("Some text.")
    with pytest.raises(ConfigError, match="scripted/hashing gives no vectors of tokens"):
        await chunker.embed(text, await chunker.chunk(text))


async def test_no_chunks(metered):
    assert (await LateChunker(metered(EmbeddedEmbedder())).embed(document(""), [])).shape == (0, 256)
