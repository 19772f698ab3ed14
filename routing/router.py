"""The one path of a call to a chat model: policy, retries, fallback, price, ledger.

Every try is priced and traced, a dead provider is retried only where that can help, and when it stays dead the next
model of the plan answers.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from plumbline.aio import emitted
from plumbline.trace import annotate
from routing.chat import Attempt, ChatEvent, ChatModel, ChatRequest, ChatResponse, Completed, TextDelta
from routing.errors import DeadlineError, InvalidResponseError, ModelError, TransientError
from routing.meter import Meter, Reading
from routing.policy import InOrder, Policy
from routing.resilience.retry import with_retries
from routing.settings import RetrySettings

OnText = Callable[[str], None]


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

    async def complete(self, request: ChatRequest, *, on_text: OnText | None = None) -> ChatResponse:
        """Answer in one piece; raises the last model's `ModelError` when none can.

        With `on_text` the text is also handed over in pieces, as the model writes it. When a model breaks off after its
        first piece the next one answers all the same: its text then replaces the pieces, and none of it is handed over.
        """
        return await self._answer(request, on_text, whole=True)

    def stream(self, request: ChatRequest) -> AsyncGenerator[ChatEvent, None]:
        """Answer in pieces. A failure before the first piece falls back unseen; after it, the error is raised.

        Closing the generator early ends the call; its price is then recorded as unknown.
        """

        async def produce(emit: Callable[[ChatEvent], None]) -> None:
            response = await self._answer(request, lambda text: emit(TextDelta(text)), whole=False)
            emit(Completed(response))

        return emitted(produce)

    async def _answer(self, request: ChatRequest, on_text: OnText | None, *, whole: bool) -> ChatResponse:
        """`whole` says that another model may answer anew after a piece was handed over."""
        attempts: list[Attempt] = []
        candidates = self._candidates(request)
        for model in candidates:
            asked = _in_its_time(request, model, candidates)
            try:
                response = await with_retries(
                    partial(self._attempt, model, asked, attempts, on_text), self._retry, deadline=asked.deadline
                )
            except TransientError:
                if model is candidates[-1]:
                    raise
            except _BrokenOffError as broken:
                if not whole or model is candidates[-1]:
                    raise broken.error from broken.error.__cause__
                on_text = None
            else:
                return replace(response, attempts=tuple(attempts))
        raise AssertionError("a plan names at least one model")

    def _candidates(self, request: ChatRequest) -> list[ChatModel]:
        plan = self._policy.plan(request)
        annotate({"plumbline.route.models": list(plan.models), "plumbline.route.reason": plan.reason})
        return [self.models[name] for name in plan.models]

    async def close(self) -> None:
        """Close the models."""
        for model in self.models.values():
            await model.close()

    async def _attempt(
        self, model: ChatModel, request: ChatRequest, attempts: list[Attempt], on_text: OnText | None
    ) -> ChatResponse:
        _check_deadline(model, request)
        reading: Reading | None = None
        try:
            with _recorded(model, attempts):
                async with self._meter.call("chat", model.name, request.tags) as reading:
                    if on_text is None:
                        response = await model.complete(request)
                    else:
                        response = await _spoken(model, request, reading, on_text)
                    _read(response, reading)
        except TransientError as error:
            if reading is not None and reading.began:
                raise _BrokenOffError(error) from error
            raise
        return replace(response, cost=reading.cost)


class _BrokenOffError(Exception):
    """A model failed after pieces of its answer were handed over; the same call must not be tried again."""

    def __init__(self, error: TransientError) -> None:
        super().__init__(str(error))
        self.error = error


async def _spoken(model: ChatModel, request: ChatRequest, reading: Reading, on_text: OnText) -> ChatResponse:
    """The model's answer, each piece of it handed over when it comes."""
    response: ChatResponse | None = None
    async for event in model.stream(request):
        if isinstance(event, Completed):
            response = event.response
        else:
            reading.began = True
            on_text(event.text)
    if response is None:
        raise InvalidResponseError(f"{model.name} ended its stream without completing its answer.", model=model.name)
    return response


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
