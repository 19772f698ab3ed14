"""Chat models of OpenAI and of every server that speaks its interface (vLLM, say), on the `openai` SDK."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from plumbline.extras import require
from routing.chat import ChatEvent, ChatRequest, ChatResponse, Completed, TextDelta
from routing.errors import BadRequestError, ModelError
from routing.models.capabilities import check_supported
from routing.models.clients import Connections
from routing.models.context import ContextWindow
from routing.models.endings import no_answer
from routing.models.facts import UNKNOWN, Api, ModelFacts
from routing.models.failures import broken_off, calling, invalid, next_event, of_status
from routing.models.openai_answer import MISSHAPEN, Answer, ChatAnswer
from routing.models.openai_batches import OpenAIBatches
from routing.models.openai_client import OPENAI_ADDRESS, openai_clients, openai_endpoint
from routing.models.openai_request import Setting, chat_body, refused_option
from routing.models.openai_responses import ResponsesAnswer, responses_body
from routing.models.openai_tokenize import server_count

if TYPE_CHECKING:
    from openai import AsyncOpenAI


@dataclass(frozen=True, slots=True)
class _Interface:
    """One of the two ways to ask."""

    path: str
    body: Callable[[Setting, ChatRequest], dict[str, Any]]
    answer: Callable[[], Answer]
    of_stream: Mapping[str, Any]


_INTERFACES: Mapping[Api, _Interface] = {
    "chat": _Interface(
        "/chat/completions", chat_body, ChatAnswer, {"stream": True, "stream_options": {"include_usage": True}}
    ),
    "responses": _Interface("/responses", responses_body, ResponsesAnswer, {"stream": True}),
}


class OpenAIChatModel:
    """The chat model "openai/NAME", or "PROVIDER/NAME" on another server at `base_url`.

    `api_key` may be `None` for servers that need none. `effort` is passed on to models that reason. Where it is asked,
    chat completions or responses, is for `facts` to say; `api` overrides them. Nothing asked of OpenAI is kept there.
    Of the tenant's name a server sees at most a hash, and only vLLM does, so that tenants share no prompt cache.

    Retries are the router's: the SDK's own are off. A request without a deadline may take `timeout` seconds between two
    pieces of data.
    """

    def __init__(
        self,
        name: str,
        *,
        api_key: str | None,
        provider: str = "openai",
        base_url: str = OPENAI_ADDRESS,
        key_variable: str | None = "OPENAI_API_KEY",
        facts: ModelFacts = UNKNOWN,
        effort: str | None = None,
        timeout: float = 600.0,
        connections: Connections | None = None,
        api: Api | None = None,
    ) -> None:
        self._setting = Setting(provider, name, facts, effort, api_key)
        self._endpoint = openai_endpoint(provider, name, base_url, key_variable)
        self._clients = openai_clients(provider, base_url, api_key, timeout, connections)
        self._api = api
        count = server_count(self._clients, self._endpoint, name) if provider == "vllm" else None
        self._window = ContextWindow(self.name, facts, count)
        # What the model has refused so far, and while it thought how much; filled at its first refusal, so that it is
        # asked in vain only once.
        self._refused: set[tuple[str, str | None]] = set()

    @property
    def name(self) -> str:
        """The model as "provider/name"."""
        return self._endpoint.model

    async def complete(self, request: ChatRequest) -> ChatResponse:
        """Answer in one piece; raises `ModelError`."""
        return self.read(request, await self._send(self._interface(request), request, stream=False))

    async def stream(self, request: ChatRequest) -> AsyncIterator[ChatEvent]:
        """Answer in pieces, or in a single one where the model knows no other way; raises `ModelError`."""
        if self._setting.facts.streams is False:
            response = await self.complete(request)
            if response.text:
                yield TextDelta(response.text)
            yield Completed(response)
            return
        interface = self._interface(request)
        events = await self._send(interface, request, stream=True)
        answer = interface.answer()
        try:
            while (event := await next_event(events, self._endpoint, request.deadline)) is not None:
                try:
                    piece = answer.take_event(event)
                except MISSHAPEN as error:
                    raise invalid(self._endpoint, "is not a stream of the promised events") from error
                if piece:
                    yield TextDelta(piece)
        except ModelError:
            if answer.finish is None:  # otherwise the answer is whole, and only the usage is missing
                raise
        finally:
            await events.close()
        yield Completed(self._respond(request, answer))

    async def close(self) -> None:
        """Close the connections."""
        await self._clients.close()

    def path(self, request: ChatRequest) -> str:
        """Where `request` is answered, below the server's address."""
        return self._interface(request).path

    def body(self, request: ChatRequest) -> dict[str, Any]:
        """What is sent for `request` as one of a batch; raises `ModelError` for what the model is known not to do."""
        request = replace(request, options=replace(request.options, tier="standard"))
        effort = self._setting.effort_of(request)
        check_supported(request, self._setting.facts, self.name, effort=effort)
        return self._body(self._interface(request), request, effort)

    def read(self, request: ChatRequest, document: Any, *, status: int = 200) -> ChatResponse:
        """The response in an answer of one piece, parsed from its JSON; raises `ModelError`, also for a `status`."""
        if status >= 400:
            raise of_status(status, document, self._endpoint, headers={})
        answer = self._interface(request).answer()
        try:
            answer.take_document(document)
        except MISSHAPEN as error:
            raise invalid(self._endpoint, f"has no choices; it begins with {str(document)[:80]!r}") from error
        return self._respond(request, answer)

    def batches(self) -> OpenAIBatches:
        """Where batches of requests to this model are sent."""
        return OpenAIBatches(self._clients, self._endpoint)

    def _interface(self, request: ChatRequest) -> _Interface:
        facts = self._setting.facts
        return _INTERFACES[self._api or (facts.tools_api if request.tools else None) or facts.api]

    async def _send(self, interface: _Interface, request: ChatRequest, *, stream: bool) -> Any:
        effort = self._setting.effort_of(request)
        check_supported(request, self._setting.facts, self.name, effort=effort)
        await self._window.check(request)
        body = self._body(interface, request, effort)
        if stream:
            body |= interface.of_stream
        while True:
            try:
                async with calling(self._endpoint, request.deadline):
                    return await _post(await self._clients.get(), interface.path, body, stream=stream)
            except BadRequestError as error:
                refused = refused_option(error, body)
                if refused is None:
                    raise
                self._refused.add((refused, effort))
                del body[refused]

    def _body(self, interface: _Interface, request: ChatRequest, effort: str | None) -> dict[str, Any]:
        body = interface.body(self._setting, request)
        for option in [option for option, when in self._refused if when == effort]:
            body.pop(option, None)
        return body

    def _respond(self, request: ChatRequest, answer: Answer) -> ChatResponse:
        text = answer.text
        fault = self._fault(request, answer, text)
        if fault is not None:
            fault.usage = answer.usage(request) if answer.counts else None
            raise fault
        assert answer.finish is not None  # otherwise that is the fault
        return ChatResponse(
            text=text,
            model=f"{self._setting.provider}/{answer.model or self._setting.name}",
            usage=answer.usage(request),
            finish_reason=answer.finish,
            tool_calls=tuple(answer.calls.values()),
            refused=answer.refused,
            tier=answer.tier,
            logprobs=tuple(answer.logprobs),
        )

    def _fault(self, request: ChatRequest, answer: Answer, text: str) -> ModelError | None:
        """Why this is no answer, if it is none."""
        if answer.failure is not None:
            return of_status(500, {"error": answer.failure}, self._endpoint)
        if answer.finish is None or answer.given_up:
            return broken_off(self._endpoint)
        missing = no_answer(self._endpoint, answer.finish, text, answer.calls.values())
        if missing is not None:
            return missing
        if request.options.logprobs is not None and text and not answer.logprobs:
            return invalid(self._endpoint, "has no log-probabilities, which were asked for")
        return None


async def _post(client: AsyncOpenAI, path: str, body: Mapping[str, Any], *, stream: bool) -> Any:
    """What `client.chat.completions.create` does, without walking body and answer through the SDK's types.

    That takes as long as all the rest of a call, and checks nothing: what comes back is the parsed JSON.
    """
    kind = require("openai", "openai").AsyncStream[object] if stream else None
    return await client.post(path, body=body, cast_to=object, stream=stream, stream_cls=kind)
