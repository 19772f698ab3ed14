"""The conformance suite for chunkers: prove one of your own with `await check_chunker(my_chunker)`.

    async def test_my_chunker() -> None:
        await check_chunker(MyChunker(size=256), max_tokens=256, count=tokenizer().count, overlap=False)

It runs on `rag.testing.chunker_samples.sample_documents()`. Each check raises `AssertionError` with
the document, the chunk and what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from plumbline.text.graphemes import breaks_unspaced, joined
from rag.ingest.chunk import Chunker
from rag.ingest.structure import heading_path, page_at
from rag.testing.chunker_samples import sample_documents
from rag.types import Chunk, Document


async def check_chunker(
    chunker: Chunker,
    *,
    max_tokens: int | None = None,
    count: Callable[[str], int] | None = None,
    overlap: bool = True,
    documents: Sequence[Document] = (),
) -> None:
    """Run every check on `sample_documents()` and on `documents`.

    `max_tokens` is the budget no chunk may exceed, as counted by `count`; both or neither. With `overlap` false no
    character may stand in two chunks.
    """
    assert chunker.name.strip(), "a chunker's name says its method and parameters"
    for document in [*sample_documents(), *documents]:
        chunks = await chunker.chunk(document)
        check_spans(document, chunks)
        check_coverage(document, chunks)
        check_places(document, chunks)
        check_parents(document, chunks)
        if not overlap:
            check_apart(document, chunks)
        if max_tokens is not None and count is not None:
            check_budget(document, chunks, max_tokens, count)
            check_words(document, chunks, max_tokens, count)
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


def check_words(document: Document, chunks: Sequence[Chunk], max_tokens: int, count: Callable[[str], int]) -> None:
    """No cut stands inside a word unless the word exceeds the budget; then none stands inside a grapheme that fits it.

    Words are parted by white space and, where a script writes none, between ideographs.
    """
    text = document.text
    free_word = free_character = 0  # the end of the last word, and of the last character, that exceeds the budget
    for offset in sorted({offset for chunk in chunks for offset in (chunk.start, chunk.end)}):
        if not 0 < offset < len(text) or text[offset - 1].isspace() or text[offset].isspace():
            continue
        where = f"'{document.name}' is cut at {offset}, in {text[max(offset - 20, 0) : offset + 20]!r}"
        if joined(text, offset) and offset >= free_character:
            character, free_character = _around(text, offset, lambda at: not joined(text, at))
            assert count(character) > max_tokens, f"{where}: inside a character"
        if offset >= free_word and not breaks_unspaced(text, offset):
            word, free_word = _around(text, offset, lambda at: text[at - 1].isspace() or text[at].isspace())
            assert count(word) > max_tokens, f"{where}: inside a word"


def check_apart(document: Document, chunks: Sequence[Chunk]) -> None:
    """No two chunks share a character."""
    for before, after in pairwise(chunks):
        assert before.end <= after.start, (
            f"chunks {before.index} and {after.index} of '{document.name}' both hold [{after.start}:{before.end}]"
        )


def check_parents(document: Document, chunks: Sequence[Chunk]) -> None:
    """A parent is a span that holds its chunk; parents do not overlap, and their children hold all of each."""
    children: dict[tuple[int, int], list[Chunk]] = {}
    for chunk in chunks:
        if chunk.parent is not None:
            start, end = chunk.parent
            where = f"chunk {chunk.index} of '{document.name}'"
            assert 0 <= start <= chunk.start < chunk.end <= end <= len(document.text), (
                f"{where} [{chunk.start}:{chunk.end}] does not lie in its parent [{start}:{end}]"
            )
            children.setdefault(chunk.parent, []).append(chunk)
    for before, after in pairwise(sorted(children)):
        assert before[1] <= after[0], f"'{document.name}': the parents {before} and {after} overlap"
    for (start, end), held in children.items():
        covered = start
        for chunk in held:
            lost = document.text[covered : chunk.start].strip() if chunk.start > covered else ""
            assert not lost, f"'{document.name}': {lost[:60]!r} of the parent [{start}:{end}] is in no child"
            covered = max(covered, chunk.end)
        lost = document.text[covered:end].strip()
        assert not lost, f"'{document.name}': {lost[:60]!r} of the parent [{start}:{end}] is in no child"


def _around(text: str, offset: int, parts: Callable[[int], bool]) -> tuple[str, int]:
    """The piece of `text` that holds both sides of `offset`, and its end; `parts` says at which offsets pieces end."""
    start, end = offset - 1, offset + 1
    while start > 0 and not parts(start):
        start -= 1
    while end < len(text) and not parts(end):
        end += 1
    return text[start:end], end
