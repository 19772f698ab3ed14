"""What is wrong with a request is said: row and column, field, route, method, type, size."""

from __future__ import annotations

import asyncio
import logging

import pytest

from rag.serve.host import Host
from routing.chat import ChatRequest
from routing.testing.fakes import ScriptedChatModel
from tests.rag.serve.conftest import QUESTION, Hanging, RawRequest, Serving

JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b'{"question": "a",\n  oops}', "row 2, column 3"),
        (b'{"question": "a"', "row 1, column 17"),
        (b"\xff\xfe{}", "UTF-8: byte 1"),
        (b'{"question": ' + b"[" * 100_000, "recursion"),
        (b'{"question": ' + b"9" * 10_000 + b"}", "digits"),
    ],
)
async def test_broken_json_is_located(serving: Serving, body: bytes, detail: str) -> None:
    response = await (await serving()).client.post("/api/ask", content=body, headers=JSON)
    assert response.status_code == 400
    assert detail in response.json()["detail"]
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("path", "body", "fields"),
    [
        ("/api/ask", {}, ["question"]),
        ("/api/ask", {"question": 3, "strem": True}, ["question", "strem"]),
        ("/api/ask", [1], ["body"]),
        ("/api/search", {"query": "a", "top_k": 0}, ["top_k"]),
        ("/api/search", {"query": "a", "top_k": "many"}, ["top_k"]),
        ("/api/search", {"query": "a", "top_k": "3"}, ["top_k"]),
        ("/api/search", {"query": "a", "top_k": True}, ["top_k"]),
        ("/api/ask", {"question": "a", "stream": "yes"}, ["stream"]),
        ("/api/ask", {"question": "a", "wants": {"latency": "soon"}}, ["wants.latency"]),
        ("/api/ask", {"question": "a", "wants": {"local": "yes", "loca": True}}, ["wants.local", "wants.loca"]),
        ("/api/ask", {"question": "a", "wants": {"model": "openai/gpt-5"}}, ["wants.model"]),
        ("/api/ask", {"question": "a", "wants": {"task": " "}}, ["wants.task"]),
        ("/api/ask", {"question": "a", "wants": True}, ["wants"]),
        ("/api/search", {"query": "a", "wants": {"language": 3}}, ["wants.language"]),
        ("/api/search", {"query": "a", "wants": {"model": "openai/gpt-5"}}, ["wants.model"]),
    ],
)
async def test_wrong_fields_are_named(serving: Serving, path: str, body: object, fields: list[str]) -> None:
    response = await (await serving()).client.post(path, json=body)
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == fields
    assert all(field.rpartition(".")[2] in response.json()["detail"] for field in fields)


@pytest.mark.parametrize(
    ("method", "path", "status", "slug"),
    [
        ("GET", "/api/nothing", 404, "not-found"),
        ("GET", "/nothing", 404, "not-found"),
        ("GET", "/page/../app.py", 404, "not-found"),
        ("GET", "/page/%2e%2e/app.py", 404, "not-found"),
        ("GET", "/page//etc/passwd", 404, "not-found"),
        ("DELETE", "/api/ask", 405, "method-not-allowed"),
        ("GET", "/api/ask", 405, "method-not-allowed"),
        ("GET", "/api/documents?kb=nope", 404, "not-found"),
        ("GET", "/api/ingestions/nope", 404, "not-found"),
        ("DELETE", "/api/documents/nope", 404, "not-found"),
        ("GET", "/api/documents/nope/passage?start=0&end=1", 404, "not-found"),
        ("GET", "/api/documents/nope/passage?start=a", 422, "invalid-field"),
    ],
)
async def test_what_does_not_exist_is_a_problem(
    serving: Serving, method: str, path: str, status: int, slug: str
) -> None:
    response = await (await serving()).client.request(method, path)
    assert (response.status_code, response.json()["type"]) == (status, f"urn:plumbline:problem:{slug}")
    assert response.json()["instance"] == response.headers["x-request-id"]
    if status == 405:
        assert response.headers["allow"]


async def test_a_body_of_another_type_or_size_is_refused(serving: Serving) -> None:
    served = await serving(settings={"serve.max_body_bytes": 1000})
    form = await served.client.post("/api/ask", data={"question": QUESTION})
    assert form.status_code == 415
    assert "application/x-www-form-urlencoded" in form.json()["detail"]
    assert (await served.client.post("/api/ask")).status_code == 415
    announced = await served.ask("a" * 2000)
    assert announced.status_code == 413
    assert "serve.max_body_bytes" in announced.json()["hint"]

    unannounced = RawRequest(served.app, "/api/ask", b"a" * 2000, whole=False)
    await unannounced.start()
    assert unannounced.status == 413


async def test_a_body_that_does_not_come_is_given_up(serving: Serving) -> None:
    served = await serving(settings={"serve.timeout_seconds": 0.05})
    request = RawRequest(served.app, "/api/ask", b'{"question"', whole=False)
    await asyncio.wait_for(request.start(), 5)
    assert request.status == 408
    gone = RawRequest(served.app, "/api/ask", b'{"question"', whole=False)
    gone.gone.set()
    await asyncio.wait_for(gone.start(), 5)
    assert gone.sent == [], "nobody is there to be told"


@pytest.mark.parametrize("stream", [True, False])
async def test_a_request_that_takes_too_long_is_ended(serving: Serving, stream: bool) -> None:
    model = Hanging()
    served = await serving(model, settings={"serve.timeout_seconds": 1.0})
    # Warm, so that the time is spent on waiting for the model, also on a busy machine.
    assert (await served.client.post("/api/search", json={"query": QUESTION})).status_code == 200
    response = await asyncio.wait_for(served.ask(stream=stream), 30)
    assert model.cancelled
    if stream:
        assert "event: error" in response.text
        assert "request-timeout" in response.text
    else:
        assert (response.status_code, response.json()["type"]) == (504, "urn:plumbline:problem:request-timeout")


async def test_more_requests_than_allowed_are_told_to_come_again(serving: Serving) -> None:
    model = Hanging()
    served = await serving(model, settings={"serve.max_concurrent": 1})
    first = asyncio.create_task(served.ask())
    await asyncio.wait_for(model.begun.wait(), 5)
    second = await served.ask()
    assert (second.status_code, second.json()["type"]) == (503, "urn:plumbline:problem:busy")
    assert int(second.headers["retry-after"]) >= 1
    assert (await served.client.get("/health")).status_code == 200, "not counted: it must always answer"
    assert "plumbline_requests_in_flight 1.0" in (await served.client.get("/metrics")).text
    model.release.set()
    assert (await first).status_code == 200
    assert (await served.ask()).status_code == 200


async def test_an_error_that_nobody_foresaw_is_logged_and_not_told(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    def explode(request: ChatRequest) -> str:
        raise RuntimeError("the secret inside")

    served = await serving(ScriptedChatModel(explode))
    with caplog.at_level(logging.ERROR, logger="rag.serve"):
        response = await served.ask()
        streamed = await served.ask(stream=True)
    assert response.status_code == 500
    assert "secret" not in response.text + streamed.text
    assert "event: error" in streamed.text
    assert response.json()["instance"] == response.headers["x-request-id"]
    assert caplog.text.count("RuntimeError: the secret inside") == 2
    assert response.headers["x-request-id"] in caplog.text


async def test_a_log_line_is_one_line(serving: Serving, caplog: pytest.LogCaptureFixture) -> None:
    served = await serving()
    with caplog.at_level(logging.INFO, logger="rag.serve"):
        await served.client.get("/a%0a2026-01-01 INFO forged 200")
    (record,) = [record for record in caplog.records if record.name == "rag.serve"]
    assert "\n" not in record.getMessage()
    assert "404" in record.getMessage()


@pytest.mark.parametrize("body", [b'{"question": "\\ud800 refund?"}', b'{"question": "a", "kb": "\\ud800"}'])
@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
async def test_half_a_surrogate_pair_harms_nothing(serving: Serving, body: bytes, accept: str) -> None:
    response = await (await serving()).client.post("/api/ask", content=body, headers={**JSON, "accept": accept})
    assert response.status_code == (404 if b"kb" in body else 200)
    response.content.decode()


async def test_every_answer_has_an_id_and_is_safe_to_show(serving: Serving) -> None:
    served = await serving()
    ids = set()
    for path in ("/", "/health", "/api/kbs", "/nothing"):
        response = await served.client.get(path)
        ids.add(response.headers["x-request-id"])
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["content-security-policy"].startswith("default-src 'self'")
        assert "access-control-allow-origin" not in response.headers
    assert len(ids) == 4
    given = await served.client.get("/health", headers={"x-request-id": "abc-1"})
    assert given.headers["x-request-id"] == "abc-1"
    odd = await served.client.get("/health", headers={"x-request-id": "a b\t"})
    assert odd.headers["x-request-id"] != "a b\t"


async def test_the_page_and_its_files_are_served(serving: Serving) -> None:
    client = (await serving()).client
    index = await client.get("/")
    assert index.status_code == 200
    assert index.headers["content-type"].startswith("text/html")
    script = await client.get("/page/api.js")
    assert script.headers["content-type"].startswith("text/javascript")
    again = await client.get("/page/api.js", headers={"if-none-match": script.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_readiness_follows_the_life_of_the_server(serving: Serving) -> None:
    served = await serving(ScriptedChatModel("never asked"))
    assert (await served.client.get("/ready")).status_code == 503
    await served.host.warm_up()
    ready = await served.client.get("/ready")
    assert (ready.status_code, ready.json()) == (200, {"status": "ready"})
    served.host.traffic.draining = True
    assert (await served.client.get("/ready")).json() == {"status": "stopping"}
    assert (await served.client.head("/ready")).status_code == 503
    assert (await served.client.head("/health")).status_code == 200
    assert (await served.client.get("/health")).status_code == 200
    assert served.host.home.ledger.totals().unpriced == 0


async def test_warming_up_costs_nothing(serving: Serving) -> None:
    model = ScriptedChatModel("x", name="openai/gpt-5-mini")
    served = await serving(model)
    await served.host.warm_up()
    assert model.requests == []


async def test_what_is_cut_off_is_told_so(serving: Serving) -> None:
    model = Hanging()
    served = await serving(model)
    plain = asyncio.create_task(served.ask())
    await asyncio.wait_for(model.begun.wait(), 5)
    model.begun.clear()
    streamed = asyncio.create_task(served.ask(stream=True))
    await asyncio.wait_for(model.begun.wait(), 5)
    served.host.traffic.cut_off()
    response = await asyncio.wait_for(plain, 5)
    assert (response.status_code, response.json()["type"]) == (503, "urn:plumbline:problem:busy")
    assert "server is stopping" in (await asyncio.wait_for(streamed, 5)).text
    ledger = served.host.home.ledger
    chats = [entry for _, entry in ledger.after(0) if entry.kind == "chat"]
    assert [(bool(entry.cost), entry.usage.estimated) for entry in chats] == [(True, True)] * 2


async def test_the_api_describes_itself(serving: Serving) -> None:
    schema = (await (await serving()).client.get("/api/openapi.json")).json()
    assert {"/api/ask", "/api/search", "/api/documents", "/health"} <= set(schema["paths"])


def test_two_folders_of_one_name_are_refused(tmp_path, home) -> None:
    from plumbline.errors import InputError

    with pytest.raises(InputError, match="Two knowledge bases are called 'kb'"):
        Host.open([tmp_path / "a" / "kb", tmp_path / "b" / "kb"], home=home, environ={})
