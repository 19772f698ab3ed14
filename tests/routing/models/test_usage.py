"""Counts that providers report, and the pictures that they do not."""

from __future__ import annotations

import pytest

from routing.chat import ChatRequest, Image, Message, Tool, Usage
from routing.models.openai_answer import ChatAnswer
from routing.models.usage import checked_usage


def test_pictures_are_counted_by_what_was_sent() -> None:
    two = Message("user", "Which is older?", images=(Image(b"1"), Image(url="https://example.com/2.png")))
    request = ChatRequest(
        (two, Message("assistant", "The first."), Message("user", "And here?", images=(Image(b"3"),)))
    )
    assert checked_usage(request, "", input_tokens=900, output_tokens=5) == Usage(900, 5, images=3)


def test_tools_are_part_of_a_prompt_that_nobody_counted() -> None:
    plain = ChatRequest((Message("user", "When?"),))
    parameters = {"type": "object", "properties": {"q": {"type": "string", "description": "word " * 100}}}
    tooled = ChatRequest(plain.messages, tools=(Tool("look", "word " * 100, parameters),))
    without, within = (checked_usage(each, "", input_tokens=None, output_tokens=1) for each in (plain, tooled))
    assert within.estimated
    assert 250 <= within.input_tokens - without.input_tokens <= 300


@pytest.mark.parametrize(
    ("total", "output"),
    [
        pytest.param(32 + 9 + 320, 9 + 320, id="beside the completion, as xAI counts"),
        pytest.param(32 + 9, 9, id="within it"),
        pytest.param(5000, 9, id="a total that is neither"),
        pytest.param(None, 9, id="no total"),
    ],
)
def test_what_was_thought_is_counted_once(total: int | None, output: int) -> None:
    counts = {"prompt_tokens": 32, "completion_tokens": 9, "total_tokens": total}
    answer = ChatAnswer(counts=counts | {"completion_tokens_details": {"reasoning_tokens": 320}})
    usage = answer.usage(ChatRequest((Message("user", "When?"),)))
    assert (usage.input_tokens, usage.output_tokens) == (32, output)
    assert usage.reasoning_tokens == min(320, output)
