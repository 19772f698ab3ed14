"""Chat models of Anthropic, on the `anthropic` SDK."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from plumbline.extras import require
from routing.chat import ChatEvent, ChatRequest, ChatResponse, Completed, FinishReason, TextDelta
from routing.errors import ModelError
from routing.models.anthropic_answer import MISSHAPEN, Answer
from routing.models.anthropic_batches import AnthropicBatches
from routing.models.anthropic_count import prompt_count
from routing.models.anthropic_request import CacheTime, MessagesFormat
from routing.models.capabilities import check_supported
from routing.models.clients import ClientPool, Connections
from routing.models.context import ContextWindow
from routing.models.endings import fitting, no_answer
from routing.models.facts import UNKNOWN, ModelFacts
from routing.models.failures import Endpoint, broken_off, calling, invalid, next_event, of_status
from routing.models.openai_client import fastest_http

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

ANTHROPIC_ADDRESS = "https://api.anthropic.com"

_FINISH: Mapping[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "refusal",
}


class AnthropicChatModel:
    """The chat model "anthropic/NAME".

    `effort` sets how much the model thinks where a request does not say it: "low" to "max", "none", or how many tokens
    it may think with. `cache_time` is how long a system prompt that a request wants cached is kept: five minutes, or an
    hour at a higher price. With `citations` the passages of a request's evidence go along as documents, in front of the
    last turn of the user, and the response says what it takes from where; a prompt then need not show them too.

    Temperature, top_p and seed are left out: Anthropic takes none of them. What it cannot give (log-probabilities), and
    a prompt that is too long, are refused before anything is sent. Retries are the router's: the SDK's own are off, and
    so are its spans. A request without a deadline may take `timeout` seconds between two pieces of data. `connections`
    are shared with other models.
    """

    def __init__(
        self,
        name: str,
        *,
        api_key: str,
        base_url: str = ANTHROPIC_ADDRESS,
        facts: ModelFacts = UNKNOWN,
        effort: str | None = None,
        cache_time: CacheTime = "5m",
        citations: bool = False,
        timeout: float = 600.0,
        connections: Connections | None = None,
    ) -> None:
        self._name = name
        self._format = MessagesFormat(name, facts, effort, cache_time, citations)
        self._endpoint = Endpoint(f"anthropic/{name}", "anthropic", "Anthropic", base_url, "ANTHROPIC_API_KEY")
        self._clients = _clients(base_url, api_key, timeout, connections or Connections())
        self._window = ContextWindow(self.name, facts, prompt_count(self._clients, self._endpoint, self._format))

    @property
    def name(self) -> str:
        """The model as "anthropic/name"."""
        return self._endpoint.model

    async def complete(self, request: ChatRequest) -> ChatResponse:
        """Answer in one piece; raises `ModelError`."""
        return self.read(request, await self._send(request, stream=False))

    def path(self, request: ChatRequest) -> str:
        """Where requests are answered, below the server's address."""
        del request
        return "/v1/messages"

    def body(self, request: ChatRequest) -> dict[str, Any]:
        """What is sent for `request` as one of a batch; raises `ModelError` for what the model is known not to do."""
        alone = replace(request, options=replace(request.options, tier="standard"))
        check_supported(alone, self._format.facts, self.name, effort=self._format.effort_of(request))
        return self._format.body(replace(request, options=replace(request.options, tier="batch")))

    def batches(self) -> AnthropicBatches:
        """Where batches of requests to this model are sent."""
        return AnthropicBatches(self._clients, self._endpoint)

    def read(self, request: ChatRequest, message: Any, *, status: int = 200) -> ChatResponse:
        """The response in a message of one piece, parsed from its JSON; raises `ModelError`, also for a `status`."""
        if status >= 400:
            raise of_status(status, message, self._endpoint)
        answer = Answer()
        try:
            answer.take_message(message)
        except MISSHAPEN as error:
            raise invalid(self._endpoint, f"is not a message; it begins with {str(message)[:80]!r}") from error
        if answer.finish is None:
            raise invalid(self._endpoint, "does not say why it stops")
        return self._respond(request, answer)

    async def stream(self, request: ChatRequest) -> AsyncIterator[ChatEvent]:
        """Answer in pieces; raises `ModelError`."""
        events = await self._send(request, stream=True)
        answer = Answer()
        try:
            while (event := await next_event(events, self._endpoint, request.deadline)) is not None:
                try:
                    piece = answer.take_event(event)
                except MISSHAPEN as error:
                    raise invalid(self._endpoint, "is not a stream of message events") from error
                if piece:
                    yield TextDelta(piece)
        except ModelError:
            if answer.finish is None:  # otherwise the answer is whole
                raise
        finally:
            await events.close()
        if answer.finish is None:
            raise broken_off(self._endpoint)
        yield Completed(self._respond(request, answer))

    async def close(self) -> None:
        """Close the connections."""
        await self._clients.close()

    async def _send(self, request: ChatRequest, *, stream: bool) -> Any:
        """What `client.messages.create` does, without walking body and answer through the SDK's types."""
        form = self._format
        check_supported(request, form.facts, self.name, effort=form.effort_of(request))
        await self._window.check(request)
        body = form.body(request) | ({"stream": True} if stream else {})
        async with calling(self._endpoint, request.deadline):
            client = await self._clients.get()
            sdk = require("anthropic", "anthropic")
            return await client.post(
                "/v1/messages", body=body, cast_to=object, stream=stream, stream_cls=sdk.AsyncStream[object]
            )

    def _respond(self, request: ChatRequest, answer: Answer) -> ChatResponse:
        finish = fitting(_FINISH.get(answer.finish or "", "other"), answer.calls)
        text, calls = answer.text, tuple(answer.calls.values())
        fault = no_answer(self._endpoint, finish, text, calls, explanation=answer.explanation)
        if fault is not None:
            fault.usage = answer.usage(request) if answer.counts else None  # it is billed all the same
            raise fault
        return ChatResponse(
            text=text,
            model=f"anthropic/{answer.model or self._name}",
            usage=answer.usage(request),
            finish_reason=finish,
            tool_calls=calls,
            citations=answer.citations(request, self._format.documents(request)) if answer.cited else (),
            refused=finish == "refusal",
            tier=answer.tier,
        )


def _clients(base_url: str, api_key: str, timeout: float, connections: Connections) -> ClientPool[AsyncAnthropic]:
    def make() -> AsyncAnthropic:
        sdk = require("anthropic", "anthropic")
        client: AsyncAnthropic = sdk.AsyncAnthropic(
            api_key=api_key,
            base_url=base_url,
            max_retries=0,
            open_telemetry=False,  # the router makes the span of a call
            http_client=fastest_http(sdk, timeout, base_url),
        )
        return client

    return connections.pool(("anthropic", base_url, api_key, timeout), make)
