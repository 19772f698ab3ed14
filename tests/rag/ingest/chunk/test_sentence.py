from itertools import pairwise

from plumbline.text.tokens import tokenizer
from rag.ingest.chunk.fixed import FixedChunker
from rag.ingest.chunk.parent_child import ParentChildChunker
from rag.ingest.chunk.sentence import SentenceChunker
from rag.ingest.structure import Heading, sections_from
from rag.types import Document

SENTENCES = ["It is thirty days after delivery, says Dr. Meyer.", "Who pays for the parcel?", "The customer does!"]
PROSE = " ".join(SENTENCES)


def document(text: str) -> Document:
    return Document("d", "s", "n", text, "", "text/plain")


def test_sentences_stay_whole_and_overlap_whole():
    chunks = SentenceChunker(size=60, overlap=20).split(document(" ".join([PROSE] * 30)))
    starts, ends = tuple(each[:8] for each in SENTENCES), tuple(each[-8:] for each in SENTENCES)
    assert all(chunk.text.startswith(starts) and chunk.text.endswith(ends) for chunk in chunks)
    for before, after in pairwise(chunks):
        assert before.start < after.start < before.end
        assert tokenizer().count(before.text[after.start - before.start :]) <= 20


def test_an_overlap_is_given_up_where_the_next_sentence_would_be_cut():
    short, long = "One two three four five. ", "Word " * 50 + "end. "
    chunks = SentenceChunker(size=60, overlap=30).split(document((short * 3 + long) * 5))
    assert all(chunk.text.endswith(("five.", "end.")) for chunk in chunks)


def test_a_sentence_beyond_the_budget_is_cut_between_words():
    chunks = SentenceChunker(size=20, overlap=0).split(document("Short one. " + "Word " * 100 + "end. Short two."))
    assert chunks[0].text == "Short one."
    assert all(chunk.text.split()[0] == "Word" for chunk in chunks[1:5])


def test_chinese_sentences_stay_whole():
    chunks = SentenceChunker(size=64, overlap=0).split(
        document("退款期限为三十天，请保留收据。如有问题，请联系客服！" * 40)
    )
    assert len(chunks) > 5
    assert all(chunk.text.endswith(("。", "！")) for chunk in chunks)


def test_fixed_windows_are_full_and_overlap_by_words():
    chunks = FixedChunker(size=100, overlap=20).split(document(" ".join(f"word{n}" for n in range(900))))
    assert all(95 <= chunk.tokens <= 100 for chunk in chunks[:-1])
    for before, after in pairwise(chunks):
        assert 15 <= tokenizer().count(before.text[after.start - before.start :]) <= 20
        assert after.text.startswith("word")


def test_parents_follow_the_sections_and_children_tile_them():
    text = "".join(f"Section {n}\n\n{' '.join([PROSE] * 6)}\n\n" for n in range(4))
    headings = [Heading(1, f"Section {n}", text.index(f"Section {n}")) for n in range(4)]
    made = Document("d", "s", "n", text, "", "text/plain", sections=sections_from(headings, len(text)))
    chunks = ParentChildChunker(size=40, parent_size=250).split(made)
    parents = sorted({chunk.parent for chunk in chunks if chunk.parent})
    assert [text[start:end][:9] for start, end in parents] == [f"Section {n}" for n in range(4)]
    assert all(tokenizer().count(text[start:end]) <= 250 for start, end in parents)
    for parent in parents:
        held = [chunk for chunk in chunks if chunk.parent == parent]
        assert (held[0].start, held[-1].end) == parent
    assert len({chunk.hash for chunk in chunks}) > 1
