"""Streams whose events are missing, doubled or out of their turn: an error before any text that would be misplaced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from routing.chat import ChatEvent, Completed, TextDelta
from routing.errors import InvalidResponseError
from routing.testing.server import FakeProvider
from tests.routing.models.adapters import SDKS, Provider, adapter, drain, streamed

Event = Mapping[str, Any]


def chunk(text: str = "", finish: str | None = None, index: int | None = 0, **delta: Any) -> Event:
    return {"choices": [{"index": index, "delta": {"content": text, **delta}, "finish_reason": finish}]}


def numbered(*kinds: Event, first: int = 0) -> list[Event]:
    return [{**event, "sequence_number": number} for number, event in enumerate(kinds, first)]


def said(text: str) -> Event:
    return {"type": "response.output_text.delta", "output_index": 0, "delta": text}


def ended(text: str) -> Event:
    item = {"type": "message", "content": [{"type": "output_text", "text": text}]}
    return {"type": "response.completed", "response": {"model": "m", "status": "completed", "output": [item]}}


def begins(index: int, **block: Any) -> Event:
    return {"type": "content_block_start", "index": index, "content_block": {"type": "text", "text": "", **block}}


def piece(index: int, text: str) -> Event:
    return {"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": text}}


def stops(index: int) -> Event:
    return {"type": "content_block_stop", "index": index}


def content(text: str, index: int = 0) -> Event:
    return {"type": "content-delta", "index": index, "delta": {"message": {"content": {"text": text}}}}


CALL = {"id": "c", "function": {"name": "look", "arguments": ""}}
MORE = {"function": {"arguments": "{}"}}
CREATED = {"type": "response.created"}
ONE, TWO, THREE, WHOLE = said("one "), said("two "), said("three"), ended("one two three")
IN_ORDER = numbered(CREATED, ONE, TWO, THREE, WHOLE)
START = {"type": "message_start", "message": {"model": "m"}}
DONE = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}
OPEN, SHUT = {"type": "content-start", "index": 0}, {"type": "content-end", "index": 0}
END = {"type": "message-end", "delta": {"finish_reason": "COMPLETE"}}

BROKEN: Sequence[tuple[Provider, str, Sequence[Event], str]] = [
    ("openai", "text after the end", [chunk("one "), chunk(finish="stop"), chunk("two")], "one "),
    (
        "openai",
        "a call after the end",
        [chunk("one"), chunk(finish="stop"), chunk(tool_calls=[{"index": 0} | CALL])],
        "one",
    ),
    ("openai", "a second answer", [chunk("one "), chunk("eins ", index=1)], "one "),
    ("openai", "a call that has not begun", [chunk("one"), chunk(tool_calls=[{"index": 0} | MORE])], "one"),
    ("responses", "swapped", [IN_ORDER[number] for number in (0, 1, 3, 2, 4)], "one "),
    ("responses", "one is missing", [IN_ORDER[number] for number in (0, 1, 3, 4)], "one "),
    ("responses", "one comes again later", [IN_ORDER[number] for number in (0, 1, 2, 1, 3, 4)], "one two "),
    ("responses", "the last is missing", [IN_ORDER[number] for number in (0, 1, 2, 4)], "one two "),
    ("responses", "the first are missing", IN_ORDER[2:], ""),
    ("responses", "two of the same number", [*IN_ORDER[:2], {**TWO, "sequence_number": 1}, *IN_ORDER[3:]], "one "),
    ("responses", "no numbers, and one is missing", [CREATED, ONE, THREE, WHOLE], "one three"),
    ("anthropic", "a block that has not begun", [START, piece(0, "one"), begins(0), stops(0), DONE], ""),
    ("anthropic", "a block that is over", [START, begins(0), stops(0), piece(0, "one"), DONE], ""),
    ("anthropic", "a block begins twice", [START, begins(0), piece(0, "one"), begins(0), DONE], "one"),
    ("anthropic", "a block is missing", [START, begins(1), piece(1, "one"), stops(1), DONE], ""),
    ("anthropic", "text after the end", [START, begins(0), piece(0, "one "), DONE, piece(0, "two")], "one "),
    ("anthropic", "a block after the end", [START, begins(0), piece(0, "one "), stops(0), DONE, begins(1)], "one "),
    ("cohere", "a block that has not begun", [content("one"), OPEN, SHUT, END], ""),
    ("cohere", "a block that is over", [OPEN, content("one "), SHUT, content("two"), END], "one "),
    ("cohere", "text after the end", [OPEN, content("one "), END, content("two")], "one "),
    ("cohere", "a call that has not begun", [{"type": "tool-call-delta", "index": 0}, END], ""),
]
FINE: Sequence[tuple[Provider, str, Sequence[Event], str]] = [
    ("openai", "no index", [chunk("one ", index=None), chunk("two", finish="stop", index=None)], "one two"),
    ("responses", "each comes twice", [event for event in IN_ORDER for _ in range(2)], "one two three"),
    ("responses", "counted from one", numbered(CREATED, ONE, TWO, THREE, WHOLE, first=1), "one two three"),
    ("responses", "no numbers", [CREATED, ONE, TWO, THREE, WHOLE], "one two three"),
    ("responses", "the end out of its turn", [*IN_ORDER[:4], {**WHOLE, "sequence_number": 9}], "one two three"),
    (
        "anthropic",
        "two blocks",
        [START, begins(0), piece(0, "one "), stops(0), begins(1), piece(1, "two"), DONE],
        "one two",
    ),
    ("anthropic", "the end before a block's", [START, begins(0), piece(0, "one"), DONE, stops(0)], "one"),
    ("cohere", "the end before a block's", [OPEN, content("one"), END, SHUT], "one"),
]


def named(rows: Sequence[tuple[Provider, str, Sequence[Event], str]]) -> list[Any]:
    return [pytest.param(*row, id=f"{row[0]}-{row[1].replace(' ', '_')}") for row in rows]


def text_of(events: Sequence[ChatEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


@pytest.mark.parametrize(("provider", "why", "events", "text"), named(BROKEN))
async def test_what_is_no_stream(
    server: FakeProvider, provider: Provider, why: str, events: Sequence[Event], text: str
) -> None:
    pytest.importorskip(SDKS[provider])
    server.faults.append(streamed(*events))
    model, seen = adapter(provider, server.url), list[ChatEvent]()
    with pytest.raises(InvalidResponseError):
        await drain(model, seen=seen)
    assert text_of(seen) == text, why
    await model.close()


@pytest.mark.parametrize(("provider", "why", "events", "text"), named(FINE))
async def test_what_is_one_all_the_same(
    server: FakeProvider, provider: Provider, why: str, events: Sequence[Event], text: str
) -> None:
    pytest.importorskip(SDKS[provider])
    server.faults.append(streamed(*events))
    model = adapter(provider, server.url)
    *pieces, end = await drain(model)
    assert isinstance(end, Completed)
    assert end.response.text == text_of(pieces) == text, why
    await model.close()
