"""What a model makes of a question is read strictly."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag.retrieve.transform_ask import LONGEST_HISTORY, LONGEST_TEXT, Asker, shown
from routing.chat import ChatResponse, Message, Tags
from routing.errors import InvalidResponseError
from routing.meter import Meter
from routing.router import Router
from routing.settings import RetrySettings
from routing.testing.fakes import Reply, ScriptedChatModel
from tests.rag.retrieve._meter import opened_meter

TAGS = Tags("search", "acme")


@pytest.fixture
def meter(tmp_path: Path) -> Iterator[Meter]:
    with opened_meter(tmp_path) as opened:
        yield opened


def asker(meter: Meter, *replies: Reply) -> tuple[Asker, ScriptedChatModel]:
    model = ScriptedChatModel(*replies)
    router = Router([model], meter=meter, retry=RetrySettings(attempts=1))
    return Asker(lambda: router, 5.0), model


def test_a_question_is_made_to_stand_alone(meter: Meter) -> None:
    asks, model = asker(meter, '{"question": " How long is Acme\'s refund window? "}')
    history = (Message("user", "Tell me about Acme."), Message("assistant", "Acme sells lamps."))
    made = asyncio.run(asks.standalone("How long is its refund window?", history, TAGS))
    assert made == "How long is Acme's refund window?"
    (request,) = model.requests
    assert request.tags == Tags("rewrite", "acme")
    assert "assistant: Acme sells lamps." in request.messages[-1].content
    assert request.response_schema is not None
    assert request.deadline is not None


def test_other_wordings_are_new_distinct_and_no_more_than_asked_for(meter: Meter) -> None:
    asks, model = asker(meter, '```json\n{"questions": ["B", "a?", "b", "C", "D"]}\n```')
    assert asyncio.run(asks.variants("A?", 2, TAGS)) == ["B", "C"]
    assert "in 2 other ways" in model.requests[0].messages[0].content


def test_a_question_of_one_part_is_not_taken_apart(meter: Meter) -> None:
    asks, _ = asker(meter, '{"questions": ["Only one?"]}', '{"questions": []}', '{"questions": ["One?", "Two?"]}')
    found = [asyncio.run(asks.parts("A?", 3, TAGS)) for _ in range(3)]
    assert found == [[], [], ["One?", "Two?"]]


@pytest.mark.parametrize(
    "reply",
    [
        "Here are some: A, B",
        '{"questions": "A"}',
        '{"questions": [1]}',
        '{"questions": [""]}',
        '{"question": "A"}',
        '{"questions": ["A"], "why": "…"}',
        '["A"]',
        '{"questions": ["' + "x" * (LONGEST_TEXT + 1) + '"]}',
        ChatResponse("I cannot.", "scripted/chat", refused=True),
    ],
)
def test_what_is_not_of_the_form_is_refused(meter: Meter, reply: Reply) -> None:
    asks, _ = asker(meter, reply)
    with pytest.raises(InvalidResponseError, match="scripted/chat"):
        asyncio.run(asks.variants("A?", 2, TAGS))


def test_a_passage_is_any_text_but_none(meter: Meter) -> None:
    asks, _ = asker(meter, "  Refunds take 30 days. ", " ")
    assert asyncio.run(asks.passage("How long?", TAGS)) == "Refunds take 30 days."
    with pytest.raises(InvalidResponseError, match="no passage"):
        asyncio.run(asks.passage("How long?", TAGS))


def test_a_long_conversation_is_shown_from_its_end() -> None:
    turns = [Message("user", f"turn {n} " + "x" * 1000) for n in range(30)]
    text = shown([Message("system", "secret"), *turns, Message("assistant", " ")])
    assert len(text) <= LONGEST_HISTORY + 100
    assert text.startswith("…\n")
    assert "turn 29 " in text
    assert "secret" not in text
    assert len(shown([Message("user", "y" * 50_000)])) <= LONGEST_HISTORY
