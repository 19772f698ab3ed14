"""Asking and searching over HTTP: the shapes of answers, streams, and what a client that leaves causes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from rag import RAG
from rag.output import AskOutput, HitOutput
from rag.retrieve.access import EVERYTHING
from rag.retrieve.explain import explained
from rag.retrieve.output import ExplainOutput
from rag.types import Hit
from routing.chat import ChatEvent, ChatRequest, TextDelta
from routing.errors import AuthenticationError, ConnectionFailedError, OverloadedError
from routing.testing.fakes import ScriptedChatModel
from tests.rag.serve.conftest import QUESTION, REPLY, Hanging, RawRequest, Serving, events


async def test_an_answer_is_what_the_shell_prints_and_its_knowledge_base(serving: Serving) -> None:
    served = await serving(ScriptedChatModel(REPLY))
    response = await served.ask()
    assert response.status_code == 200
    answer = response.json()
    assert answer.pop("kb") == "kb"
    assert answer["text"] == REPLY
    (citation,) = AskOutput.model_validate(answer).citations
    document = served.host.base(None).document(citation.document_id or "")
    assert document is not None
    assert document.text[citation.start : citation.end] == citation.quote


async def test_knowledge_bases_are_named_after_their_folders_and_the_first_is_the_default(serving: Serving) -> None:
    served = await serving(kbs=("books", "letters"))
    listed = (await served.client.get("/api/kbs")).json()
    assert [kb["name"] for kb in listed["kbs"]] == ["books", "letters"]
    assert (listed["default"], listed["auth"]) == ("books", False)
    assert listed["kbs"][0]["documents"] == 3
    assert listed["kbs"][0]["chunks"] >= 3
    assert listed["kbs"][0]["model"] == "extractive/default"
    assert (await served.ask()).json()["kb"] == "books"
    assert (await served.ask(kb="letters")).json()["kb"] == "letters"


async def test_a_search_finds_what_the_shell_finds(serving: Serving) -> None:
    served = await serving()
    response = await served.client.post("/api/search", json={"query": "gift cards", "top_k": 2})
    found = await served.host.base(None).asearch("gift cards", top_k=2)
    assert response.json() == {"hits": [json.loads(HitOutput.of(hit).model_dump_json()) for hit in found]}
    assert len(found) == 2


async def test_a_filter_limits_what_is_searched(serving: Serving) -> None:
    served = await serving(ScriptedChatModel(REPLY))

    async def found(text: str) -> set[str]:
        body = {"query": QUESTION, "top_k": 100, "filter": text}
        response = await served.client.post("/api/search", json=body)
        assert response.status_code == 200, response.text
        return {hit["document"] for hit in response.json()["hits"]}

    everything = await found("true")
    assert len(everything) == 3
    assert await found("name = 'returns.md'") == {"returns.md"}
    assert await found("name != 'returns.md'") == everything - {"returns.md"}
    assert await found("false") == set()
    citations = (await served.ask(filter="name = 'returns.md'")).json()["citations"]
    assert [citation["document"] for citation in citations] == ["returns.md"]
    (citation,) = (await served.ask(filter="name != 'returns.md'")).json()["citations"]
    assert citation["document_id"] is None, "it was not among the evidence"
    told = dict(events((await served.ask(filter="name != 'returns.md'", stream=True)).text))
    assert "returns.md" not in {hit["document"] for hit in told["hits"]["hits"]}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("page >", ["^"]),
        ("nmae = 'a'", ["nmae", "name"]),
        ("page = 'three'", ["page_number", "number"]),
        ("", []),
        ("(" * 5000, []),
        ("a" * 20_001, ["20000"]),
        (7, []),
    ],
)
@pytest.mark.parametrize("path", ["ask", "search", "stream"])
async def test_a_bad_filter_is_named_with_its_place(
    serving: Serving, path: str, given: object, words: list[str]
) -> None:
    served = await serving()
    body = {"filter": given, **({"query": "a"} if path == "search" else {"question": "a", "stream": path == "stream"})}
    response = await served.client.post(f"/api/{path.replace('stream', 'ask')}", json=body)
    assert response.status_code == 422, response.text
    problem = response.json()
    (error,) = problem["errors"]
    assert error["field"] == "filter"
    for word in words:
        assert word in problem["detail"] + problem.get("hint", "")


async def test_a_search_explains_itself_as_in_the_shell(serving: Serving) -> None:
    served = await serving()
    query, where = '"gift cards" ship*', "type = 'text/markdown' or true"
    body = {"query": query, "top_k": 2, "explain": True, "filter": where}
    response = await served.client.post("/api/search", json=body)
    base = served.host.base(None)
    found = await base.aexplain(query, top_k=2, condition=where, access=EVERYTHING)
    expected = ExplainOutput.of(found, explained(found, base.parts.store, base.parts.catalogue))
    assert response.json() == json.loads(expected.model_dump_json())
    assert response.json()["searches"][0]["filter"]


@pytest.mark.parametrize("by_header", [True, False])
async def test_a_stream_tells_its_steps_and_ends_with_the_answer(serving: Serving, by_header: bool) -> None:
    served = await serving(ScriptedChatModel(REPLY))
    if by_header:
        response = await served.client.post(
            "/api/ask", json={"question": QUESTION}, headers={"accept": "text/event-stream"}
        )
    else:
        response = await served.ask(stream=True)
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["cache-control"] == "no-store"
    names = [name for name, _ in events(response.text)]
    assert names[:2] == ["started", "hits"]
    assert names[-1] == "answer"
    assert set(names[2:-1]) == {"delta"}
    told = dict(events(response.text))
    assert told["started"]["question"] == QUESTION
    assert told["started"]["kb"] == told["answer"]["kb"] == "kb"
    assert told["started"]["trace_id"] == told["answer"]["trace_id"]
    assert "".join(data["text"] for name, data in events(response.text) if name == "delta") == told["answer"]["text"]
    assert len(told["hits"]["hits"]) == 3
    assert {"document", "document_id", "text", "score"} <= set(told["hits"]["hits"][0])
    plain = (await served.ask()).json()
    assert told["answer"]["citations"] == plain["citations"]


async def test_when_every_model_is_down_the_documents_still_answer(serving: Serving) -> None:
    served = await serving(ScriptedChatModel(OverloadedError("529", model="scripted/chat"), name="openai/gpt-5-mini"))
    answer = (await served.ask()).json()
    assert "30 days" in answer["text"]
    assert "did not answer" in answer["degraded"]
    streamed = dict(events((await served.ask(stream=True)).text))
    assert "did not answer" in streamed["answer"]["degraded"]


async def test_a_stream_that_breaks_off_ends_with_the_whole_answer_of_the_fallback(serving: Serving) -> None:
    class Breaking(ScriptedChatModel):
        async def stream(self, request: ChatRequest) -> AsyncIterator[ChatEvent]:
            yield TextDelta("Half of ")
            raise ConnectionFailedError("reset", model=self.name)

    served = await serving(Breaking("x"))
    told = events((await served.ask(stream=True)).text)
    assert [data["text"] for name, data in told if name == "delta"] == ["Half of "]
    name, answer = told[-1]
    assert name == "answer"
    assert "Half of" not in answer["text"]
    assert answer["degraded"]


async def test_an_error_after_the_stream_began_is_its_last_event(serving: Serving) -> None:
    served = await serving(ScriptedChatModel(AuthenticationError("The key is refused.", model="openai/gpt-5-mini")))
    response = await served.ask(stream=True)
    assert response.status_code == 200
    name, problem = events(response.text)[-1]
    assert name == "error"
    assert (problem["status"], problem["type"]) == (502, "urn:plumbline:problem:authentication")
    assert problem["instance"] == response.headers["x-request-id"]
    assert (await served.ask()).status_code == 502


@pytest.mark.parametrize("stream", [True, False])
async def test_a_wrong_question_is_a_plain_problem_also_for_a_stream(serving: Serving, stream: bool) -> None:
    served = await serving()
    response = await served.ask("   ", stream=stream)
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["type"] == "urn:plumbline:problem:input"


async def test_an_unknown_knowledge_base_names_the_known_ones(serving: Serving) -> None:
    response = await (await serving()).ask(kb="nope")
    assert response.status_code == 404
    assert response.json()["errors"] == [{"field": "kb", "message": "There is no knowledge base 'nope'."}]
    assert "kb" in response.json()["hint"]


@pytest.mark.parametrize("stream", [True, False])
async def test_a_client_that_leaves_stops_the_work_and_the_ledger_is_right(serving: Serving, stream: bool) -> None:
    model = Hanging()
    served = await serving(model)
    request = RawRequest(served.app, "/api/ask", json.dumps({"question": QUESTION, "stream": stream}).encode())
    task = request.start()
    await asyncio.wait_for(model.begun.wait(), 5)
    request.gone.set()
    await asyncio.wait_for(task, 5)
    assert model.cancelled
    ledger = served.host.base(None).parts.home.ledger
    chats = [entry for _, entry in ledger.after(0) if entry.kind == "chat"]
    assert [(entry.error, entry.usage.estimated, bool(entry.cost)) for entry in chats] == [
        ("CancelledError", True, True)
    ]
    assert not served.host.traffic.running
    metrics = (await served.client.get("/metrics")).text
    assert 'plumbline_requests_total{method="POST",route="/api/ask",status="' in metrics
    assert 'plumbline_model_calls_total{kind="chat",model="openai/gpt-5-mini",outcome="error"} 1.0' in metrics
    assert 'plumbline_model_unpriced_calls_total{model="openai/gpt-5-mini"}' not in metrics


async def test_a_client_that_leaves_stops_a_search(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def hang(*_: object, **more: object) -> list[Hit]:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return []

    monkeypatch.setattr(RAG, "aexplain", hang)
    served = await serving()
    request = RawRequest(served.app, "/api/search", json.dumps({"query": QUESTION}).encode())
    task = request.start()
    await asyncio.wait_for(begun.wait(), 5)
    request.gone.set()
    await asyncio.wait_for(task, 5)
    assert ended.is_set()
    assert not served.host.traffic.running


async def test_a_tenant_stands_in_the_ledger(serving: Serving) -> None:
    served = await serving()
    key = served.host.keys.add("shop", "acme")
    headers = {"authorization": f"Bearer {key}"}
    response = await served.client.post("/api/ask", json={"question": QUESTION}, headers=headers)
    rows = served.host.home.ledger.of_trace(response.json()["trace_id"])
    assert {row.tags.tenant for row in rows} == {"acme"}
    before = served.host.home.ledger.last_id()
    await served.client.post("/api/search", json={"query": "gift cards"}, headers=headers)
    assert [(row.tags.purpose, row.tags.tenant) for _, row in served.host.home.ledger.after(before)] == [
        ("search", "acme")
    ]


async def test_what_the_shell_ingests_is_in_the_next_answer(serving: Serving, tmp_path, docs, home) -> None:
    from rag import RAG
    from routing.testing.fakes import FakeEmbedder

    served = await serving()
    before = (await served.ask("How many hours do cats sleep?")).json()
    (docs / "cats.md").write_text("# Cats\n\nCats sleep 14 hours a day.\n")
    with RAG.open(tmp_path / "kb", home=home, environ={}, embedder=FakeEmbedder()) as shell:
        await asyncio.to_thread(shell.ingest, docs)
    after = (await served.ask("How many hours do cats sleep?")).json()
    assert "14 hours" not in before["text"]
    assert "14 hours" in after["text"]
