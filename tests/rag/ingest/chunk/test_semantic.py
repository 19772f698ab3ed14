import pytest

from plumbline.errors import InputError
from plumbline.text.tokens import TokenIndex, tokenizer
from rag.ingest.chunk.semantic import SemanticChunker
from rag.ingest.structure import Heading, sections_from
from rag.testing.chunker import check_budget, check_chunker
from rag.types import Document, Page
from routing.errors import RateLimitError
from routing.models.embedded import EmbeddedEmbedder
from routing.testing.fakes import FakeEmbedder

DOGS = "Dogs bark at night. A dog eats bones. Dogs chase cats. "
TAXES = "Taxes are due in April. The tax office wants the tax forms. Late taxes cost interest. "


def document(text: str, **facts) -> Document:
    return Document("doc", "s", "notes.txt", text, "", "text/plain", **facts)


@pytest.mark.parametrize("size", [16, 40, 256])
async def test_conformance(size: int, metered):
    await check_chunker(SemanticChunker(metered(FakeEmbedder()), size=size), max_tokens=size, count=tokenizer().count)


async def test_it_cuts_where_the_subject_changes(metered):
    chunks = await SemanticChunker(metered(EmbeddedEmbedder()), size=200).chunk(document(DOGS + TAXES))
    assert [chunk.text for chunk in chunks] == [DOGS.strip(), TAXES.strip()]


async def test_every_sentence_is_embedded_once(metered):
    fake = FakeEmbedder()
    text = " ".join(f"Sentence number {index} is about {'cats' if index % 7 else 'rent'}." for index in range(600))
    await SemanticChunker(metered(fake), size=64).chunk(document(text))
    assert len(fake.texts) == 600
    assert len(set(fake.texts)) == 600


async def test_a_sentence_above_the_budget_is_cut_like_the_recursive_chunker_does(metered):
    text = "First of all this: " + "word after word " * 40 + "ends."
    chunks = await SemanticChunker(metered(FakeEmbedder()), size=32).chunk(document(text))
    assert "".join(chunk.text for chunk in chunks).replace(" ", "") == text.replace(" ", "")
    check_budget(document(text), chunks, 32, tokenizer().count)


async def test_a_section_pulls_the_cut_and_a_page_pulls_less(metered):
    sentence = "We sell apples."
    text = " ".join([sentence] * 4)
    half = text.index("We", 20)
    sections = sections_from([Heading(1, "Fruit", half)], len(text))
    pages = (Page(1, 0, half - 1), Page(2, half, len(text)))
    chunker = SemanticChunker(metered(FakeEmbedder()), size=64)
    assert len(await chunker.chunk(document(text))) == 1
    assert [chunk.start for chunk in await chunker.chunk(document(text, sections=sections))] == [0, half]
    assert len(await chunker.chunk(document(text, pages=pages))) == 1
    short = f"{sentence} {sentence}"
    pages = (Page(1, 0, 15), Page(2, 16, 31))
    assert len(await chunker.chunk(document(short, pages=pages))) == 2


class Growing:
    """A tokenizer that counts a text by itself one higher than inside another, as some do at their seams."""

    name = "growing"

    def encode(self, text: str) -> list[int]:
        return list(range(self.count(text)))

    def count(self, text: str) -> int:
        return len(text.split()) + (len(text.split()) > 9)

    def index(self, text: str) -> TokenIndex:
        starts = [0, *(index + 1 for index, mark in enumerate(text) if mark == " "), len(text)]
        return TokenIndex(text, starts, self.count)


async def test_what_is_longer_by_itself_is_cut_again(metered):
    text = "We sell apples now. " * 8
    chunks = await SemanticChunker(metered(FakeEmbedder()), size=16, tokenizer=Growing()).chunk(document(text))
    assert max(chunk.tokens for chunk in chunks) <= 16
    assert " ".join(chunk.text for chunk in chunks) == text.strip()
    assert all(chunk.tokens == Growing().count(chunk.text) for chunk in chunks)


async def test_a_failing_embedder_is_the_callers_to_report(metered):
    class Failing(FakeEmbedder):
        async def embed_passages(self, texts):
            raise RateLimitError("too many", model=self.name)

    with pytest.raises(RateLimitError):
        await SemanticChunker(metered(Failing())).chunk(document(DOGS))


async def test_nothing_is_asked_about_white_space(metered):
    fake = FakeEmbedder()
    assert await SemanticChunker(metered(fake)).chunk(document(" \n ")) == []
    assert fake.texts == []


def test_name_and_limits(metered):
    assert SemanticChunker(metered(FakeEmbedder()), size=99).name == "semantic 99/0 cl100k_base scripted/hashing"
    with pytest.raises(InputError):
        SemanticChunker(metered(FakeEmbedder()), size=4)
