"""A model that is made when it is first asked."""

from __future__ import annotations

import pytest

from routing.chat import ChatModel, ChatRequest, Completed, Message
from routing.errors import MissingKeyError
from routing.models.later import LaterModel
from routing.testing.scripted import ScriptedChatModel

REQUEST = ChatRequest((Message("user", "Why?"),))


async def test_it_is_made_once_and_closed_when_it_was_made() -> None:
    made: list[ChatModel] = []

    def make() -> ChatModel:
        made.append(ScriptedChatModel("Because."))
        return made[-1]

    later = LaterModel("scripted/x", make)
    await later.close()
    assert made == []
    assert (await later.complete(REQUEST)).text == "Because."
    assert later.continues
    events = [event async for event in later.stream(REQUEST)]
    assert isinstance(events[-1], Completed)
    await later.close()
    assert len(made) == 1


async def test_what_is_missing_is_said_when_it_is_asked() -> None:
    def make() -> ChatModel:
        raise MissingKeyError("no key", model="openai/x")

    later = LaterModel("openai/x", make)
    assert not later.continues
    with pytest.raises(MissingKeyError):
        await later.complete(REQUEST)
    with pytest.raises(MissingKeyError):
        later.stream(REQUEST)
