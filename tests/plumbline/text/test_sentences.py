from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.text.sentences import MAX_SENTENCE_CHARS, begins, chosen_end, last_end, sentences


def split(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


@pytest.mark.parametrize(
    "expected",
    [
        ["It rained.", "We stayed in."],
        ["Dr. J. R. Smith met Mr. Lee at 3.5 p.m. in St. Louis.", "They left."],
        ["He moved to the U.S. Army base.", "It closed in 1999.", "The site is empty."],
        ["See Fig. 3 and p. 12, e.g. the table.", "No. 5 is wrong."],
        ["She said no.", "The others agreed."],
        ["They sold shoes, hats, etc. in Rome.", "Acme Inc. grew by 5.2 % to $1.5 million."],
        ['"Really?" he asked.', "(It was.)", "“Yes.”", "Then silence…"],
        ["Yahoo! is a company.", "Is it?", "It is!"],
        ["It grew.[3][12]", "Then it fell.[4]"],
        ["Wait... what?", "Nothing."],
        ["Take vitamin C.", "It helps."],
        ["¿Qué es esto?", "Es el Sr. Pérez.", "¡Hola!", "Vive en EE.UU. desde 1990."],
        ["Am 3. Oktober 1990 war es so weit.", "Das war z.B. in Berlin so."],
        ["यह एक वाक्य है।", "यह दूसरा है।"],
        ["هل هذا جيد؟", "نعم هو جيد."],
        ["It is so ( lit. , `` so it is '' ) .", "In law , it refers to more ."],
    ],
    ids=lambda expected: expected[0][:24],
)
def test_stops(expected: list[str]) -> None:
    assert split(" ".join(expected)) == expected


def test_scripts_without_spaces() -> None:
    assert split("今天天气很好。我们去公园吧！「好吗？」是的") == [
        "今天天气很好。",
        "我们去公园吧！",
        "「好吗？」",
        "是的",
    ]


def test_wrapped_lines_are_one_sentence_and_paragraphs_are_not() -> None:
    text = "The window closes thirty days after\nthe delivery of the goods. Nothing\nelse counts.\n\nNext paragraph"
    assert split(text) == [
        "The window closes thirty days after\nthe delivery of the goods.",
        "Nothing\nelse counts.",
        "Next paragraph",
    ]


def test_headings_and_list_items_stand_alone() -> None:
    lines = ["# Returns", "How to return", "Send the parcel back to the address that is printed on the label."]
    lines += ["- keep the label", "- keep the box", "1. Print", "2. Send"]
    assert split("\n".join(lines)) == lines


def test_rows_of_a_table_stand_alone() -> None:
    rows = ["Net sales by category", "Products $ 297,392 $ 220,747", "Services 68,425 53,768", "| a | b |", "| 1 | 2 |"]
    assert split("\n".join(rows)) == rows


def test_what_is_too_long_is_cut_at_a_mark() -> None:
    clause = "a clause that goes on for a while, and another one that does so too; "
    pieces = split(clause * 40)
    assert all(MAX_SENTENCE_CHARS // 2 < len(piece) <= MAX_SENTENCE_CHARS for piece in pieces[:-1])
    assert all(piece.endswith(";") for piece in pieces[:-1])
    assert len(split("x" * 5000)) == -(-5000 // MAX_SENTENCE_CHARS)


def test_a_sentence_may_be_left_as_long_as_it_is() -> None:
    text = "a clause, " * 200 + "the end. Next."
    assert [text[start:end] for start, end in sentences(text, longest=None)] == [text[:-6], "Next."]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ይህ ነው። ያ ነው።", ["ይህ ነው።", "ያ ነው።"]),
        ("Սա է։ Դա է։", ["Սա է։", "Դա է։"]),
        ("本当ですか?はい!そうです", ["本当ですか?", "はい!", "そうです"]),
        ("え⁉そう", ["え⁉", "そう"]),
    ],
    ids=["Amharic", "Armenian", "Japanese", "both marks"],
)
def test_stops_of_other_scripts(text: str, expected: list[str]) -> None:
    assert split(text) == expected


MIXED = (
    "# Returns\nHow to return\n\nSend it to Dr. Meyer, e.g. by post. He signs!\nThen, after thirty days, it is\n"
    "closed.  Really? | a | b |\n| 1 | 2 |\n- keep the label\n退款期限为三十天。请保留收据！\n\n\n"
    "Net sales 1,200 1,300\nEnd."
)


def test_looking_around_one_place_finds_what_reading_the_whole_does() -> None:
    spans = sentences(MIXED)
    assert list(begins(MIXED, 0, len(MIXED))) == [start for start, _ in spans[1:]]
    for offset in range(len(MIXED) + 1):
        ends = [end for _, end in spans[:-1] if end <= offset]
        assert last_end(MIXED, 0, offset) == (ends[-1] if ends else 0), MIXED[:offset]
        assert list(begins(MIXED, offset, len(MIXED))) == [start for start, _ in spans[1:] if start >= offset]


def test_readers_of_ranges_that_overlap_choose_the_same_end() -> None:
    ends = {end for _, end in sentences(MIXED)[:-1]}
    assert chosen_end(MIXED, 0, len(MIXED)) in ends
    for start in range(0, len(MIXED), 7):
        chosen = chosen_end(MIXED, start, len(MIXED))
        assert chosen in ends | {0}
        for later in range(start, chosen):
            assert chosen_end(MIXED, later, len(MIXED)) == chosen
    assert chosen_end(MIXED, 5, 6) == 0


def test_only_the_asked_for_range_counts() -> None:
    text = "One is here. Two is there. Three. Four"
    assert last_end(text, 12, 20) == 0
    assert last_end(text, 12, 30) == text.index(" Three")
    assert list(begins(text, 14, 28)) == [text.index("Three")]


@given(st.lists(st.sampled_from([*"。.!? \n\tab", "word ", "Dr", "\n\n"]), max_size=60).map("".join))
def test_ends_and_beginnings_lie_beside_white_space_or_a_mark(text: str) -> None:
    for begin in begins(text, 0, len(text)):
        assert not text[begin].isspace()
        assert text[begin - 1].isspace() or text[begin - 1] in "。.!?"


def test_nothing_gives_nothing() -> None:
    assert sentences("") == sentences(" \n\t\r\n ") == []


PIECES = st.sampled_from(
    [*"。।)|,;é𝒳.!?\t\n\f\u2028 ", "Mr", "U.S", "word", "Word", "1.5", "3", "...", '"', "”", "[1]", "  ", "\n\n", "- "]
)


@given(st.lists(PIECES, max_size=60).map("".join) | st.text(max_size=200))
def test_spans_hold_every_character_once_and_in_order(text: str) -> None:
    spans = sentences(text)
    assert all(text[start:end] == text[start:end].strip() != "" for start, end in spans)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    assert "".join("".join(text[start:end].split()) for start, end in spans) == "".join(text.split())


@pytest.mark.parametrize("unit", [".", "a.]", ". ", '."', ". '' ", "A.B.", "5 ", "a   ", "(", "a\t", "\n", "1. ", "x"])
def test_a_megabyte_of_anything_is_read(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    assert sum(end - start for start, end in sentences(text)) <= len(text)
