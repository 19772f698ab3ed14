"""Going on with an answer that broke off: what is repeated is cut, what is not stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.chat import ChatRequest, Message
from routing.continuing import CHANCE, Seam, continuation, overlap

SAID = "Refunds are paid within 5 working days to the"


@pytest.mark.parametrize(
    ("more", "repeated"),
    [
        (" card that was used.", ""),
        ("5 working days to the card that was used.", "5 working days to the"),
        (f"{SAID} card.", SAID),
        ("the card that was used.", ""),
        ("", ""),
    ],
)
def test_what_the_rest_repeats(more: str, repeated: str) -> None:
    assert more[: overlap(SAID, more)] == repeated


def test_the_question_comes_with_what_was_said() -> None:
    asked = continuation(ChatRequest((Message("user", "When?"),)), SAID)
    assert [message.role for message in asked.messages] == ["user", "assistant", "user"]
    assert asked.messages[1].content == SAID
    assert "Go on exactly where it stopped" in asked.messages[2].content


@given(st.text(), st.text(min_size=1), st.integers(1, 7), st.data())
def test_however_it_is_cut_into_pieces_the_seam_is_the_same(
    said: str, rest: str, size: int, data: st.DataObject
) -> None:
    run_up = said[-data.draw(st.integers(0, len(said))) :] if said else ""
    more = run_up + rest
    handed: list[str] = []
    seam = Seam(said, handed.append)
    for start in range(0, len(more), size):
        seam.take(more[start : start + size])
    assert seam.whole() == said + "".join(handed)
    assert more.endswith("".join(handed)), "nothing is lost after what was cut"
    if len(run_up) >= CHANCE:
        assert len(seam.whole()) <= len(said) + len(rest)


def test_pieces_are_handed_on_as_soon_as_they_can_repeat_nothing() -> None:
    handed: list[str] = []
    seam = Seam("Half an ", handed.append)
    for piece in ("hour ", "is quite ", "enough"):
        seam.take(piece)
    assert handed == ["hour is quite ", "enough"]


def test_a_text_that_begins_anew_is_held_back_until_it_is_new() -> None:
    said = "word " * 200
    handed: list[str] = []
    seam = Seam(said, handed.append)
    for _ in range(200):
        seam.take("word ")
    assert handed == []
    seam.take("and the end.")
    assert seam.whole() == f"{said}and the end."


def test_a_beginning_that_is_only_repeated_is_left_out_when_the_next_breaks_off_as_well() -> None:
    handed: list[str] = []
    seam = Seam(SAID, handed.append)
    for piece in ("Refunds ", "are paid "):
        seam.take(piece)
    assert seam.broken_off() == SAID
    assert handed == []
    other = Seam(SAID, handed.append)
    other.take(" card")
    assert other.broken_off() == f"{SAID} card"
