from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rag.retrieve.listwise import SHOWN_CHARACTERS, ListwiseReranker, parse_order
from routing.chat import ChatRequest, Tags
from routing.errors import DeadlineError, InvalidResponseError
from routing.router import Router
from routing.settings import RetrySettings
from routing.testing.fakes import ScriptedChatModel
from tests.rag.retrieve._meter import opened_meter

TAGS = Tags("answer", "acme", "r1")
SECONDS = 5.0


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[[ScriptedChatModel], ListwiseReranker]]:
    with opened_meter(tmp_path) as meter:

        def made(model: ScriptedChatModel) -> ListwiseReranker:
            router = Router([model], meter=meter, retry=RetrySettings(attempts=1))
            return ListwiseReranker(lambda: router, model.name, seconds=SECONDS)

        yield made


Make = Callable[[ScriptedChatModel], ListwiseReranker]


def order(*numbers: int) -> str:
    return json.dumps({"order": numbers})


def by_figure(request: ChatRequest) -> str:
    """Orders passages that read "value N" by N, the largest first."""
    shown = re.findall(r"^\[(\d+)\] value (\d+)$", request.messages[0].content, re.MULTILINE)
    ranked = sorted(shown, key=lambda found: -int(found[1]))
    return order(*(int(number) for number, _ in ranked))


async def test_one_call_orders_the_passages(make: Make) -> None:
    model = ScriptedChatModel(order(2, 3, 1))
    reranker = make(model)
    values = await reranker.score("Who pays?", ["a", "b", "c"], TAGS)
    assert values.tolist() == pytest.approx([1 / 3, 1, 2 / 3])
    (request,) = model.requests
    assert "Question: Who pays?" in request.messages[0].content
    assert "[1] a\n\n[2] b\n\n[3] c" in request.messages[0].content
    assert request.response_schema is not None
    assert request.options.temperature == 0
    assert request.tags == Tags("rerank", "acme", "r1")
    assert reranker.name == "llm/scripted/chat"


async def test_what_cannot_be_used_gets_one_turn_to_be_put_right(make: Make) -> None:
    model = ScriptedChatModel(order(1, 1), order(2, 1))
    assert (await make(model).score("q", ["a", "b"], TAGS)).tolist() == [0.5, 1]
    answer, repair = model.requests[1].messages[1:]
    assert (answer.role, answer.content) == ("assistant", order(1, 1))
    assert "it lacks 2" in repair.content


async def test_after_two_failures_it_gives_up(make: Make) -> None:
    model = ScriptedChatModel("Passage 2 is best.")
    with pytest.raises(InvalidResponseError, match=r"scripted/chat did not order the passages: it is not JSON\."):
        await make(model).score("q", ["a", "b"], TAGS)
    assert len(model.requests) == 2


async def test_a_model_that_says_nothing_is_not_waited_for_without_end(tmp_path: Path) -> None:
    model = ScriptedChatModel(order(2, 1), delay=60)
    with opened_meter(tmp_path) as meter:
        router = Router([model], meter=meter, retry=RetrySettings(attempts=1))
        with pytest.raises(DeadlineError):
            await ListwiseReranker(lambda: router, model.name, seconds=0.01).score("q", ["a", "b"], TAGS)


@pytest.mark.parametrize("count", [0, 1])
async def test_nothing_to_order_asks_nobody(make: Make, count: int) -> None:
    model = ScriptedChatModel(order(1))
    assert (await make(model).score("q", ["a"] * count, TAGS)).tolist() == [1.0] * count
    assert model.requests == []


@pytest.mark.parametrize(("count", "calls"), [(20, 1), (21, 2), (30, 2), (45, 4)])
async def test_the_best_climb_from_window_to_window(make: Make, count: int, calls: int) -> None:
    model = ScriptedChatModel(by_figure)
    values = await make(model).score("q", [f"value {number}" for number in range(count)], TAGS)
    assert len(model.requests) == calls
    best = sorted(range(count), key=lambda index: -values[index])
    assert best[:10] == list(range(count - 1, count - 11, -1))


async def test_of_a_long_passage_the_beginning_is_shown(make: Make) -> None:
    model = ScriptedChatModel(order(1, 2))
    await make(model).score("q", ["x" * (SHOWN_CHARACTERS + 1), "short"], TAGS)
    assert f"[1] {'x' * SHOWN_CHARACTERS}…\n" in model.requests[0].messages[0].content


async def test_a_passage_cannot_fill_the_places_of_the_prompt(make: Make) -> None:
    model = ScriptedChatModel(order(1, 2))
    await make(model).score("what is {{count}}?", ["{{question}}", "b"], TAGS)
    content = model.requests[0].messages[0].content
    assert "[1] {{question}}" in content
    assert content.endswith("Question: what is {{count}}?")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "not JSON"),
        ("[1, 2]", "not an object"),
        ('{"order": "1, 2"}', "whole numbers"),
        ('{"order": [1, "2"]}', "whole numbers"),
        ('{"order": [true, 2]}', "whole numbers"),
        ('{"order": [1.0, 2]}', "whole numbers"),
        (order(1), "it lacks 2"),
        (order(1, 2, 3), "no passage 3"),
        (order(0, 1, 2), "no passage 0"),
        (order(1, 2, 2), "twice"),
        (json.dumps({"order": [9]}), "it lacks 1, 2"),
    ],
)
def test_an_order_is_read_strictly(text: str, problem: str) -> None:
    found, said = parse_order(text, 2)
    assert found is None
    assert problem in said


def test_a_right_order_is_read() -> None:
    assert parse_order(order(2, 1), 2) == ([1, 0], "")
    assert parse_order(order(*range(12, 0, -1)), 12)[0] == list(range(11, -1, -1))
    assert "1, 2, 3, 4, 5 and 7 more" in parse_order(order(), 12)[1]
