"""The one path of a call to a chat model: policy, retries, fallback, price, ledger.

Every try is priced and traced, a dead provider is retried only where that can help, and when it stays dead the next
model of the plan answers.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from plumbline.trace import annotate
from routing.chat import Attempt, ChatEvent, ChatModel, ChatRequest, ChatResponse, Completed, TextDelta
from routing.errors import DeadlineError, ModelError, TransientError
from routing.meter import Meter, Reading
from routing.policy import InOrder, Policy
from routing.resilience.retry import with_retries
from routing.settings import RetrySettings


class Router:
    """Sends each request to the first of `models` that its policy names; when that stays unreachable, to the next.

    Without a `policy` the models are tried in the order given.
    """

    def __init__(
        self, models: Sequence[ChatModel], *, meter: Meter, retry: RetrySettings, policy: Policy | None = None
    ) -> None:
        self.models = {model.name: model for model in models}
        self._policy = policy or InOrder(tuple(self.models))
        self._meter = meter
        self._retry = retry

    async def complete(self, request: ChatRequest) -> ChatResponse:
        """Answer in one piece; raises the last model's `ModelError` when none can."""
        attempts: list[Attempt] = []
        candidates = self._candidates(request)
        for model in candidates:
            asked = _in_its_time(request, model, candidates)
            try:
                response = await with_retries(
                    partial(self._attempt, model, asked, attempts), self._retry, deadline=asked.deadline
                )
            except TransientError:
                if model is candidates[-1]:
                    raise
            else:
                return replace(response, attempts=tuple(attempts))
        raise AssertionError("a plan names at least one model")

    async def stream(self, request: ChatRequest) -> AsyncIterator[ChatEvent]:
        """Answer in pieces. A failure before the first piece falls back unseen; after it, the error is raised."""
        attempts: list[Attempt] = []
        candidates = self._candidates(request)
        begun = False
        for model in candidates:
            try:
                async for event in self._attempt_stream(model, _in_its_time(request, model, candidates), attempts):
                    begun = begun or isinstance(event, TextDelta)
                    yield event
            except TransientError:
                if begun or model is candidates[-1]:
                    raise
            else:
                return

    def _candidates(self, request: ChatRequest) -> list[ChatModel]:
        plan = self._policy.plan(request)
        annotate({"plumbline.route.models": list(plan.models), "plumbline.route.reason": plan.reason})
        return [self.models[name] for name in plan.models]

    async def close(self) -> None:
        """Close the models."""
        for model in self.models.values():
            await model.close()

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
                    reading.began = True
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


def _in_its_time(request: ChatRequest, model: ChatModel, candidates: Sequence[ChatModel]) -> ChatRequest:
    """The last resort may answer late: late is better than not at all."""
    return replace(request, deadline=None) if len(candidates) > 1 and model is candidates[-1] else request


def _check_deadline(model: ChatModel, request: ChatRequest) -> None:
    if request.deadline is not None and time.monotonic() >= request.deadline:
        raise DeadlineError(f"The time allowed was over before {model.name} was asked.", model=model.name)


def _read(response: ChatResponse, reading: Reading) -> None:
    reading.usage = response.usage
    reading.attributes["gen_ai.response.model"] = response.model
    reading.attributes["gen_ai.response.finish_reasons"] = [response.finish_reason]
