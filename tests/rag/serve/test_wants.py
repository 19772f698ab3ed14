"""What a request wants, over HTTP: by both interfaces, of a knowledge base and of the gateway's models."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn

import pytest

from plumbline.errors import ConfigError, InputError, MissingExtraError, PlumblineError
from rag import RAG
from rag.serve.host import Host
from routing.chat import ChatRequest, Message
from routing.cost.prices import Price
from routing.models.catalog import register_model
from routing.models.providers import ModelName, ModelOptions
from routing.protection import Protection
from routing.testing.fakes import ScriptedChatModel
from routing.testing.server import FakeProvider
from tests.rag.serve.conftest import QUESTION, REPLY, Served, Serving, events

pytest.importorskip("fastapi")
pytest.importorskip("openai")

LOCAL = {"local": True}
NATIVE, OPENAI = "/api/ask", "/v1/chat/completions"
HOSTED, OURS = "openai/gpt-4.1-mini", "vllm/mine"
MESSAGES = [{"role": "user", "content": QUESTION}]


async def asked(served: Served, path: str, wants: Any, *, model: str = "kb/kb", stream: bool = False) -> Any:
    native = {"question": QUESTION, "wants": wants}
    openai = {"model": model, "messages": MESSAGES, "plumbline": {"wants": wants}}
    body = {**(native if path == NATIVE else openai), "stream": stream}
    return await served.client.post(path, json=body)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_local_question_is_answered_here_and_says_what_was_left_out(serving: Serving, stream: bool) -> None:
    model = ScriptedChatModel(REPLY, name="openai/gpt-4.1-mini")
    served = await serving(model, settings={"retrieval.question.hyde": True, "retrieval.rerank.model": "llm"})
    response = await asked(served, NATIVE, LOCAL, stream=stream)
    answer = await _last(response) if stream else response.json()
    assert answer["model"] == "extractive/default"
    assert "retrieval.question.hyde was left out" in answer["note"]
    response = await asked(served, OPENAI, LOCAL)
    assert response.json()["plumbline"]["note"] == answer["note"]
    assert model.requests == []
    search = {"query": QUESTION, "wants": LOCAL, "explain": True}
    found = (await served.client.post("/api/search", json=search)).json()
    assert "retrieval.question.hyde was left out" in found["notes"][0]
    assert model.requests == []
    await asked(served, NATIVE, {"model": "openai/gpt-4.1-mini", "latency": "batch"})
    assert model.requests, "and without a wish it is asked"


async def _last(response: Any) -> Any:
    *_, (name, answer) = events(response.text)
    assert name == "answer"
    return answer


async def test_what_cannot_stay_is_refused(serving: Serving) -> None:
    model = ScriptedChatModel(REPLY, name="openai/gpt-4.1-mini")
    served = await serving(model, settings={"routing.fallback": "none"})
    for path in (NATIVE, OPENAI):
        response = await asked(served, path, LOCAL)
        assert response.status_code == 400
        assert "nothing may leave the machine" in response.text
    assert model.requests == []


async def test_the_gateway_passes_nothing_on_that_must_stay(serving: Serving) -> None:
    async with FakeProvider() as hosted, FakeProvider() as own:
        served = await serving(settings={"serve.models": [HOSTED, f"{OURS}@{own.url}"]})
        served.host.environ = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": f"{hosted.url}/v1"}
        for stream in (False, True):
            response = await asked(served, OPENAI, LOCAL, model=HOSTED, stream=stream)
            assert response.json()["error"]["code"] == "unsupported"
            assert "it is asked at openai" in response.json()["error"]["message"]
        assert hosted.requests == []
        assert (await asked(served, OPENAI, LOCAL, model=OURS)).status_code == 200
        assert (await asked(served, OPENAI, {}, model=HOSTED)).status_code == 200
        assert (len(own.requests), len(hosted.requests)) == (1, 1)


async def test_the_gateways_own_models_have_their_prices_and_share_connections(tmp_path: Path) -> None:
    def own(name: ModelName, options: ModelOptions) -> ScriptedChatModel:
        assert options.connections is not None
        return ScriptedChatModel("Hello.", name="myco/large")

    host = Host.open(
        [tmp_path / "kb"],
        home=tmp_path / "home",
        environ={},
        settings={"serve.models": ["myco/large"]},
        catalog=register_model("myco/large", own, price=Price(Decimal(1), Decimal(2))),
    )
    try:
        response = await host.gateway("myco/large").complete(ChatRequest((Message("user", "Hello?"),)))
    finally:
        await host.aclose()
    assert response.cost


def opening_a_base(folder: Path, settings: dict[str, Any]) -> None:
    settings = {**settings, "retrieval.question.hyde": True}  # which needs a model that writes
    RAG.open(folder / "kb", home=folder / "home", environ={}, settings=settings)


def opening_a_host(folder: Path, settings: dict[str, Any]) -> None:
    Host.open([folder / "kb", folder / "other" / "kb"], home=folder / "home", environ={}, settings=settings)


def opening_a_host_without_metrics(folder: Path, settings: dict[str, Any]) -> None:
    def missing(package: str, extra: str) -> NoReturn:
        raise MissingExtraError(package, extra)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("rag.serve.metrics.require", missing)
        Host.open([folder / "kb"], home=folder / "home", environ={}, settings=settings)


@pytest.mark.parametrize(
    ("opening", "error"),
    [
        (opening_a_base, ConfigError),
        (opening_a_host, InputError),
        (opening_a_host_without_metrics, MissingExtraError),
    ],
)
async def test_what_stood_guard_is_closed_when_opening_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opening: Callable[..., None], error: type[PlumblineError]
) -> None:
    pytest.importorskip("redis")
    closed: list[Protection] = []
    close = Protection.close

    async def closing(self: Protection) -> None:
        await close(self)
        closed.append(self)

    monkeypatch.setattr(Protection, "close", closing)
    shared = {"routing.shared": "redis://127.0.0.1:1", "routing.budgets": [{"name": "all", "limit": 1}]}
    with pytest.raises(error):
        opening(tmp_path, shared)
    assert len(closed) == 1
    assert closed[0].link is not None
    opened = await _opens(tmp_path)
    assert opened


async def _opens(folder: Path) -> bool:
    """Whether nothing holds the folder that could not be opened."""
    async with RAG.open(folder / "kb", home=folder / "home", environ={}) as kb:
        return kb.status().totals.documents == 0
