"""A wrong key and an unknown model, at every adapter there is: what the error tells its reader to do."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import pytest

from routing.errors import AuthenticationError, MissingKeyError, ModelNotFoundError
from routing.models.catalog import DEFAULT_CATALOG
from routing.testing.chat import REQUEST
from routing.testing.faults import Fault
from routing.testing.server import FakeProvider

KEY = "sk-very-secret-1234"
ADDRESSES = ("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "CO_API_URL")
Ask = Callable[[Any], Coroutine[None, None, object]]


async def streamed(model: Any) -> object:
    return [event async for event in model.stream(REQUEST)]


@dataclass(frozen=True, slots=True)
class Case:
    """How one kind of model is made and asked, and what a wrong name should lead to."""

    sdk: str
    variable: str
    wrong: str
    right: str | None
    make: Callable[..., Any]
    ask: Ask

    def model(self, server: FakeProvider, name: str, key: str = KEY) -> Any:
        """The model `name` at `server`; "URL" in a name is the server's address."""
        pytest.importorskip(self.sdk)
        addresses = {variable: server.url + ("/v1" if "OPENAI" in variable else "") for variable in ADDRESSES}
        return self.make(name.replace("URL", server.url), environ={self.variable: key} | addresses)


async def whole(model: Any) -> object:
    return await model.complete(REQUEST)


async def embed(model: Any) -> object:
    return await model.embed_queries(["When?"])


async def rank(model: Any) -> object:
    return await model.score("When?", ["In May.", "Never."])


def served(name: str, **more: Any) -> Any:
    return DEFAULT_CATALOG.embedder(name, dimensions=1536, **more)


CHAT, EMBEDDER, RERANKER = DEFAULT_CATALOG.chat_model, DEFAULT_CATALOG.embedder, DEFAULT_CATALOG.reranker
OPENAI, COHERE, VLLM = ("openai", "OPENAI_API_KEY"), ("cohere", "CO_API_KEY"), ("openai", "VLLM_API_KEY")
CASES = {
    "openai": Case(*OPENAI, "openai/gpt-5-minny", "openai/gpt-5-mini", CHAT, whole),
    "openai-stream": Case(*OPENAI, "openai/gpt-5-minny", "openai/gpt-5-mini", CHAT, streamed),
    "openai-responses": Case(*OPENAI, "openai/gpt-5-minny@responses", "openai/gpt-5-mini", CHAT, whole),
    "openai-embedder": Case(*OPENAI, "openai/text-embedding-3-small", None, EMBEDDER, embed),
    "anthropic": Case(
        *("anthropic", "ANTHROPIC_API_KEY", "anthropic/claude-opus-5-9", "anthropic/claude-opus-5-5", CHAT, whole)
    ),
    "anthropic-stream": Case(
        *("anthropic", "ANTHROPIC_API_KEY", "anthropic/claude-opus-5-9", "anthropic/claude-opus-5-5", CHAT, streamed)
    ),
    "cohere": Case(*COHERE, "cohere/command-a-03-2026", "cohere/command-a-03-2025", CHAT, whole),
    "cohere-stream": Case(*COHERE, "cohere/command-a-03-2026", "cohere/command-a-03-2025", CHAT, streamed),
    "cohere-embedder": Case(*COHERE, "cohere/embed-v4.0", None, EMBEDDER, embed),
    "cohere-reranker": Case(*COHERE, "cohere/rerank-v4.1-pro", "cohere/rerank-v4.0-pro", RERANKER, rank),
    "vllm": Case(*VLLM, "vllm/m@URL", None, CHAT, whole),
    "vllm-embedder": Case(*VLLM, "vllm/m@URL", None, served, embed),
    "vllm-reranker": Case(*VLLM, "vllm/m@URL", None, RERANKER, rank),
    "openai-compatible": Case("openai", "OPENAI_COMPATIBLE_API_KEY", "openai-compatible/m@URL", None, CHAT, whole),
}
EACH = pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))


@EACH
@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", 401, body=json.dumps({"error": {"message": f"Wrong key: {KEY}"}, "message": f"Wrong: {KEY}"})),
        Fault("status", 400, body=json.dumps({"error": {"message": KEY, "code": "invalid_api_key"}})),
        Fault("status", 403),
    ],
    ids=["401", "400", "403"],
)
async def test_a_wrong_key_names_its_variable(server: FakeProvider, case: Case, fault: Fault) -> None:
    model = case.model(server, case.wrong)
    server.faults.append(fault)
    with pytest.raises(AuthenticationError) as caught:
        await case.ask(model)
    assert f"in the environment variable {case.variable}" in str(caught.value)
    assert server.url in str(caught.value)
    assert KEY not in str(caught.value)
    assert KEY not in "".join(traceback.format_exception(caught.value))
    await model.close()


@EACH
@pytest.mark.parametrize("body", [None, '{"error": {"message": "No.", "code": "model_not_found"}}'], ids=["404", "403"])
async def test_an_unknown_model_names_the_nearest(server: FakeProvider, case: Case, body: str | None) -> None:
    model = case.model(server, case.wrong)
    # A server may rerank at either of two places.
    server.faults.extend([Fault("status", 404 if body is None else 403, body=body)] * (2 if case.ask is rank else 1))
    with pytest.raises(ModelNotFoundError) as caught:
        await case.ask(model)
    said = str(caught.value)
    name = case.wrong.partition("@")[0].partition("/")[2]
    assert f"does not know the model '{name}'" in said
    assert server.url in said
    assert ("Did you mean" in said) == (case.right is not None)
    assert case.right is None or f"Did you mean '{case.right}'?" in said
    await model.close()


@pytest.mark.parametrize("case", ["openai", "anthropic", "cohere", "cohere-reranker", "openai-embedder"])
async def test_a_model_there_is_may_be_closed_to_the_key(server: FakeProvider, case: str) -> None:
    asked = CASES[case]
    model = asked.model(server, asked.right or asked.wrong)
    server.faults.append(Fault("status", 404))
    with pytest.raises(ModelNotFoundError, match=f"Check that the key in the environment variable {asked.variable}"):
        await asked.ask(model)
    await model.close()


@EACH
@pytest.mark.parametrize("key", ["sk-ab…yz", "sk-ab yz", "sk-ab\nyz", "«sk-abyz»", "sk-ab\x00yz"])
async def test_what_cannot_be_a_key_is_refused_at_once(server: FakeProvider, case: Case, key: str) -> None:
    with pytest.raises(MissingKeyError, match=f"{case.variable} holds no API key") as caught:
        case.model(server, case.wrong, key)
    assert "sk-" not in str(caught.value)


@EACH
async def test_spaces_around_a_key_are_no_part_of_it(server: FakeProvider, case: Case) -> None:
    model = case.model(server, case.wrong, f" {KEY}\n")
    await case.ask(model)
    headers = server.requests[-1].headers
    assert headers.get("x-api-key", headers.get("authorization", "").removeprefix("Bearer ")) == KEY
    await model.close()


@pytest.mark.parametrize("name", ["openai", "anthropic", "cohere", "cohere-reranker", "cohere-embedder"])
def test_a_missing_key_names_its_variable(name: str) -> None:
    case = CASES[name]
    pytest.importorskip(case.sdk)
    for environ in ({}, {case.variable: "  "}):
        with pytest.raises(MissingKeyError, match=f"variable {case.variable} is not set"):
            case.make(case.right or case.wrong, environ=environ)
