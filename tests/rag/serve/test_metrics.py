"""What `/metrics` says agrees with the ledger and with what was answered."""

from __future__ import annotations

from decimal import Decimal

from prometheus_client.parser import text_string_to_metric_families

from rag.serve.metrics import Metrics
from routing.chat import ChatResponse, Usage
from routing.errors import OverloadedError
from routing.resilience.circuit import State
from routing.testing.fakes import ScriptedChatModel
from tests.rag.serve.conftest import Served, Serving


async def samples(served: Served) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    response = await served.client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


async def test_tokens_and_dollars_are_the_ledgers(serving: Serving) -> None:
    # gpt-4o-mini: 1,000 x .15 + 100 x .60 per million
    reply = ChatResponse("30 days [Source: returns.md].", "openai/gpt-4o-mini", Usage(1000, 100))
    served = await serving(ScriptedChatModel(reply, name="openai/gpt-4o-mini"))
    for _ in range(2):
        await served.ask()
    found = await samples(served)
    model = ("model", "openai/gpt-4o-mini")
    assert found["plumbline_model_tokens_total", frozenset({model, ("direction", "input")})] == 2000
    assert found["plumbline_model_tokens_total", frozenset({model, ("direction", "output")})] == 200
    assert Decimal(str(round(found["plumbline_model_dollars_total", frozenset({model})], 9))) == Decimal("0.00042")
    assert found["plumbline_answers_total", frozenset()] == 2
    route = frozenset({("method", "POST"), ("route", "/api/ask"), ("status", "200")})
    assert found["plumbline_requests_total", route] == 2
    assert found["plumbline_request_seconds_count", frozenset({("route", "/api/ask")})] == 2
    again = await samples(served)
    assert again["plumbline_model_tokens_total", frozenset({model, ("direction", "input")})] == 2000, "counted once"


async def test_refusals_and_fallbacks_are_counted(serving: Serving) -> None:
    served = await serving(ScriptedChatModel(OverloadedError("529", model="x"), name="openai/gpt-4o-mini"))
    await served.ask()
    await served.ask("Who won the football match on the moon?", stream=True)
    found = await samples(served)
    assert found["plumbline_degraded_answers_total", frozenset()] == 2
    assert found["plumbline_refusals_total", frozenset()] == 1
    failed = frozenset({("kind", "chat"), ("model", "openai/gpt-4o-mini"), ("outcome", "error")})
    assert found["plumbline_model_calls_total", failed] == 2, "then it is left alone"
    open_ = frozenset({("model", "openai/gpt-4o-mini")})
    assert found["plumbline_breaker_open", open_] == 1
    assert found["plumbline_breaker_half_open", open_] == 0


async def test_each_state_of_a_breaker_is_told_apart(serving: Serving) -> None:
    served = await serving()
    states: dict[str, State] = {"openai/a": "closed", "openai/b": "open", "openai/c": "half-open"}
    metrics = Metrics(served.host.home.ledger, in_flight=lambda: 0, dropped_spans=lambda: 0, breakers=lambda: states)
    lines = metrics.text().decode().splitlines()
    assert [line for line in lines if line.startswith("plumbline_breaker_")] == [
        'plumbline_breaker_open{model="openai/a"} 0.0',
        'plumbline_breaker_open{model="openai/b"} 1.0',
        'plumbline_breaker_open{model="openai/c"} 1.0',
        'plumbline_breaker_half_open{model="openai/a"} 0.0',
        'plumbline_breaker_half_open{model="openai/b"} 0.0',
        'plumbline_breaker_half_open{model="openai/c"} 1.0',
    ]


async def test_paths_that_nobody_knows_share_one_series(serving: Serving) -> None:
    served = await serving()
    for n in range(5):
        await served.client.get(f"/api/nothing/{n}")
        await served.client.get(f"/api/ingestions/{n}")
    found = await samples(served)
    routes = {dict(labels)["route"] for name, labels in found if name == "plumbline_requests_total"}
    assert routes == {"other", "/api/ingestions/{ingestion_id}"}


async def test_methods_that_clients_make_up_share_one_series(serving: Serving) -> None:
    served = await serving()
    for n in range(5):
        await served.client.request(f"MADE-UP-{n}", "/health")
    methods = {dict(labels)["method"] for name, labels in await samples(served) if name == "plumbline_requests_total"}
    assert methods == {"other"}


async def test_two_servers_in_one_process_count_apart(serving: Serving) -> None:
    first, second = await serving(), await serving(kbs=("other",))
    await first.ask()
    assert (await samples(second))["plumbline_answers_total", frozenset()] == 0
