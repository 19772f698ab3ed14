"""What every chunker that needs only the text promises, on fixed texts and on generated ones."""

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline.errors import ConfigError, InputError
from plumbline.text.tokens import tokenizer
from rag.ingest.chunk.build import Splitter, build_splitter
from rag.ingest.chunk.fixed import FixedChunker
from rag.ingest.chunk.parent_child import ParentChildChunker
from rag.ingest.chunk.recursive import RecursiveChunker
from rag.ingest.chunk.sentence import SentenceChunker
from rag.ingest.chunk.structure import StructureChunker
from rag.ingest.settings import ChunkingSettings
from rag.ingest.structure import Heading, sections_from
from rag.testing.chunker import (
    check_apart,
    check_budget,
    check_chunker,
    check_coverage,
    check_parents,
    check_places,
    check_spans,
    check_words,
)
from rag.types import Document

Make = Callable[[int, int], Splitter]
MAKERS: dict[str, Make] = {
    "fixed": lambda size, overlap: FixedChunker(size=size, overlap=overlap),
    "recursive": lambda size, overlap: RecursiveChunker(size=size, overlap=overlap),
    "sentence": lambda size, overlap: SentenceChunker(size=size, overlap=overlap),
    "structure": lambda size, overlap: StructureChunker(size=size, overlap=overlap),
    "parent_child": lambda size, overlap: ParentChildChunker(size=size, overlap=overlap, parent_size=size * 3),
}
each_chunker = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


@each_chunker
@pytest.mark.parametrize(("size", "overlap"), [(512, 50), (64, 0), (16, 8)])
async def test_conformance(make: Make, size: int, overlap: int):
    await check_chunker(make(size, overlap), max_tokens=size, count=tokenizer().count, overlap=overlap > 0)


SCRIPTS = ["word", "a", "Longerword", "退款", "é", "e\u0301", "👩‍👩‍👧", "🇩🇪", "12,345.6", "ไทย", "ال", "x" * 90]
MARKS = [
    " ",
    "  ",
    "\n",
    "\n\n",
    ". ",
    "? ",
    "。",
    "\t",
    ", ",
    "| a | b |\n",
    "|---|---|\n",
    "```\n",
    "# Title\n",
    "(x):\n  ",
]
PIECES = st.sampled_from(SCRIPTS + MARKS)


@each_chunker
@settings(max_examples=60, deadline=None)
@given(st.lists(PIECES, max_size=120), st.integers(16, 60), st.data())
def test_promises_hold_on_any_text(make: Make, pieces: list[str], size: int, data: st.DataObject):
    overlap = data.draw(st.integers(0, size // 2))
    text = "".join(pieces) * 3
    starts = [at for at in range(len(text)) if not text[at].isspace() and (at == 0 or text[at - 1].isspace())]
    offsets = sorted(data.draw(st.sets(st.sampled_from(starts), max_size=6))) if starts else []
    headings = [Heading(1 + offset % 3, text[offset : offset + 5].strip() or "?", offset) for offset in offsets]
    media_type = data.draw(st.sampled_from(["text/plain", "text/x-python"]))
    document = Document("d", "s", "n", text, "", media_type, sections=sections_from(headings, len(text)))
    chunks = make(size, overlap).split(document)
    check_spans(document, chunks)
    check_coverage(document, chunks)
    check_places(document, chunks)
    check_parents(document, chunks)
    check_budget(document, chunks, size, tokenizer().count)
    check_words(document, chunks, size, tokenizer().count)
    if overlap == 0:
        check_apart(document, chunks)
    for before, after in pairwise(chunks):
        shared = text[after.start : before.end]
        assert tokenizer().count(shared) <= overlap


@each_chunker
async def test_long_documents_are_cut_off_the_event_loop_with_the_same_result(make: Make):
    text = "The refund window is thirty days after delivery. Who pays? The customer does. " * 800
    document = Document("d", "s", "n", text, "", "text/plain")
    assert await make(512, 50).chunk(document) == make(512, 50).split(document)


@pytest.mark.parametrize("name", MAKERS)
def test_settings_name_the_chunker(name: str):
    chunking = ChunkingSettings.model_validate({"chunker": name, "size": 100, "overlap": 10, "parent_size": 300})
    splitter = build_splitter(chunking)
    assert splitter is not None
    assert splitter.name == MAKERS[name](100, 10).name
    assert build_splitter(chunking) is splitter, "built once"


@pytest.mark.parametrize("name", ["semantic", "late", "contextual"])
def test_what_asks_a_model_is_built_elsewhere(name: str):
    assert build_splitter(ChunkingSettings.model_validate({"chunker": name})) is None


def test_parents_smaller_than_their_children_are_an_error_that_names_the_key():
    with pytest.raises(ConfigError, match="300 tokens") as caught:
        build_splitter(ChunkingSettings(chunker="parent_child", size=512, parent_size=300))
    assert caught.value.key == "chunking.parent_size"
    with pytest.raises(InputError, match="300 tokens"):
        ParentChildChunker(size=512, parent_size=300)


@each_chunker
@pytest.mark.parametrize(("size", "overlap"), [(15, 0), (512, 257), (100, -1)])
def test_budgets_that_cannot_work_are_refused(make: Make, size: int, overlap: int):
    with pytest.raises(InputError, match=str(overlap if size > 15 else size)):
        make(size, overlap)
