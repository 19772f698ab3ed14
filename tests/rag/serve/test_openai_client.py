"""The official Python client of OpenAI against the running server."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from rag.config import open_home
from routing.chat import Tags, ToolCall, Usage
from routing.cost.ledger import LedgerEntry
from routing.testing.server import Fault
from routing.testing.wire import Script
from tests.rag.serve.openai_endpoint import GROUNDED, KB, MODEL, TENANT, Endpoint, running

openai = pytest.importorskip("openai")
pytest.importorskip("granian")

HELLO: Any = [{"role": "user", "content": "Hello?"}]
QUESTION: Any = [{"role": "user", "content": "When may unopened goods be returned?"}]
TOOL: Any = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    with running(tmp_path_factory.mktemp("served")) as endpoint:
        yield endpoint


@pytest.fixture
def endpoint(served: Endpoint) -> Endpoint:
    """The server with its provider as it was at first."""
    served.provider.script = GROUNDED
    served.provider.faults.clear()
    served.provider.requests.clear()
    served.provider.pause = 0.0
    return served


@pytest.fixture
def client(endpoint: Endpoint) -> Iterator[Any]:
    with openai.OpenAI(api_key=endpoint.key, base_url=endpoint.openai, max_retries=0) as found:
        yield found


def ledger_of(endpoint: Endpoint, completion_id: str) -> list[LedgerEntry]:
    """What the completion's trace has in the ledger."""
    with closing(open_home(endpoint.home)) as home:
        return home.ledger.of_trace(completion_id.removeprefix("chatcmpl-"))


def content_of(chunks: list[Any]) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def test_models_are_the_knowledge_bases_and_the_gateways(client: Any) -> None:
    assert [model.id for model in client.models.list()] == [KB, MODEL]
    assert client.models.retrieve(KB).owned_by == "plumbline"
    assert client.models.retrieve(MODEL).owned_by == "openai"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("kb/nothing")


def test_a_completion_is_passed_on_priced_and_in_the_ledger(endpoint: Endpoint, client: Any) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model=MODEL, messages=HELLO, temperature=0.5, seed=7, max_tokens=50, stop=["END"], user="ann"
    )
    completion = raw.parse()
    assert completion.choices[0].message.content == GROUNDED.text
    assert (completion.choices[0].finish_reason, completion.model) == ("stop", MODEL)
    assert completion.usage.prompt_tokens == 57
    assert completion.usage.prompt_tokens_details.cached_tokens == 32
    (received,) = endpoint.provider.requests
    sent = {key: received.body[key] for key in ("model", "messages", "temperature", "seed", "stop")}
    assert sent == {"model": "gpt-4.1-mini", "messages": HELLO, "temperature": 0.5, "seed": 7, "stop": ["END"]}
    assert received.body["max_completion_tokens"] == 50
    (entry,) = ledger_of(endpoint, completion.id)
    assert (entry.tags, entry.model, entry.error) == (Tags("gateway", TENANT, key="tests"), MODEL, None)
    assert entry.cost is not None
    assert raw.headers["x-plumbline-cost"] == f"{entry.cost:f}"
    assert raw.headers["x-request-id"]


def test_a_stream_has_the_pieces_and_the_usage_that_was_asked_for(endpoint: Endpoint, client: Any) -> None:
    endpoint.provider.script = Script(("Line\u2028 one 🙂\n", "\n", "and two"), usage=Usage(5, 6))
    plain = list(client.chat.completions.create(model=MODEL, messages=HELLO, stream=True))
    assert content_of(plain) == "Line\u2028 one 🙂\n\nand two"
    assert [chunk.usage for chunk in plain] == [None] * len(plain)
    assert plain[0].choices[0].delta.role == "assistant"
    assert plain[-1].choices[0].finish_reason == "stop"
    assert {chunk.id for chunk in plain} == {plain[0].id}
    options: Any = {"include_usage": True}
    counted = list(client.chat.completions.create(model=MODEL, messages=HELLO, stream=True, stream_options=options))
    assert content_of(counted) == content_of(plain)
    assert (counted[-1].choices, counted[-1].usage.total_tokens) == ([], 11)
    (entry,) = ledger_of(endpoint, counted[0].id)
    assert (entry.tags, entry.usage) == (Tags("gateway", TENANT, key="tests"), Usage(5, 6))


def test_a_tool_is_called_and_answered(endpoint: Endpoint, client: Any) -> None:
    calls = (ToolCall("c1", "look", '{"at": "Lund"}'), ToolCall("c2", "look", "{}"))
    endpoint.provider.script = Script(pieces=(), tool_calls=calls)
    completion = client.chat.completions.create(model=MODEL, messages=HELLO, tools=[TOOL], tool_choice="required")
    message = completion.choices[0].message
    assert completion.choices[0].finish_reason == "tool_calls"
    assert [ToolCall(call.id, call.function.name, call.function.arguments) for call in message.tool_calls] == list(
        calls
    )
    assert endpoint.provider.requests[-1].body["tool_choice"] == "required"
    with client.chat.completions.stream(model=MODEL, messages=HELLO, tools=[TOOL]) as stream:
        final = stream.get_final_completion().choices[0].message
    assert [ToolCall(call.id, call.function.name, call.function.arguments) for call in final.tool_calls] == list(calls)
    endpoint.provider.script = Script(("Open.",))
    answers = [{"role": "tool", "content": "open", "tool_call_id": call.id} for call in message.tool_calls]
    again = client.chat.completions.create(model=MODEL, messages=[*HELLO, message, *answers], tools=[TOOL])
    assert again.choices[0].message.content == "Open."
    sent = endpoint.provider.requests[-1].body["messages"]
    assert [turn["role"] for turn in sent] == ["user", "assistant", "tool", "tool"]
    assert sent[1]["tool_calls"][0]["function"] == {"name": "look", "arguments": '{"at": "Lund"}'}


class Shop(BaseModel):
    """A shop."""

    city: str
    open: bool


def test_an_answer_of_a_schema_is_parsed(endpoint: Endpoint, client: Any) -> None:
    endpoint.provider.script = Script(('{"city": "Lund", ', '"open": true}'))
    parsed = client.chat.completions.parse(model=MODEL, messages=HELLO, response_format=Shop)
    assert parsed.choices[0].message.parsed == Shop(city="Lund", open=True)
    sent = endpoint.provider.requests[-1].body["response_format"]["json_schema"]
    assert (sent["name"], sent["strict"], sent["schema"]["required"]) == ("Shop", True, ["city", "open"])


def test_a_tool_of_a_schema_is_parsed(endpoint: Endpoint, client: Any) -> None:
    endpoint.provider.script = Script((), tool_calls=(ToolCall("c1", "Shop", '{"city": "Lund", "open": false}'),))
    tools = [openai.pydantic_function_tool(Shop)]
    parsed = client.chat.completions.parse(model=MODEL, messages=HELLO, tools=tools)
    assert parsed.choices[0].message.tool_calls[0].function.parsed_arguments == Shop(city="Lund", open=False)
    assert endpoint.provider.requests[-1].body["tools"][0]["function"]["strict"] is True


def test_a_refusal_is_one(endpoint: Endpoint, client: Any) -> None:
    endpoint.provider.script = Script((), refusal="I cannot help with that.")
    message = client.chat.completions.create(model=MODEL, messages=HELLO).choices[0].message
    assert (message.content, message.refusal) == (None, "I cannot help with that.")


def test_a_knowledge_base_answers_with_its_evidence(endpoint: Endpoint, client: Any) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model=KB, messages=[{"role": "system", "content": "Be brief."}, *QUESTION], temperature=0.9
    )
    completion = raw.parse()
    assert completion.choices[0].message.content == GROUNDED.text
    assert (completion.model, completion.choices[0].finish_reason) == (KB, "stop")
    answer = completion.plumbline
    assert (answer["kb"], answer["refused"], answer["ignored"]) == ("handbook", False, ["messages", "temperature"])
    (citation,) = answer["citations"]
    assert (citation["document"], citation["verdict"]) == ("returns.md", "supported")
    assert "text" not in answer
    assert raw.headers["x-plumbline-cost"]
    purposes = {(entry.tags.purpose, entry.tags.tenant) for entry in ledger_of(endpoint, completion.id)}
    assert ("answer", TENANT) in purposes


@pytest.mark.parametrize("usage", [True, False])
def test_a_knowledge_base_answers_in_pieces(client: Any, usage: bool) -> None:
    options: Any = {"include_usage": usage}
    chunks = list(client.chat.completions.create(model=KB, messages=QUESTION, stream=True, stream_options=options))
    assert content_of(chunks) == GROUNDED.text
    assert len(chunks) > 4
    assert chunks[-1].plumbline["citations"][0]["document"] == "returns.md"
    assert not any("plumbline" in (chunk.model_extra or {}) for chunk in chunks[:-1])
    assert bool(chunks[-1].usage) is usage


def test_a_knowledge_base_answers_while_its_model_is_down(endpoint: Endpoint, client: Any) -> None:
    endpoint.provider.faults.extend([Fault("status", 500)] * 2)
    completion = client.chat.completions.create(model=KB, messages=QUESTION)
    assert "30 days" in completion.choices[0].message.content
    assert completion.plumbline["model"] == "extractive/default"
    assert MODEL in completion.plumbline["degraded"]


def test_a_model_that_breaks_off_is_replaced_within_the_stream(endpoint: Endpoint, client: Any) -> None:
    endpoint.provider.script = Script(("Goods that ", "come back ", "late "))
    endpoint.provider.faults.extend([Fault("cut", after=3)] * 2)  # of the answer, and of what was to go on with it
    chunks = list(client.chat.completions.create(model=KB, messages=QUESTION, stream=True))
    content, answer = content_of(chunks), chunks[-1].plumbline
    assert content.startswith("Goods that come back \n\n")
    assert answer["text_start"] == len("Goods that come back \n\n")
    (citation,) = answer["citations"]
    start = answer["text_start"]
    assert content[start + citation["answer_start"] : start + citation["answer_end"]] == citation["quote"]


def test_what_is_wrong_with_a_request_is_an_error_of_its_kind(endpoint: Endpoint, client: Any) -> None:
    with pytest.raises(openai.NotFoundError, match=f"There are: {KB}, {MODEL}") as missing:
        client.chat.completions.create(model="gpt-9", messages=HELLO)
    assert (missing.value.code, missing.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.BadRequestError, match="does not support 'logprobs'") as unsupported:
        client.chat.completions.create(model=MODEL, messages=HELLO, logprobs=True)
    assert (unsupported.value.code, unsupported.value.param) == ("unsupported_parameter", "logprobs")
    with pytest.raises(openai.BadRequestError) as invalid:
        client.chat.completions.create(model=MODEL, messages=HELLO, temperature=9)
    assert (invalid.value.code, invalid.value.param) == ("invalid_value", "temperature")
    stranger = openai.OpenAI(api_key="plk_0_no", base_url=endpoint.openai, max_retries=0)
    with stranger, pytest.raises(openai.AuthenticationError):
        stranger.chat.completions.create(model=MODEL, messages=HELLO)
    assert endpoint.provider.requests == []


@pytest.mark.parametrize("stream", [True, False])
def test_what_is_wrong_upstream_is_an_error_of_its_kind(endpoint: Endpoint, client: Any, stream: bool) -> None:
    def refused(fault: Fault) -> Any:
        endpoint.provider.faults.extend([fault] * 2)
        with pytest.raises(openai.APIStatusError) as caught:
            list(client.chat.completions.create(model=MODEL, messages=HELLO, stream=stream))
        endpoint.provider.faults.clear()
        return caught.value

    limited = refused(Fault("status", 429, headers={"retry-after": "30"}))
    assert isinstance(limited, openai.RateLimitError)
    assert limited.response.headers["retry-after"] == "30"
    assert "OpenAI takes no more requests" in limited.message
    assert refused(Fault("status", 500)).status_code == 503
    assert refused(Fault("reset")).status_code == 503
    assert refused(Fault("status", 401)).status_code == 502
    assert refused(Fault("status", 400)).status_code == 400
    assert refused(Fault("status", 504)).status_code == 504


@pytest.mark.parametrize("fault", [Fault("cut", after=3), Fault("end", after=3), Fault("error", 529, after=3)])
def test_a_stream_that_breaks_off_ends_in_an_error(endpoint: Endpoint, client: Any, fault: Fault) -> None:
    endpoint.provider.faults.extend([fault] * 2)
    content = ""
    with pytest.raises(openai.APIError) as caught:  # noqa: PT012 (the error comes between the pieces)
        for chunk in client.chat.completions.create(model=MODEL, messages=HELLO, stream=True):
            content += chunk.choices[0].delta.content or ""
    assert content
    assert GROUNDED.text.startswith(content)
    assert caught.value.code in ("connection_failed", "overloaded")
    assert len(endpoint.provider.requests) == 2


@pytest.mark.parametrize("fault", [Fault("cut", after=3), Fault("end", after=3), Fault("error", 529, after=3)])
def test_a_stream_that_breaks_off_is_gone_on_with(endpoint: Endpoint, client: Any, fault: Fault) -> None:
    endpoint.provider.faults.append(fault)
    chunks = list(client.chat.completions.create(model=MODEL, messages=HELLO, stream=True))
    assert content_of(chunks) == GROUNDED.text
    asked = endpoint.provider.requests[1].body["messages"]
    assert [message["role"] for message in asked[-2:]] == ["assistant", "user"]
    assert GROUNDED.text.startswith(asked[-2]["content"])


async def test_a_client_that_leaves_ends_the_call(endpoint: Endpoint) -> None:
    endpoint.provider.faults.append(Fault("stall", after=3))
    async with openai.AsyncOpenAI(api_key=endpoint.key, base_url=endpoint.openai, max_retries=0) as client:
        stream = await client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
        first = await anext(aiter(stream))
        await stream.close()
    async with asyncio.timeout(60):
        while not (rows := ledger_of(endpoint, first.id)):  # noqa: ASYNC110 (another process writes it)
            await asyncio.sleep(0.05)
    assert [(row.error, row.usage.estimated, row.cost is not None) for row in rows] == [("CancelledError", True, True)]


def documented() -> list[str]:
    """The programs of the documentation."""
    page = (Path(__file__).parents[3] / "docs" / "openai.md").read_text(encoding="utf-8")
    return [code for code in re.findall(r"^```text\n(.*?)^```$", page, re.MULTILINE | re.DOTALL) if "import" in code]


@pytest.mark.parametrize("number", range(3))
def test_the_documentation_runs(endpoint: Endpoint, number: int, capsys: pytest.CaptureFixture[str]) -> None:
    code = documented()[number]
    assert ("http://127.0.0.1:8000/v1" in code, "plk_…" in code, len(documented())) == (True, True, 3)
    code = code.replace("http://127.0.0.1:8000/v1", endpoint.openai).replace("plk_…", endpoint.key)
    variables: dict[str, Any] = {}
    exec(compile(code, f"docs/openai.md, program {number}", "exec"), variables)
    variables["client"].close()
    assert GROUNDED.text in capsys.readouterr().out
