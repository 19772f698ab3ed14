from dataclasses import replace

import pytest

from rag.retrieve.context import Order, packed, without_repeats
from rag.types import Chunk, Hit

TEXT = " ".join(f"Sentence number {n} ends here." for n in range(40))


def tokens(text: str) -> int:
    return len(text.split())


def chunk(document: str, start: int, end: int) -> Chunk:
    text = TEXT[start:end]
    return Chunk(f"{document}-{start}-{end}", document, 0, start, end, text, tokens(text))


def span(of: Chunk, start: int, end: int) -> Chunk:
    return replace(chunk(of.document_id, start, end), page=of.page)


def hit(document: str, start: int, end: int, score: float = 1.0) -> Hit:
    return Hit(chunk(document, start, end), f"{document}.md", score)


def pack(
    hits: list[Hit], count: int = 3, max_tokens: int = 10_000, order: Order = "relevance"
) -> list[tuple[str, int, int]]:
    found = packed(hits, count, max_tokens=max_tokens, order=order, span=span, tokens=tokens)
    for each in found:
        assert each.chunk.text == TEXT[each.chunk.start : each.chunk.end]
    return [(each.chunk.document_id, each.chunk.start, each.chunk.end) for each in found]


def test_the_best_stand_in_their_order() -> None:
    hits = [hit("b", 0, 50), hit("a", 100, 150), hit("c", 0, 50), hit("d", 0, 50)]
    assert pack(hits) == [("b", 0, 50), ("a", 100, 150), ("c", 0, 50)]


def test_hits_that_overlap_become_one_passage_and_make_room_for_another() -> None:
    hits = [hit("a", 100, 200), hit("b", 0, 50), hit("a", 150, 260), hit("a", 120, 180), hit("c", 0, 50)]
    assert pack(hits) == [("a", 100, 260), ("b", 0, 50), ("c", 0, 50)]


def test_hits_that_merely_touch_stay_apart() -> None:
    assert pack([hit("a", 0, 50), hit("a", 50, 100)]) == [("a", 0, 50), ("a", 50, 100)]


def test_what_does_not_fit_is_left_out_and_smaller_hits_are_taken() -> None:
    hits = [hit("a", 0, 270), hit("b", 0, 540), hit("c", 0, 54)]
    room = hits[0].chunk.tokens + hits[2].chunk.tokens
    assert pack(hits, max_tokens=room) == [("a", 0, 270), ("c", 0, 54)]


def test_a_joint_that_would_not_fit_is_not_made() -> None:
    hits = [hit("a", 0, 100), hit("a", 50, 500)]
    assert pack(hits, max_tokens=hits[0].chunk.tokens + 5) == [("a", 0, 100)]


def test_of_one_hit_that_is_too_long_its_first_sentences_stand() -> None:
    (found,) = packed([hit("a", 0, 270)], 3, max_tokens=12, order="relevance", span=span, tokens=tokens)
    assert found.chunk.text == "Sentence number 0 ends here. Sentence number 1 ends here."
    (found,) = packed([hit("a", 0, 270)], 3, max_tokens=3, order="relevance", span=span, tokens=tokens)
    assert found.chunk.text == "Sentence number 0"


@pytest.mark.parametrize("order", ["relevance", "document"])
def test_no_hits_give_no_passages(order: Order) -> None:
    assert pack([], order=order) == []


def test_passages_can_stand_by_document_for_caches_of_prompts() -> None:
    hits = [hit("b", 300, 350), hit("a", 100, 150), hit("b", 0, 50)]
    assert pack(hits, order="document") == [("a", 100, 150), ("b", 0, 50), ("b", 300, 350)]


def test_spans_within_better_ones_are_repeats() -> None:
    hits = [hit("a", 100, 200), hit("a", 120, 180), hit("a", 150, 260), hit("b", 120, 180)]
    assert without_repeats(hits) == [hits[0], hits[2], hits[3]]


def test_a_hit_that_bridges_two_joins_them() -> None:
    hits = [hit("a", 0, 100), hit("b", 0, 50), hit("a", 150, 250), hit("a", 90, 160), hit("c", 0, 50)]
    assert pack(hits, count=4) == [("a", 0, 250), ("b", 0, 50), ("c", 0, 50)]


def test_a_bridge_that_makes_room_is_counted_so() -> None:
    hits = [hit("a", 0, 270), hit("a", 270, 540), hit("a", 200, 300), hit("b", 0, 27)]
    room = hit("a", 0, 540).chunk.tokens + hits[3].chunk.tokens
    assert pack(hits, max_tokens=room) == [("a", 0, 540), ("b", 0, 27)]


def test_the_beginning_of_a_long_text_is_found_in_few_looks() -> None:
    looks: list[int] = []

    def counted(text: str) -> int:
        looks.append(len(text))
        return tokens(text)

    text = " ".join(f"Sentence number {n} ends here." for n in range(5000))
    long = replace(chunk("a", 0, 10), start=0, end=len(text), text=text, tokens=25_000)

    def part(of: Chunk, start: int, end: int) -> Chunk:
        return replace(of, start=start, end=end, text=text[start:end], tokens=tokens(text[start:end]))

    (found,) = packed([Hit(long, "a.md", 1.0)], 3, max_tokens=1003, order="relevance", span=part, tokens=counted)
    assert found.chunk.tokens == 1000
    assert len(looks) < 20
    words = replace(long, text="word " * 20_000, end=100_000, tokens=20_000)
    text = words.text
    looks.clear()
    (found,) = packed([Hit(words, "a.md", 1.0)], 3, max_tokens=100, order="relevance", span=part, tokens=counted)
    assert found.chunk.tokens == 100
    assert len(looks) < 40
