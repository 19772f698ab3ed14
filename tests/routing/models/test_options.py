"""What becomes of everything that may be asked of a model, at every provider: the table of docs/models.md.

"sent": what is sent differs by it, and has the value that was asked for. "translated": it differs, in words of the
provider's own. "left out": it does not differ. "refused": nothing is sent.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from routing.chat import ChatOptions, ChatRequest, Image, Message, Tool
from routing.errors import UnsupportedError
from routing.models.facts import UNKNOWN, ModelFacts
from routing.testing.chat import REQUEST
from routing.testing.server import FakeProvider
from routing.testing.wire import Script
from tests.routing.models.adapters import PROVIDERS, SDKS, Provider, adapter

DOCS = Path(__file__).parents[3] / "docs" / "models.md"
SCHEMA = {
    "type": "object",
    "properties": {"days": {"type": "integer"}},
    "required": ["days"],
    "additionalProperties": False,
}
LOOK, COUNT = (Tool(name, "Does it.", {"type": "object", "properties": {}}) for name in ("look", "count"))
PLAIN = replace(REQUEST, messages=(Message("user", "When?"),), options=ChatOptions())
TOOLS = replace(PLAIN, tools=(LOOK, COUNT))
SHOWN = (Message("user", "When?", images=(Image(url="https://example.org/a.png"),)),)
EFFORTS = {"openai": "high", "responses": "high", "vllm": "high", "anthropic": "high", "cohere": "enabled"}
"""A word that each knows for how much is thought."""


def options(**asked: Any) -> ChatRequest:
    return replace(PLAIN, options=ChatOptions(**asked))


def asked_for(provider: Provider) -> Mapping[str, tuple[ChatRequest, ChatRequest, object]]:
    """By the first column of the table: the request, the one that lacks only this, and a value to look for."""
    effort = EFFORTS[provider]
    return {
        "`options.temperature`": (options(temperature=0.25), PLAIN, 0.25),
        "`options.top_p`": (options(top_p=0.75), PLAIN, 0.75),
        "`options.seed`": (options(seed=1234), PLAIN, 1234),
        "`options.max_tokens`": (options(max_tokens=77), PLAIN, 77),
        "`options.stop`": (options(stop=("END",)), PLAIN, "END"),
        "`options.logprobs`: 0": (options(logprobs=0), PLAIN, 0),
        "`options.logprobs`: 3": (options(logprobs=3), PLAIN, 3),
        "`options.effort`": (options(effort=effort), PLAIN, effort),
        "`options.tier`: `flex`": (options(tier="flex"), PLAIN, "flex"),
        "`options.tier`: `priority`": (options(tier="priority"), PLAIN, "priority"),
        "`options.tier`: `batch`": (options(tier="batch"), PLAIN, "batch"),
        "`tools`": (TOOLS, PLAIN, "look"),
        "`tool_choice`: `required`": (replace(TOOLS, tool_choice="required"), TOOLS, "required"),
        "`tool_choice`: a tool": (replace(TOOLS, tool_choice=LOOK), TOOLS, "look"),
        "`response_schema`": (replace(PLAIN, response_schema=SCHEMA), PLAIN, "days"),
        "`Message.images`": (replace(PLAIN, messages=SHOWN), PLAIN, "https://example.org/a.png"),
    }


ROWS = list(asked_for("openai"))
NOTHING = ModelFacts(
    images=False, tools=False, schema=False, logprobs=False, stop=False, temperature=False, top_p=False, seed=False
)
KNOWN = {
    "`options.temperature`": "left out",
    "`options.top_p`": "left out",
    "`options.seed`": "left out",
    "`options.stop`": "refused",
    "`options.logprobs`: 0": "refused",
    "`options.logprobs`: 3": "refused",
    "`options.effort`": "refused",
    "`tools`": "refused",
    "`response_schema`": "refused",
    "`Message.images`": "refused",
}
"""What becomes of what a model is known not to do, at whichever provider it is."""


def tables() -> list[list[list[str]]]:
    """The tables of the page, by line and cell."""
    lines = DOCS.read_text(encoding="utf-8").splitlines()
    found: list[list[list[str]]] = [[]]
    for line in lines:
        if line.startswith("|"):
            found[-1].append([cell.strip() for cell in line.strip("|").split("|")])
        elif found[-1]:
            found.append([])
    return [table for table in found if table]


def documented() -> Mapping[str, Mapping[str, str]]:
    """What the page says: the words by row and provider."""
    (head, _, *rows) = next(table for table in tables() if len(table[0]) == len(PROVIDERS) + 1)
    assert head[1:] == ["OpenAI, chat", "OpenAI, responses", "vLLM", "Anthropic", "Cohere"]
    return {row[0]: dict(zip(PROVIDERS, row[1:], strict=True)) for row in rows}


def leaves(value: Any) -> Iterator[Any]:
    """All that stands in a body, whatever it is called."""
    if isinstance(value, Mapping):
        yield from value
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from leaves(part)
    else:
        yield value


async def becomes(
    server: FakeProvider, provider: Provider, facts: ModelFacts, asked: tuple[ChatRequest, ChatRequest, object]
) -> str:
    """The word for what `provider` makes of it."""
    request, without, value = asked
    model = adapter(provider, server.url, facts=facts)
    try:
        before = len(server.requests)
        await model.complete(without)
        try:
            await model.complete(request)
        except UnsupportedError:
            assert len(server.requests) == before + 1
            return "refused"
        base, body = server.requests[before].body, server.requests[-1].body  # what counts tokens comes between them
    finally:
        await model.close()
    changed = {key: part for key, part in body.items() if base.get(key) != part}
    if not changed:
        assert set(base) == set(body)
        return "left out"
    new = [leaf for key, part in changed.items() for leaf in leaves(part) if leaf not in leaves(base.get(key))]
    return "sent" if any(type(leaf) is type(value) and leaf == value for leaf in new) else "translated"


def parameters_of_openai() -> set[str]:
    from openai.types.chat.completion_create_params import CompletionCreateParamsBase

    return set(CompletionCreateParamsBase.__annotations__)


def parameters_of_responses() -> set[str]:
    from openai.types.responses.response_create_params import ResponseCreateParamsBase

    return set(ResponseCreateParamsBase.__annotations__) | {"stream"}


def parameters_of_anthropic() -> set[str]:
    from anthropic.types.message_create_params import MessageCreateParamsBase

    return set(MessageCreateParamsBase.__annotations__)


def parameters_of_cohere() -> set[str]:
    from cohere.v2.client import AsyncV2Client

    return set(inspect.signature(AsyncV2Client.chat).parameters) | {"stream"}


PARAMETERS: Mapping[Provider, Callable[[], set[str]]] = {
    "openai": parameters_of_openai,
    "responses": parameters_of_responses,
    "anthropic": parameters_of_anthropic,
    "cohere": parameters_of_cohere,
}
"""Of vLLM's there is no SDK: it goes by OpenAI's."""
SAMPLING = {"`options.temperature`": {"temperature"}, "`options.top_p`": {"top_p", "p"}, "`options.seed`": {"seed"}}
STOPPING = {"`options.stop`": {"stop", "stop_sequences"}, "`options.logprobs`: 0": {"logprobs", "top_logprobs"}}


@pytest.fixture
async def answering(server: FakeProvider) -> FakeProvider:
    """Log-probabilities come where they are asked for, and an answer of 77 tokens is one."""
    server.script = Script(pieces=('{"days": ', "30}"))
    return server


def test_everything_that_may_be_asked_has_a_row() -> None:
    missing = [field.name for field in fields(ChatOptions) if not any(f"options.{field.name}`" in row for row in ROWS)]
    assert not missing
    assert list(documented()) == ROWS


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("provider", PROVIDERS)
async def test_what_becomes_of_it(answering: FakeProvider, provider: Provider, row: str) -> None:
    """At a model of which nothing is known, so that it is the provider's interface that decides."""
    pytest.importorskip(SDKS[provider])
    found = await becomes(answering, provider, UNKNOWN, asked_for(provider)[row])
    assert found == documented()[row][provider]


@pytest.mark.parametrize("provider", PARAMETERS)
async def test_the_sdk_knows_what_is_sent_and_not_what_is_not(answering: FakeProvider, provider: Provider) -> None:
    """A parameter that an SDK learns, or gives up, fails here."""
    pytest.importorskip(SDKS[provider])
    known, said = PARAMETERS[provider](), documented()
    for row, names in (SAMPLING | STOPPING).items():
        assert bool(names & known) == (said[row][provider] in ("sent", "translated")), row
    for request, _, _ in asked_for(provider).values():
        await becomes(answering, provider, UNKNOWN, (request, PLAIN, None))
    asked = [sent.body for sent in answering.requests if not sent.path.endswith(("/tokenize", "/count_tokens"))]
    assert set().union(*asked) <= known


@pytest.mark.parametrize("row", KNOWN)
@pytest.mark.parametrize("provider", PROVIDERS)
async def test_what_a_model_is_known_not_to_do(answering: FakeProvider, provider: Provider, row: str) -> None:
    pytest.importorskip(SDKS[provider])
    facts = replace(NOTHING, efforts=("none",)) if "effort" in row else NOTHING
    assert await becomes(answering, provider, facts, asked_for(provider)[row]) == KNOWN[row]
