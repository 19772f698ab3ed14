"""The conformance suite for chunkers: prove one of your own with `await check_chunker(my_chunker)`.

    async def test_my_chunker() -> None:
        await check_chunker(MyChunker(size=256), max_tokens=256, count=tokenizer().count)

Each check raises `AssertionError` with the document, the chunk and what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rag.ingest.chunk import Chunker
from rag.ingest.structure import Heading, heading_path, page_at, sections_from
from rag.types import Chunk, Document, Page


async def check_chunker(
    chunker: Chunker,
    *,
    max_tokens: int | None = None,
    count: Callable[[str], int] | None = None,
    documents: Sequence[Document] = (),
) -> None:
    """Run every check on `sample_documents()` and on `documents`.

    `max_tokens` is the budget no chunk may exceed, as counted by `count`; both or neither.
    """
    assert chunker.name.strip(), "a chunker's name says its method and parameters"
    for document in [*sample_documents(), *documents]:
        chunks = await chunker.chunk(document)
        check_spans(document, chunks)
        check_coverage(document, chunks)
        check_places(document, chunks)
        if max_tokens is not None and count is not None:
            check_budget(document, chunks, max_tokens, count)
        again = await chunker.chunk(document)
        assert [chunk.id for chunk in again] == [chunk.id for chunk in chunks], (
            f"'{document.name}' was cut twice and got other ids: ids must depend on the document and the span alone"
        )


def check_spans(document: Document, chunks: Sequence[Chunk]) -> None:
    """Each chunk is a span of its document, in order, numbered from 0, its id unique, without white space around."""
    previous = (-1, -1)
    for index, chunk in enumerate(chunks):
        where = f"chunk {index} of '{document.name}' [{chunk.start}:{chunk.end}]"
        assert chunk.document_id == document.id, f"{where}: document_id is {chunk.document_id!r}, not {document.id!r}"
        assert chunk.index == index, f"{where}: index is {chunk.index}"
        assert 0 <= chunk.start < chunk.end <= len(document.text), f"{where}: not a span of {len(document.text)}"
        expected = document.text[chunk.start : chunk.end]
        assert chunk.text == expected, f"{where}: text is {chunk.text[:60]!r}, the document has {expected[:60]!r}"
        assert chunk.text == chunk.text.strip(), f"{where}: white space at an end"
        assert chunk.start > previous[0], f"{where}: starts no later than the chunk before, at {previous[0]}"
        assert chunk.end > previous[1], f"{where}: adds nothing to the chunk before, which ends at {previous[1]}"
        previous = (chunk.start, chunk.end)
    assert len({chunk.id for chunk in chunks}) == len(chunks), f"'{document.name}': two chunks share an id"


def check_coverage(document: Document, chunks: Sequence[Chunk]) -> None:
    """Every character that is not white space stands in a chunk; nothing else makes a chunk."""
    covered = 0
    for chunk in chunks:
        lost = document.text[covered : chunk.start].strip() if chunk.start > covered else ""
        assert not lost, f"'{document.name}': {lost[:60]!r} before offset {chunk.start} is in no chunk"
        covered = max(covered, chunk.end)
    lost = document.text[covered:].strip()
    assert not lost, f"'{document.name}': {lost[:60]!r} at the end is in no chunk"


def check_places(document: Document, chunks: Sequence[Chunk]) -> None:
    """`page` and `section` are those on which the chunk starts; the context is no part of the text."""
    for chunk in chunks:
        where = f"chunk {chunk.index} of '{document.name}'"
        page, section = page_at(document, chunk.start), heading_path(document, chunk.start)
        assert chunk.page == page, f"{where}: page is {chunk.page}, it starts on {page}"
        assert chunk.section == section, f"{where}: section is {chunk.section!r}, it starts in {section!r}"
        assert chunk.indexed_text.endswith(chunk.text), f"{where}: the indexed text must end with the chunk's own"


def check_budget(document: Document, chunks: Sequence[Chunk], max_tokens: int, count: Callable[[str], int]) -> None:
    """No chunk has more than `max_tokens` tokens, and `tokens` says how many it has."""
    for chunk in chunks:
        where = f"chunk {chunk.index} of '{document.name}'"
        tokens = count(chunk.text)
        assert tokens <= max_tokens, f"{where}: {tokens} tokens, {max_tokens} are allowed"
        assert chunk.tokens == tokens, f"{where}: tokens is {chunk.tokens}, counted are {tokens}"


def sample_documents() -> list[Document]:
    """Documents that have tripped chunkers: nothing at all, no spaces, many scripts, tables, pages, nested headings."""
    prose = "The refund window is thirty days. Dr. Meyer signs on p. 4, after that it closes!  Is it open? Yes. "
    rows = "".join(f"Item {n} | {n * 7} | ${n}.50\n" for n in range(1, 400))
    texts = {
        "empty": "",
        "white space": " \n\t \u00a0\n\n",
        "one letter": "x",
        "one sentence": "  Refunds take thirty days.  ",
        "prose": (prose * 3 + "\n\n") * 40,
        "one paragraph": prose * 120,
        "wrapped lines": "".join(f"line {n} of a text that was wrapped\nby a machine. " for n in range(400)),
        "table": rows,
        "no spaces": "abcdefghij" * 2000,
        "long words": ("y" * 900 + " ") * 20 + "end",
        "blank lines": "\n" * 500 + "a" + "\n" * 500 + "b" + "\r\n" * 50 + "c",
        "Chinese": "退款期限为三十天，请保留收据。如有问题，请联系客服！" * 300,
        "Thai": "นโยบายการคืนเงินภายในสามสิบวัน" * 200,
        "emoji": "👩‍👩‍👧‍👦👍🏽🇩🇪🇫🇷 " * 200 + "👩‍👩‍👧‍👦" * 200,
        "combining": "e\u0301a\u0308 " * 500 + "a" + "\u0301" * 700,
    }
    plain = [_document(name, text) for name, text in texts.items()]
    return [*plain, _handbook(prose)]


def _handbook(prose: str) -> Document:
    """A long preface, then five pages of three chapters with sections, some of them shorter than any chunk."""
    parts = [prose * 40 + "\n\n"]
    headings: list[Heading] = []
    pages: list[Page] = []
    length, page_start = len(parts[0]), 0
    for number in range(15):
        level = 1 if number % 5 == 0 else 2
        title = f"{'Chapter' if level == 1 else 'Section'} {number}"
        block = f"{title}\n\n{prose * (1 + number % 4 * 6)}\n\n"
        headings.append(Heading(level, title, length))
        parts.append(block)
        length += len(block)
        if number % 3 == 2:
            pages.append(Page(len(pages) + 1, page_start, length))
            page_start = length
    document = _document("handbook", "".join(parts))
    return Document(
        id=document.id,
        source=document.source,
        name=document.name,
        text=document.text,
        hash=document.hash,
        media_type=document.media_type,
        pages=tuple(pages),
        sections=sections_from(headings, length),
        metadata={"title": "The handbook"},
    )


def _document(name: str, text: str) -> Document:
    return Document(id=f"id of {name}", source=name, name=name, text=text, hash="", media_type="text/plain")
