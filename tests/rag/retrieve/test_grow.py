from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.retrieve.grow import Found, WholeText, grown

SENTENCES = [
    "Cats sleep all day.",
    "Refunds take thirty days.",
    "The customer pays for the parcel.",
    "Dogs bark at night.",
    "Birds sing early.",
]
TEXT = " ".join(SENTENCES)
PLACES = [(TEXT.index(each), TEXT.index(each) + len(each)) for each in SENTENCES]


def found(index: int, score: float, document: str = "a") -> Found:
    return Found(f"{document}{index}", document, *PLACES[index], score)


def texts(passages) -> list[str]:
    return [TEXT[passage.start : passage.end] for passage in passages]


def grow(hits, count: int = 3, **limits):
    documents = {hit.document_id for hit in hits}
    return grown(hits, dict.fromkeys(documents, WholeText(TEXT, PLACES)), count, **limits)


def test_relevant_neighbours_become_one_passage():
    passages = grow([found(1, 1.0), found(2, 0.9), found(3, 0.1)])
    assert texts(passages)[0] == f"{SENTENCES[1]} {SENTENCES[2]}"
    assert (passages[0].score, passages[0].found.id) == (1.0, "a1")
    assert texts(passages)[1:] == [SENTENCES[3]]


def test_the_best_comes_first_and_no_more_than_asked_for():
    passages = grow([found(0, 0.3), found(4, 1.0), found(2, 0.6)], count=2)
    assert texts(passages) == [SENTENCES[4], SENTENCES[2]]


def test_a_weak_sentence_between_strong_ones_is_read_too():
    hits = [found(1, 1.0), found(2, 0.3), found(3, 1.0)]
    assert texts(grow(hits))[0] == " ".join(SENTENCES[1:4])


def test_a_passage_is_no_longer_than_allowed_but_one_sentence_may_be():
    hits = [found(1, 1.0), found(2, 1.0), found(3, 1.0)]
    assert all(len(text) <= 60 for text in texts(grow(hits, max_chars=60)))
    assert sorted(texts(grow(hits, max_chars=1))) == sorted(SENTENCES[1:4])


def test_the_share_decides_how_far_it_grows():
    hits = [found(1, 1.0), found(2, 0.4)]
    assert texts(grow(hits, share=0.5))[0] == SENTENCES[1]
    assert texts(grow(hits, share=0.2))[0] == f"{SENTENCES[1]} {SENTENCES[2]}"


def test_relevance_is_the_mean_over_the_chunks_around_a_sentence():
    """Two chunks hold the second sentence, and only one of them was found: it is half as relevant as the first."""
    whole = (PLACES[0][0], PLACES[1][1])
    chunks = [whole, (PLACES[1][0], PLACES[2][1])]
    passages = grown([Found("a", "a", *whole, 1.0)], {"a": WholeText(TEXT, chunks)}, 2, share=0.6)
    assert texts(passages) == [SENTENCES[0], SENTENCES[1]]
    assert [passage.score for passage in passages] == [1.0, 0.5]


def test_documents_are_apart():
    passages = grow([found(1, 1.0, "a"), found(2, 1.0, "b")])
    assert {(passage.document_id, passage.start) for passage in passages} == {("a", PLACES[1][0]), ("b", PLACES[2][0])}


def test_far_places_of_one_document_are_apart():
    text = TEXT + " filler" * 100 + ". " + TEXT
    second = text.rindex(SENTENCES[0])
    chunks = [(0, len(TEXT)), (second, second + len(TEXT))]
    hits = [Found("x", "a", *chunks[0], 1.0), Found("y", "a", *chunks[1], 1.0)]
    assert len(grown(hits, {"a": WholeText(text, chunks)}, 5, max_chars=5000)) == 2


@pytest.mark.parametrize("hits", [[], [found(1, 0.0)]])
def test_nothing_relevant(hits):
    assert grow(hits) == []


@given(st.lists(st.floats(0, 1), min_size=5, max_size=5), st.floats(0, 1), st.integers(1, 120))
def test_passages_are_apart_ordered_and_within_limits(scores, share, max_chars):
    passages = grow([found(index, score) for index, score in enumerate(scores)], 5, share=share, max_chars=max_chars)
    spans = sorted((passage.start, passage.end) for passage in passages)
    assert all(first[1] <= second[0] for first, second in pairwise(spans))
    assert [passage.score for passage in passages] == sorted((p.score for p in passages), reverse=True)
    assert all(end - start <= max_chars or (start, end) in PLACES for start, end in spans)
    assert bool(passages) == any(scores)
