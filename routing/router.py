"""The one path of a call to a chat model: model, retries, fallback, price, ledger.

With one candidate the policy is trivial; what the router already guarantees is that every try is priced and traced,
that a dead provider is retried only where that can help, and that the fallback answers when it stays dead.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace

from routing.chat import Attempt, ChatEvent, ChatModel, ChatRequest, ChatResponse, Completed, TextDelta
from routing.errors import DeadlineError, ModelError, TransientError
from routing.meter import Meter, Reading
from routing.resilience.retry import with_retries
from routing.settings import RetrySettings


class Router:
    """Sends each request to `model`; when that stays unreachable, `fallback` (if any) answers."""

    def __init__(
        self, model: ChatModel, *, meter: Meter, retry: RetrySettings, fallback: ChatModel | None = None
    ) -> None:
        self.model = model
        self.fallback = None if fallback is None or fallback.name == model.name else fallback
        self._meter = meter
        self._retry = retry

    async def complete(self, request: ChatRequest) -> ChatResponse:
        """Answer in one piece; raises `ModelError` when neither the model nor the fallback can."""
        attempts: list[Attempt] = []
        try:
            response = await with_retries(
                lambda: self._attempt(self.model, request, attempts), self._retry, deadline=request.deadline
            )
        except TransientError:
            if self.fallback is None:
                raise
            response = await self._attempt(self.fallback, replace(request, deadline=None), attempts)
        return replace(response, attempts=tuple(attempts))

    async def stream(self, request: ChatRequest) -> AsyncIterator[ChatEvent]:
        """Answer in pieces. A failure before the first piece falls back unseen; after it, the error is raised."""
        attempts: list[Attempt] = []
        begun = False
        try:
            async for event in self._attempt_stream(self.model, request, attempts):
                begun = begun or isinstance(event, TextDelta)
                yield event
        except TransientError:
            if begun or self.fallback is None:
                raise
            async for event in self._attempt_stream(self.fallback, replace(request, deadline=None), attempts):
                yield event

    async def close(self) -> None:
        """Close the models."""
        await self.model.close()
        if self.fallback is not None:
            await self.fallback.close()

    async def _attempt(self, model: ChatModel, request: ChatRequest, attempts: list[Attempt]) -> ChatResponse:
        _check_deadline(model, request)
        with _recorded(model, attempts), self._meter.call("chat", model.name, request.tags) as reading:
            response = await model.complete(request)
            _read(response, reading)
        return replace(response, cost=reading.cost)

    async def _attempt_stream(
        self, model: ChatModel, request: ChatRequest, attempts: list[Attempt]
    ) -> AsyncIterator[ChatEvent]:
        _check_deadline(model, request)
        response: ChatResponse | None = None
        with _recorded(model, attempts), self._meter.call("chat", model.name, request.tags) as reading:
            async for event in model.stream(request):
                if isinstance(event, Completed):
                    response = event.response
                    _read(response, reading)
                else:
                    yield event
        if response is not None:
            yield Completed(replace(response, cost=reading.cost, attempts=tuple(attempts)))


@contextmanager
def _recorded(model: ChatModel, attempts: list[Attempt]) -> Iterator[None]:
    """Appends an `Attempt` for the block, failed when it raises."""
    started = time.perf_counter()
    try:
        yield
    except BaseException as error:
        what = str(error) if isinstance(error, ModelError) else type(error).__name__
        attempts.append(Attempt(model.name, time.perf_counter() - started, what))
        raise
    attempts.append(Attempt(model.name, time.perf_counter() - started))


def _check_deadline(model: ChatModel, request: ChatRequest) -> None:
    if request.deadline is not None and time.monotonic() >= request.deadline:
        raise DeadlineError(f"The time allowed was over before {model.name} was asked.", model=model.name)


def _read(response: ChatResponse, reading: Reading) -> None:
    reading.usage = response.usage
    reading.attributes["gen_ai.response.model"] = response.model
    reading.attributes["gen_ai.response.finish_reasons"] = [response.finish_reason]
