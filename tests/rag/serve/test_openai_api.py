"""The OpenAI-compatible routes in this process: what a running server with a real provider does not show."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from routing.errors import OverloadedError, RateLimitError
from routing.models.extractive import REFUSAL
from routing.testing.fakes import ScriptedChatModel
from tests.rag.serve.conftest import QUESTION, REPLY, Hanging, RawRequest, Served, Serving

pytest.importorskip("fastapi")

PATH = "/v1/chat/completions"


async def chat(served: Served, model: str = "kb/kb", **more: Any) -> Any:
    body = {"model": model, "messages": [{"role": "user", "content": QUESTION}], **more}
    return await served.client.post(PATH, json=body)


def chunks(text: str) -> list[Any]:
    """The chunks of a stream that ended properly."""
    *events, done, rest = text.split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    return [json.loads(event.removeprefix("data: ")) for event in events]


async def test_without_settings_the_gateway_has_the_model_that_answers(serving: Serving) -> None:
    served = await serving(kbs=("books", "letters"))
    listed = (await served.client.get("/v1/models")).json()
    assert [model["id"] for model in listed["data"]] == ["kb/books", "kb/letters", "extractive/default"]
    message = (await chat(served, "extractive/default")).json()["choices"][0]["message"]
    assert (message["content"], message["refusal"]) == (None, REFUSAL)  # it reads documents, and was given none


async def test_the_settings_name_the_gateways_models(serving: Serving) -> None:
    served = await serving(settings={"serve.models": ["openai/gpt-4.1", "vllm/mine@http://127.0.0.1:9/v1"]})
    listed = (await served.client.get("/v1/models")).json()
    assert [model["id"] for model in listed["data"]] == ["kb/kb", "openai/gpt-4.1", "vllm/mine"]
    keyless = await chat(served, "openai/gpt-4.1")
    assert keyless.status_code == 500
    assert "OPENAI_API_KEY" in keyless.json()["error"]["message"]
    unreachable = await chat(served, "vllm/mine")
    assert (unreachable.status_code, unreachable.json()["error"]["code"]) == (503, "connection_failed")
    assert (await chat(served, "extractive/default")).status_code == 404


async def test_each_knowledge_base_answers_under_its_name(serving: Serving) -> None:
    served = await serving(ScriptedChatModel(REPLY), kbs=("books", "letters"))
    answer = (await chat(served, "kb/letters")).json()
    assert answer["choices"][0]["message"]["content"] == REPLY
    assert answer["plumbline"]["kb"] == "letters"
    assert answer["id"] == f"chatcmpl-{answer['plumbline']['trace_id']}"
    assert (await chat(served, "kb/diaries")).json()["error"]["code"] == "model_not_found"


async def test_a_refusal_of_the_documents_is_an_answer(serving: Serving) -> None:
    served = await serving(ScriptedChatModel("I don't have enough information.", name="mine/unpriced"))
    response = await chat(served)
    answer = response.json()
    assert answer["choices"][0]["message"]["content"] == "I don't have enough information."
    assert answer["plumbline"]["refused"] is True
    assert "x-plumbline-cost" not in response.headers


async def test_a_stream_says_each_word_once(serving: Serving) -> None:
    served = await serving(ScriptedChatModel(REPLY))
    response = await chat(served, stream=True, stream_options={"include_usage": True})
    assert response.headers["content-type"].startswith("text/event-stream")
    found = chunks(response.text)
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in found if chunk["choices"]) == REPLY
    assert found[-1]["plumbline"]["text_start"] == 0
    assert found[-1]["usage"]["total_tokens"] > 0


@pytest.mark.parametrize("stream", [True, False])
async def test_what_fails_before_the_first_piece_has_its_own_status(serving: Serving, stream: bool) -> None:
    served = await serving(empty=True)
    response = await chat(served, stream=stream)
    assert (response.status_code, response.json()["error"]["type"]) == (400, "invalid_request_error")
    strict = {"routing.fallback": "none", "routing.retry.attempts": 1}
    limited = ScriptedChatModel(RateLimitError("Slower.", model="scripted/chat", retry_after=7))
    served = await serving(limited, settings=strict, kbs=("other",))
    response = await chat(served, "kb/other", stream=stream)
    assert (response.status_code, response.headers["retry-after"]) == (429, "7")
    assert response.json()["error"] == {
        "message": "Slower.",
        "type": "rate_limit_error",
        "param": None,
        "code": "rate_limit",
    }


async def test_another_model_takes_over_unseen(serving: Serving) -> None:
    served = await serving(ScriptedChatModel(OverloadedError("Down.", model="scripted/chat")))
    found = chunks((await chat(served, stream=True)).text)
    assert found[-1]["plumbline"]["model"] == "extractive/default"
    assert "Down." in found[-1]["plumbline"]["degraded"]


@pytest.mark.parametrize("stream", [True, False])
async def test_a_client_that_leaves_ends_the_work(serving: Serving, stream: bool) -> None:
    model = Hanging()
    served = await serving(model)
    body = {"model": "kb/kb", "messages": [{"role": "user", "content": QUESTION}], "stream": stream}
    request = RawRequest(served.app, PATH, json.dumps(body).encode())
    running = request.start()
    async with asyncio.timeout(30):
        await model.begun.wait()
        request.gone.set()
        await running
    assert model.cancelled
    assert "[DONE]" not in request.text


async def test_a_body_that_is_no_json_is_refused_as_openai_does(serving: Serving) -> None:
    served = await serving()
    response = await served.client.post(PATH, content=b"{", headers={"content-type": "application/json"})
    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request_error"
    assert "not JSON" in response.json()["error"]["message"]


TURNS = [
    {"role": "system", "content": "Be short."},
    {"role": "user", "content": "May I return unopened goods?"},
    {"role": "assistant", "content": "Yes."},
    {"role": "user", "content": "Until when?"},
]


async def test_earlier_messages_are_read_where_the_settings_say_so(serving: Serving) -> None:
    model = ScriptedChatModel(json.dumps({"question": QUESTION}), REPLY)
    served = await serving(model, settings={"retrieval.question.rewrite": True})
    answer = (await chat(served, messages=TURNS)).json()
    assert answer["choices"][0]["message"]["content"] == REPLY
    assert model.requests[1].question == QUESTION
    assert answer["plumbline"]["ignored"] == ["messages"], "the system's is not read"
    assert "user: May I return unopened goods?\nassistant: Yes." in model.requests[0].messages[-1].content
    assert "Be short." not in str(model.requests)
    again = (await chat(served, messages=TURNS[1:])).json()
    assert again["plumbline"]["ignored"] == []


async def test_earlier_messages_are_named_where_they_are_not_read(serving: Serving) -> None:
    model = ScriptedChatModel(REPLY)
    served = await serving(model)
    answer = (await chat(served, messages=TURNS)).json()["plumbline"]
    assert (answer["question"], answer["ignored"]) == ("Until when?", ["messages"])
    assert "unopened goods?" not in str(model.requests[0].messages)


@pytest.mark.parametrize("stream", [True, False])
async def test_a_filter_limits_what_a_knowledge_base_answers_from(serving: Serving, stream: bool) -> None:
    served = await serving(ScriptedChatModel(REPLY))

    async def found(text: str) -> bool:
        response = await chat(served, plumbline={"filter": text}, stream=stream)
        answer = chunks(response.text)[-1] if stream else response.json()
        (citation,) = answer["plumbline"]["citations"]
        return citation["document_id"] is not None

    assert await found("name = 'returns.md'")
    assert not await found("name != 'returns.md'"), "it was not among the evidence"


@pytest.mark.parametrize(
    ("model", "given", "code", "param"),
    [
        ("kb/kb", {"filter": "nmae = 'a'"}, "invalid_value", "plumbline.filter"),
        ("kb/kb", {"filter": "page >"}, "invalid_value", "plumbline.filter"),
        ("kb/kb", {"filter": 7}, "invalid_value", "plumbline.filter"),
        ("kb/kb", {"filter": "a" * 20_001}, "invalid_value", "plumbline.filter"),
        ("kb/kb", {"tenant": "acme"}, "unknown_parameter", "plumbline.tenant"),
        ("kb/kb", "page = 1", "invalid_value", "plumbline"),
        ("extractive/default", {"filter": "page = 1"}, "unsupported_parameter", "plumbline.filter"),
        ("kb/kb", {"wants": {"latency": "soon"}}, "invalid_value", "plumbline.wants.latency"),
        ("kb/kb", {"wants": {"local": "yes"}}, "invalid_value", "plumbline.wants.local"),
        ("kb/kb", {"wants": {"loca": True}}, "unknown_parameter", "plumbline.wants.loca"),
        ("kb/kb", {"wants": {"model": "openai/gpt-5"}}, "invalid_value", "plumbline.wants.model"),
        ("extractive/default", {"wants": {"model": "a/b"}}, "unsupported_parameter", "plumbline.wants.model"),
        ("extractive/default", {"wants": {"task": "a"}}, "unsupported_parameter", "plumbline.wants.task"),
    ],
)
async def test_a_filter_that_cannot_be_is_named(
    serving: Serving, model: str, given: object, code: str, param: str
) -> None:
    served = await serving()
    response = await chat(served, model, plumbline=given)
    assert response.status_code == 400
    assert (response.json()["error"]["code"], response.json()["error"]["param"]) == (code, param)
