from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline.errors import ConfigError, InputError
from plumbline.text.tokens import TokenIndex, tokenizer
from rag.ingest.chunk.recursive import RecursiveChunker
from rag.ingest.structure import Heading, sections_from
from rag.testing.chunker import check_budget, check_chunker, check_coverage, check_spans
from rag.types import Document

SENTENCES = (
    "The refund window is thirty days after delivery. Dr. Meyer of Acme Inc. signs every refund above $500.50! "
    "Who pays for the parcel? The customer does, unless the goods were damaged on their way. "
)


def document(text: str, headings: list[Heading] | None = None, **facts) -> Document:
    sections = sections_from(headings or [], len(text))
    return Document("doc", "s", "a_file-name.pdf", text, "", "text/plain", sections=sections, **facts)


def split(text: str, size: int, overlap: int = 0, headings: list[Heading] | None = None):
    return RecursiveChunker(size=size, overlap=overlap).split(document(text, headings))


@pytest.mark.parametrize(("size", "overlap"), [(512, 50), (128, 0), (16, 8), (33, 16)])
async def test_conformance(size: int, overlap: int):
    await check_chunker(RecursiveChunker(size=size, overlap=overlap), max_tokens=size, count=tokenizer().count)


ALPHABET = st.sampled_from(
    [
        "word",
        "a",
        "Longerword",
        " ",
        "  ",
        "\n",
        "\n\n",
        ". ",
        "? ",
        "。",
        "退款",
        "é",
        "e\u0301",
        "👩‍👩‍👧",
        "🇩🇪",
        "|",
        "12,345.6",
        "\t",
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(ALPHABET, max_size=150), st.integers(16, 60), st.data())
def test_spans_budget_coverage_and_order(pieces: list[str], size: int, data: st.DataObject):
    overlap = data.draw(st.integers(0, size // 2))
    text = "".join(pieces) * 4
    offsets = sorted(data.draw(st.sets(st.integers(0, max(len(text) - 1, 0)), max_size=5)))
    made = document(text, [Heading(1 + offset % 3, f"h{offset}", offset) for offset in offsets])
    chunks = RecursiveChunker(size=size, overlap=overlap).split(made)
    check_spans(made, chunks)
    check_coverage(made, chunks)
    check_budget(made, chunks, size, tokenizer().count)
    for before, after in pairwise(chunks):
        assert tokenizer().count(made.text[after.start : before.end]) <= overlap


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text("abcdefg.,'-", min_size=1, max_size=14), min_size=1, max_size=200), st.integers(16, 50))
def test_no_word_is_cut_that_fits(words: list[str], size: int):
    text = " ".join(words)
    whole = {(match, match + len(word)) for match, word in zip(_starts(words), words, strict=True)}
    begins, ends = {begin for begin, _ in whole}, {end for _, end in whole}
    for chunk in split(text, size, size // 3):
        assert chunk.start in begins
        assert chunk.end in ends


def _starts(words: list[str]) -> list[int]:
    starts, at = [], 0
    for word in words:
        starts.append(at)
        at += len(word) + 1
    return starts


def test_a_word_beyond_the_budget_is_cut_between_characters():
    family, accent = "👩‍👩‍👧‍👦", "e\u0301"
    for piece in (family, accent, "🇩🇪", "👍🏽"):
        for chunk in split(piece * 300, 40):
            assert len(chunk.text) % len(piece) == 0, f"{piece!r} was cut: {chunk.text[-12:]!r}"


def test_a_section_start_is_the_strongest_boundary():
    text = SENTENCES * 2 + "\n\nSecond heading\n\n" + SENTENCES + "\n\n" + SENTENCES * 3
    heading = text.index("Second heading")
    chunks = split(text, 120, 30, [Heading(1, "Second heading", heading)])
    assert chunks[0].end == len(text[:heading].rstrip())
    assert chunks[1].start == heading, "a chunk that begins a section has no overlap"
    assert (chunks[0].section, chunks[1].section) == (None, "Second heading")


def test_a_blank_line_is_preferred_to_a_sentence_end():
    text = SENTENCES + "\n\n" + SENTENCES * 3
    assert split(text, 80)[0].text == SENTENCES.strip()


def test_a_sentence_end_is_preferred_to_a_space_and_abbreviations_end_nothing():
    for chunk in split(SENTENCES * 20, 70)[:-1]:
        assert chunk.text.endswith((".", "!", "?"))
        assert not chunk.text.endswith(("Dr.", "Inc."))


def test_rows_stay_whole():
    rows = [f"Operating expenses of unit {n} {n * 31} {n * 17} ({n})" for n in range(200)]
    for chunk in split("\n".join(rows), 100, 20):
        assert set(chunk.text.split("\n")) <= set(rows)


def test_the_overlap_begins_with_a_sentence():
    text = SENTENCES * 30
    chunks = split(text, 100, 40)
    for before, after in pairwise(chunks):
        assert before.start < after.start < before.end, "there is an overlap"
        assert after.text.startswith(("The ", "Dr. ", "Who "))


def test_overlap_falls_back_to_a_word():
    text = " ".join(f"word{n}" for n in range(500))
    chunks = split(text, 60, 20)
    assert all(chunk.text.startswith("word") for chunk in chunks)
    assert all(after.start < before.end for before, after in pairwise(chunks))


def test_places_context_and_ids():
    headings = [Heading(1, "Policy", 0), Heading(2, "Window", 8)]
    made = document("Policy\n\nWindow\n\n" + SENTENCES, headings, metadata={"title": "Terms of Acme"})
    chunker = RecursiveChunker(size=32, overlap=0)
    first, second = chunker.split(made)[:2]
    assert (first.section, second.section) == ("Policy", "Policy > Window")
    assert second.context == "a file name\nTerms of Acme\nPolicy > Window"
    assert second.indexed_text == f"{second.context}\n{second.text}"
    assert [c.id for c in chunker.split(made)] == [c.id for c in RecursiveChunker(size=32, overlap=0).split(made)]
    other = Document("other", "s", "n", made.text, "", "text/plain")
    assert first.id != chunker.split(other)[0].id


def test_a_title_said_already_is_not_said_twice():
    made = document("Policy\n\nText.", [Heading(1, "Policy", 0)], metadata={"title": "POLICY"})
    assert RecursiveChunker().split(made)[0].context == "a file name\nPolicy"


async def test_long_documents_are_cut_off_the_event_loop_with_the_same_result():
    made = document(SENTENCES * 400)
    chunker = RecursiveChunker()
    assert await chunker.chunk(made) == chunker.split(made)


def test_any_tokenizer_of_the_shape_fits():
    class Words:
        name = "words"

        def encode(self, text: str) -> list[int]:
            return [len(word) for word in text.split()]

        def count(self, text: str) -> int:
            return len(text.split())

        def index(self, text: str) -> TokenIndex:
            starts = [i for i, c in enumerate(text) if not c.isspace() and (i == 0 or text[i - 1].isspace())]
            return TokenIndex(text, [*starts, len(text)], self.count)

    chunker = RecursiveChunker(size=20, overlap=5, tokenizer=Words())
    chunks = chunker.split(document(" ".join(f"w{n}" for n in range(100))))
    assert chunker.name == "recursive 20/5 words"
    assert [chunk.tokens for chunk in chunks[:3]] == [20, 20, 20]
    assert chunks[1].text.startswith("w15 ")


@pytest.mark.parametrize(("size", "overlap"), [(15, 0), (512, 257), (100, -1)])
def test_budgets_that_cannot_work_are_refused(size: int, overlap: int):
    with pytest.raises(InputError, match=str(overlap if size > 15 else size)):
        RecursiveChunker(size=size, overlap=overlap)


def test_an_unknown_tokenizer_is_a_clear_error():
    with pytest.raises(ConfigError, match="gpt9"):
        RecursiveChunker(tokenizer="gpt9").split(document("text"))
