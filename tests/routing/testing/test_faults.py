"""What a fault makes of an answer, in bytes."""

from __future__ import annotations

import pytest

from routing.testing.faults import Fault, Place, Then, refused_address, steps, unknown_address
from routing.testing.wire_http import Answer

PIECES = ("One ", "two ", "three ", "four.")
STREAM = Answer(tuple(f"<{text!r}>".replace("'", '"').encode() for text in ("", *PIECES, "end")), streamed=True)
DOCUMENT = Answer((b'{"text": "One two"}',))


def sent(answer: Answer, fault: Fault) -> tuple[str, list[float | Then]]:
    """The body as a client that reads chunks takes it, or as it is; and what was done besides sending."""
    done = list(steps(answer, fault, PIECES, b"<error>"))
    wire = b"".join(step for step in done if isinstance(step, bytes)).removeprefix(answer.head())
    others = [step for step in done if not isinstance(step, bytes)]
    return wire.decode(), others


def chunks(text: str) -> list[str]:
    return text.split("\r\n")[1::2]


@pytest.mark.parametrize(
    ("place", "whole"),
    [
        ("opening", ['<"">']),
        ("some", ['<"">', '<"One ">', '<"two ">']),
        ("text", ['<"">', '<"One ">', '<"two ">', '<"three ">', '<"four.">']),
        ("all", ['<"">', '<"One ">', '<"two ">', '<"three ">', '<"four.">', '<"end">']),
    ],
)
def test_places_in_a_stream(place: Place, whole: list[str]) -> None:
    body, others = sent(STREAM, Fault("cut", after=place))
    assert chunks(body) == whole
    assert others == [Then.CLOSE]


@pytest.mark.parametrize(("place", "size"), [("opening", 0), ("some", 9), ("text", 18), ("all", 19)])
def test_places_in_a_document(place: Place, size: int) -> None:
    assert len(sent(DOCUMENT, Fault("cut", after=place))[0]) == size


def test_before_everything_means_before_the_head() -> None:
    for fault in (Fault("reset"), Fault("stall", after="nothing"), Fault("cut", byte=0)):
        assert len(list(steps(STREAM, fault, PIECES, b""))) == 1


def test_a_stream_is_cut_at_any_byte() -> None:
    wire = b"".join(STREAM.frames())
    for byte in range(len(wire)):
        got = [step for step in steps(STREAM, Fault("cut", byte=byte), PIECES, b"") if isinstance(step, bytes)]
        assert b"".join(got) == wire[:byte]
    last = [step for step in steps(STREAM, Fault("cut", byte=-1), PIECES, b"") if isinstance(step, bytes)]
    assert b"".join(last) == wire[:-1]


def test_slow_ones_send_everything() -> None:
    for answer in (STREAM, DOCUMENT):
        for fault, pauses in ((Fault("slow", after="some", seconds=0.5), 1), (Fault("drip", byte=-7, seconds=0.5), 7)):
            body, others = sent(answer, fault)
            assert body == sent(answer, Fault("raw"))[0]
            assert others == [0.5] * pauses


def test_a_stream_goes_wrong_in_its_events() -> None:
    first = ['<"">', '<"One ">', '<"two ">']
    assert chunks(sent(STREAM, Fault("error"))[0]) == [*first, "<error>", ""]
    assert chunks(sent(STREAM, Fault("end"))[0]) == [*first, ""]
    assert chunks(sent(STREAM, Fault("twice", after="some"))[0])[3:5] == ['<"three ">', '<"three ">']
    assert chunks(sent(STREAM, Fault("swapped", after="some"))[0])[3:5] == ['<"four.">', '<"three ">']
    assert chunks(sent(STREAM, Fault("extra", body="<x>", after="all"))[0])[-2:] == ["<x>", ""]
    assert "\r\nzz" in sent(STREAM, Fault("raw", body="zz", after="some"))[0]


def test_an_answer_is_changed() -> None:
    body, _ = sent(STREAM, Fault("changed", find='"(t)wo ', body='"\\1oo '))
    assert chunks(body)[2] == '<"too ">'
    head, changed = steps(DOCUMENT, Fault("changed", find="One", body="Another"), PIECES, b"")
    assert (head, changed) == (DOCUMENT.head().replace(b": 19", b": 23"), b'{"text": "Another two"}')


def test_a_document_ends_early_but_well_formed() -> None:
    frames = list(steps(DOCUMENT, Fault("end", after="some"), PIECES, b""))
    assert frames == [DOCUMENT.head().replace(b": 19", b": 9"), b'{"text": ']


def test_an_endless_answer_goes_on() -> None:
    going_on = steps(STREAM, Fault("endless", body="xy", after="all"), PIECES, b"")
    taken = [next(going_on) for _ in range(50)]
    assert taken[7:] == [b"2\r\nxy\r\n"] * 43


def test_addresses_at_which_nothing_is() -> None:
    assert refused_address().startswith("http://127.0.0.1:")
    assert len(unknown_address()) > 255
