"""Chat models of Cohere, on the v2 API of its SDK."""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AsyncExitStack, aclosing, suppress
from typing import Any

from routing.chat import ChatEvent, ChatRequest, ChatResponse, Completed, FinishReason, TextDelta
from routing.errors import DeadlineError, ModelError, OverloadedError
from routing.models.capabilities import check_supported
from routing.models.clients import Connections
from routing.models.cohere_answer import MISSHAPEN, Answer
from routing.models.cohere_client import COHERE_ADDRESS, cohere_clients, cohere_endpoint
from routing.models.cohere_count import prompt_count
from routing.models.cohere_request import ChatFormat
from routing.models.context import ContextWindow
from routing.models.endings import fitting, no_answer
from routing.models.facts import UNKNOWN, ModelFacts
from routing.models.failures import broken_off, calling, invalid, next_event, of_status

_FINISH: Mapping[str, FinishReason] = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "MAX_TOKENS": "length",
    "TOOL_CALL": "tool_calls",
    "ERROR_TOXIC": "content_filter",
}

_END_SECONDS = 0.05  # that a stream may take to end after its last event


class CohereChatModel:
    """The chat model "cohere/NAME".

    `effort` says how much a model that reasons thinks where a request does not say it: "enabled", "none", or with how
    many tokens. With `citations` the passages of a request's evidence go along as documents, and the response says
    which of them its parts rest on, each as a whole; a prompt then need not show them too.

    Usage is what Cohere bills. A `top_p` of 1 is sent as .99, the most that Cohere takes, and a call of one certain
    tool as a call of any with no other on offer. What it cannot give, and a prompt that is too long, are refused before
    anything is sent. Retries are the router's. A request without a deadline may take `timeout` seconds between two
    pieces of data.
    """

    def __init__(
        self,
        name: str,
        *,
        api_key: str,
        base_url: str = COHERE_ADDRESS,
        facts: ModelFacts = UNKNOWN,
        effort: str | None = None,
        citations: bool = False,
        timeout: float = 600.0,
        connections: Connections | None = None,
    ) -> None:
        self._format = ChatFormat(name, facts, effort, citations)
        self._endpoint = cohere_endpoint(name, base_url)
        self._clients = cohere_clients(base_url, api_key, timeout, connections)
        self._window = ContextWindow(self.name, facts, prompt_count(self._clients, self._endpoint, name))

    @property
    def name(self) -> str:
        """The model as "cohere/name"."""
        return self._endpoint.model

    async def complete(self, request: ChatRequest) -> ChatResponse:
        """Answer in one piece; raises `ModelError`."""
        arguments = await self._arguments(request)
        answer = Answer()
        try:
            async with calling(self._endpoint, request.deadline):
                client = await self._clients.get()
                raw = await client.sdk.with_raw_response.chat(**arguments)
            answer.take_response(raw.response.json())
        except MISSHAPEN as error:  # the SDK, too, runs into what is of another type
            raise invalid(self._endpoint, "is not one of chat") from error
        return self._respond(request, answer)

    async def stream(self, request: ChatRequest) -> AsyncIterator[ChatEvent]:
        """Answer in pieces; raises `ModelError`."""
        answer = Answer()
        async with aclosing(self._events(request)) as events:
            try:
                while (event := await next_event(events, self._endpoint, request.deadline)) is not None:
                    piece = self._take(answer, event)
                    if piece:
                        yield TextDelta(piece)
            except ModelError:
                if answer.finish is None:  # otherwise the answer is whole
                    raise
        if answer.finish is None:
            raise broken_off(self._endpoint)
        yield Completed(self._respond(request, answer))

    async def close(self) -> None:
        """Close the connections."""
        await self._clients.close()

    async def _events(self, request: ChatRequest) -> AsyncGenerator[Any, None]:
        """The events of a stream as parsed JSON. The SDK would leave out, with a warning, what it cannot read."""
        arguments = await self._arguments(request)
        sse = importlib.import_module("cohere.core.http_sse")
        async with AsyncExitStack() as stack:
            client = await self._clients.get()
            raw = await stack.enter_async_context(client.sdk.with_raw_response.chat_stream(**arguments))
            lines = await stack.enter_async_context(aclosing(sse.EventSource(raw.response).aiter_sse()))
            try:
                async for line in lines:
                    if line.data == "[DONE]":
                        await _read_up(lines)
                        return
                    if line.data:
                        yield json.loads(line.data)
            except sse.SSEError as error:
                raise invalid(self._endpoint, "is not a stream of events") from error

    async def _arguments(self, request: ChatRequest) -> dict[str, Any]:
        """What is sent, of a request that the model can answer."""
        form = self._format
        check_supported(request, form.facts, self.name, effort=form.effort_of(request))
        await self._window.check(request)
        return form.arguments(request)

    def _take(self, answer: Answer, event: Any) -> str:
        try:
            if isinstance(event, Mapping) and "message" in event:  # not an event, but why there are no more
                raise of_status(500, event, self._endpoint)
            return answer.take_event(event)
        except MISSHAPEN as error:
            raise invalid(self._endpoint, "is not a stream of chat events") from error

    def _respond(self, request: ChatRequest, answer: Answer) -> ChatResponse:
        finish = fitting(_FINISH.get(answer.finish or "", "other"), answer.calls)
        text, calls = answer.text, tuple(answer.calls.values())
        fault = self._failure(answer) or no_answer(self._endpoint, finish, text, calls)
        if fault is not None:
            fault.usage = answer.usage(request) if answer.counts else None  # it is billed all the same
            raise fault
        return ChatResponse(
            text=text,
            model=self.name,
            usage=answer.usage(request),
            finish_reason=finish,
            tool_calls=calls,
            citations=answer.citations(request, self._format.documents(request)) if answer.cited else (),
            logprobs=tuple(answer.logprobs),
        )

    def _failure(self, answer: Answer) -> ModelError | None:
        """Some answers end in one, with a status of 200."""
        said = f": {answer.error.rstrip('.')}." if answer.error else "."
        if answer.finish == "TIMEOUT":
            return DeadlineError(f"Cohere gave up before the answer's end{said}", model=self.name)
        if answer.finish == "ERROR":
            return OverloadedError(f"Cohere failed before the answer's end{said}", model=self.name, status=500)
        return None


async def _read_up(lines: AsyncIterator[Any]) -> None:
    """Read to the end, which should be here: only then can the connection be used again."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_END_SECONDS):
            async for _ in lines:
                continue
