from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, RootModel

from plumbline.errors import InputError
from routing.chat import Attempt, ChatRequest, ChatResponse, Message, Tool, Usage
from routing.errors import (
    BadRequestError,
    ContentFilterError,
    ContextLengthError,
    ModelError,
    OverloadedError,
    SchemaError,
    UnsupportedError,
)
from routing.meter import Meter
from routing.router import Router
from routing.settings import RetrySettings
from routing.structured import structured
from routing.testing.fakes import ScriptedChatModel


class Window(BaseModel):
    """A refund window."""

    days: int = Field(ge=0)
    starts: str = "delivery"


ASKED = ChatRequest((Message("system", "Answer."), Message("user", "How long is the refund window?")))
GOOD = '{"days": 30, "starts": "delivery"}'
WINDOW = Window(days=30)


def answer(text: str, **changes: Any) -> ChatResponse:
    return replace(ChatResponse(text, "scripted/chat", Usage(10, 5), cost=Decimal("0.1")), **changes)


async def test_the_providers_own_way_comes_first() -> None:
    model = ScriptedChatModel(GOOD)
    found, response = await structured(model, ASKED, Window)
    assert found == WINDOW
    assert response.text == GOOD
    (request,) = model.requests
    assert request.messages == ASKED.messages
    assert request.response_schema is not None
    assert request.response_schema["required"] == ["days", "starts"]
    assert request.response_schema["additionalProperties"] is False


async def test_otherwise_the_schema_goes_into_the_prompt() -> None:
    model = ScriptedChatModel(GOOD, lacks=("schema",))
    found, _ = await structured(model, ASKED, Window)
    assert found == WINDOW
    asked = model.requests[-1]
    assert asked.response_schema is None
    assert asked.messages[0] == ASKED.messages[0]
    assert asked.messages[1].content.startswith("How long is the refund window?\n\n")
    assert '"minimum": 0' in asked.messages[1].content


async def test_after_an_assistants_turn_the_schema_is_a_turn_of_its_own() -> None:
    model = ScriptedChatModel(GOOD, lacks=("schema",))
    await structured(model, replace(ASKED, messages=(*ASKED.messages, Message("assistant", "Well."))), Window)
    assert [message.role for message in model.requests[-1].messages] == ["system", "user", "assistant", "user"]


@pytest.mark.parametrize(
    "said", ["Invalid schema for response_format 'Window'.", "The provided JSON schema contains unsupported features."]
)
async def test_a_server_that_cannot_work_with_the_schema_is_asked_in_words(said: str) -> None:
    model = ScriptedChatModel(BadRequestError(said, model="scripted/chat"), GOOD)
    found, _ = await structured(model, ASKED, Window)
    assert found == WINDOW
    assert [request.response_schema is None for request in model.requests] == [False, True]


@pytest.mark.parametrize(
    "error",
    [
        BadRequestError("temperature must be at most 2", model="m"),
        ContextLengthError("The prompt and its schema are too long", model="m"),
        OverloadedError("busy", model="m"),
    ],
)
async def test_other_errors_are_the_callers(error: ModelError) -> None:
    model = ScriptedChatModel(error)
    with pytest.raises(type(error)):
        await structured(model, ASKED, Window)
    assert len(model.requests) == 1


@pytest.mark.parametrize(
    "text",
    [
        f"```json\n{GOOD}\n```",
        f"Here it is:\n\n{GOOD}\n\nI hope this helps {{you}}!",
        f'<think>Is it {{"days": 14}}? No.</think>\n{GOOD}',
        f'A first draft: {{"days": 14}}. The answer: {GOOD}',
        f"[1] says so: {GOOD}",
        '{"days": "30"}',
        "}{[ " + GOOD,
    ],
)
async def test_json_is_found_in_what_stands_around_it(text: str) -> None:
    model = ScriptedChatModel(text)
    assert (await structured(model, ASKED, Window))[0] == WINDOW
    assert len(model.requests) == 1


async def test_an_answer_that_does_not_fit_is_sent_back_with_what_is_wrong() -> None:
    bad = answer('{"days": -1}', attempts=(Attempt("scripted/chat", 0.1),))
    model = ScriptedChatModel(bad, answer(GOOD, attempts=(Attempt("scripted/chat", 0.2),)))
    found, response = await structured(model, ASKED, Window)
    assert found == WINDOW
    again = model.requests[-1]
    assert again.response_schema is not None
    assert [message.role for message in again.messages] == ["system", "user", "assistant", "user"]
    assert again.messages[2].content == '{"days": -1}'
    assert "days: Input should be greater than or equal to 0." in again.messages[3].content
    assert '"minimum": 0' in again.messages[3].content
    assert (response.usage, response.cost) == (Usage(20, 10), Decimal("0.2"))
    assert [attempt.seconds for attempt in response.attempts] == [0.1, 0.2]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Thirty days.", "no JSON"),
        ('{"days": "many"}', "days: Input should be a valid integer"),
        ("[" * 100_000, "no JSON"),
        ("{" * 5_000, "no JSON"),
        ("[30]", "Window"),
    ],
)
async def test_an_answer_that_never_fits(text: str, says: str) -> None:
    model = ScriptedChatModel(text)
    with pytest.raises(SchemaError, match=says) as caught:
        await structured(model, ASKED, Window)
    assert caught.value.model == "scripted/chat"
    assert "Window" in str(caught.value)
    assert len(model.requests) == 2


async def test_an_answer_that_is_cut_off_is_not_asked_for_again() -> None:
    model = ScriptedChatModel(answer('{"days": 30, "sta', finish_reason="length"))
    with pytest.raises(SchemaError, match="max_tokens"):
        await structured(model, ASKED, Window)
    assert len(model.requests) == 1


async def test_a_refusal_is_no_answer() -> None:
    model = ScriptedChatModel(answer("I can't help with that.", refused=True, finish_reason="refusal"))
    with pytest.raises(ContentFilterError, match="I can't help with that"):
        await structured(model, ASKED, Window)


async def test_many_problems_are_told_in_part() -> None:
    class Many(BaseModel):
        values: list[int]

    model = ScriptedChatModel('{"values": [' + ", ".join(['"x"'] * 30) + "]}", '{"values": []}')
    await structured(model, ASKED, Many)
    told = model.requests[-1].messages[-1].content
    assert "values.0: " in told
    assert "and 18 more" in told


async def test_values_that_are_no_objects() -> None:
    model = ScriptedChatModel("The answer: [1, 2]")
    assert (await structured(model, ASKED, RootModel[list[int]]))[0].root == [1, 2]
    assert (await structured(ScriptedChatModel("30"), ASKED, RootModel[int]))[0].root == 30


async def test_what_cannot_be_asked_for() -> None:
    class Opaque(BaseModel):
        model_config = ConfigDict(arbitrary_types_allowed=True)
        run: Callable[[], None]

    model = ScriptedChatModel(GOOD)
    with pytest.raises(InputError, match="Opaque has no JSON schema"):
        await structured(model, ASKED, Opaque)
    with pytest.raises(InputError, match="tools"):
        await structured(model, replace(ASKED, tools=(Tool("t", "d", {}),)), Window)
    blind = ScriptedChatModel(UnsupportedError("reads no images", model="scripted/chat"))
    with pytest.raises(UnsupportedError):
        await structured(blind, ASKED, Window)
    assert not model.requests


async def test_every_call_is_in_the_books(meter: Meter) -> None:
    model = ScriptedChatModel("Thirty days.", GOOD, name="openai/priced", lacks=("schema",))
    router = Router([model], meter=meter, retry=RetrySettings(attempts=1))
    found, response = await structured(router, ASKED, Window)
    assert found == WINDOW
    totals = meter.ledger.totals()
    assert totals.calls == 3, "the first, which the model refused, cost nothing"
    assert totals.cost == response.cost
    assert response.cost is not None
    assert response.cost > 0


class Windows(BaseModel):
    """Windows, none of which have to be named: a single window satisfies this, too."""

    windows: list[Window] = []


async def test_a_part_of_an_answer_that_was_cut_off_is_not_taken_for_all_of_it() -> None:
    model = ScriptedChatModel(answer('{"windows": [{"days": 1}, {"days": 2}, {"da', finish_reason="length"))
    with pytest.raises(SchemaError, match="cut off before its JSON ended"):
        await structured(model, ASKED, Windows)


async def test_a_part_of_a_broken_answer_is_not_taken_for_all_of_it() -> None:
    broken = 'So: {"windows": [{"days": 1, "starts": "}"}, {"days": 2},],}'
    found, _ = await structured(ScriptedChatModel(broken, '{"windows": [{"days": 1}]}'), ASKED, Windows)
    assert found == Windows(windows=[WINDOW.model_copy(update={"days": 1})])
    found, _ = await structured(ScriptedChatModel(f'{broken} Or rather: {{"windows": []}}'), ASKED, Windows)
    assert found == Windows()
