"""The one path of a call to a chat model: policy, tries, fallback, price, ledger.

Every try is priced and traced (`routing.meter`), a dead provider is tried again only where that can help
(`routing.resilience`), and when it stays dead the next model that the reason asks for answers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache, partial
from typing import Literal

from plumbline.aio import emitted
from plumbline.trace import annotate
from routing.call import Most
from routing.chat import (
    Attempt,
    ChatModel,
    ChatRequest,
    ChatResponse,
    Completed,
    Interrupted,
    RoutedEvent,
    TextDelta,
)
from routing.continuing import Seam, continuation
from routing.cost.prices import total_cost
from routing.errors import (
    DeadlineError,
    InvalidResponseError,
    LimitError,
    ModelError,
    TransientError,
    UnsupportedError,
)
from routing.meter import Meter, Reading
from routing.models.context import bound_tokens
from routing.models.facts import ModelFacts, chat_facts
from routing.policy import InOrder, Policy
from routing.resilience.fallback import Reason, reason_of
from routing.resilience.hedge import Claim, Hedges
from routing.resilience.retry import with_retries
from routing.route import Route, Turn
from routing.settings import RetrySettings

OnText = Callable[[str], None]
CONTINUATIONS = 2
"""So often one answer is gone on with."""


class Router:
    """Sends each request to the first of `models` that its policy names; when that cannot answer, to the next.

    Without a `policy` the models are tried in the order given. `by_reason` names the models that are tried instead of
    the rest of the plan when one fails for that reason. `broken_stream` says what happens when a model breaks off
    after its first piece: another (or the same once more) goes on with the text, or the text stays as it is.
    With `hedges` a model that takes long is asked a second time. `facts` are what is known of a model by its name.
    """

    def __init__(
        self,
        models: Sequence[ChatModel],
        *,
        meter: Meter,
        retry: RetrySettings,
        policy: Policy | None = None,
        by_reason: Mapping[Reason, Sequence[str]] | None = None,
        broken_stream: Literal["continue", "end"] = "continue",
        hedges: Hedges | None = None,
        facts: Callable[[str], ModelFacts] = chat_facts,
    ) -> None:
        self.models = {model.name: model for model in models}
        self._policy = policy or InOrder(tuple(self.models))
        self._meter = meter
        self._retry = retry
        self._by_reason = dict(by_reason or {})
        self._continues = broken_stream == "continue"
        self._hedges = hedges
        self._facts = cache(facts)

    async def complete(self, request: ChatRequest, *, on_text: OnText | None = None) -> ChatResponse:
        """Answer in one piece; raises the last model's `ModelError` when none can.

        With `on_text` the text is also handed over in pieces, as the model writes it. When a model breaks off after its
        first piece and nobody can go on, the next one answers all the same: its text then replaces the pieces, and none
        of it is handed over.
        """
        return await self._answer(request, on_text, whole=True)

    def stream(self, request: ChatRequest) -> AsyncGenerator[RoutedEvent, None]:
        """Answer in pieces. A failure before the first piece falls back unseen; after it, another model goes on with
        the text, or the stream ends with `Interrupted`.

        Closing the generator early ends the call; what it cost by then is estimated.
        """

        async def produce(emit: Callable[[RoutedEvent], None]) -> None:
            try:
                response = await self._answer(request, lambda text: emit(TextDelta(text)), whole=False)
            except _BrokenOffError as broken:
                emit(Interrupted(broken.said, broken.model, broken.error))
            else:
                emit(Completed(response))

        return emitted(produce)

    async def close(self) -> None:
        """Close the models."""
        for model in self.models.values():
            await model.close()

    async def _answer(self, request: ChatRequest, on_text: OnText | None, *, whole: bool) -> ChatResponse:
        """`whole` says that another model may answer anew after a piece was handed over."""
        attempts: list[Attempt] = []
        failed: ModelError | None = None
        route = self._planned(request)
        if getattr(self.models[route.current], "settles", False):
            request = replace(request, deadline=None)  # after hours it would leave no time to whoever stands in
        while True:
            model = self.models[route.current]
            try:
                turn = Turn(model, None if self._retry.try_seconds else route.first_word_by(request.deadline))
                return await self._raced(turn, route.request(request), attempts, on_text)
            except _BrokenOffError as broken:
                try:
                    return await self._gone_on(broken, request, route, attempts, on_text)
                except ModelError:
                    if not whole:
                        raise broken from broken.error
                if not route.goes_on(reason_of(broken.error)):
                    raise broken.error from broken.error.__cause__
                failed, on_text = broken.error, None
            except ModelError as error:
                if failed is None or not isinstance(error, UnsupportedError):
                    failed = error  # who cannot do what is asked stands in for nobody
                if not route.goes_on(reason_of(failed)):
                    raise failed from (error.__cause__ if failed is error else error)

    async def _gone_on(
        self,
        broken: _BrokenOffError,
        request: ChatRequest,
        route: Route,
        attempts: list[Attempt],
        on_text: OnText | None,
    ) -> ChatResponse:
        """The answer that `broken` began, ended by the same model or another; raises `ModelError` when none can."""
        whole_only = request.tools or request.response_schema is not None
        may_pass = isinstance(broken.error, TransientError | InvalidResponseError)
        if not self._continues or on_text is None or whole_only or not may_pass:
            raise broken.error
        error, costs = broken.error, [broken.cost]
        able = [self.models[name] for name in (route.current, *route.rest)]
        able = [model for model in able if getattr(model, "continues", True)]
        for model in able[:CONTINUATIONS]:
            seam = Seam(broken.said, on_text)
            try:
                response = await self._asked(Turn(model), continuation(request, broken.said), attempts, seam.take)
            except _BrokenOffError as again:
                broken.said, error = seam.broken_off(), again.error
                costs.append(again.cost)
            except ModelError as again:
                error = again
            else:
                return replace(response, text=seam.whole(), cost=total_cost([*costs, response.cost]))
        raise error

    async def _raced(
        self, turn: Turn, request: ChatRequest, attempts: list[Attempt], on_text: OnText | None
    ) -> ChatResponse:
        """The model's answer, or that of a second request to it when the first takes long.

        One that `settles` (`routing.batch.model`) sees to guards, tries, time, price and record by itself.
        """
        model = turn.model
        if getattr(model, "settles", False):
            with _recorded(model, attempts):
                response = await model.complete(request)
            if on_text is not None:
                on_text(response.text)
            return replace(response, attempts=tuple(attempts))
        if self._hedges is None or turn.is_local:  # asked twice, it would take longer
            return await self._asked(turn, request, attempts, on_text)

        async def contender(claim: Claim) -> ChatResponse:
            heard = None if on_text is None else _Contender(claim, on_text).take
            return await self._asked(turn, request, attempts, heard)

        return await self._hedges.call(model.name, contender, contender, streamed=on_text is not None)

    async def _asked(
        self, turn: Turn, request: ChatRequest, attempts: list[Attempt], on_text: OnText | None
    ) -> ChatResponse:
        """The model's answer, after as many tries as it may have."""
        return await with_retries(
            partial(self._attempt, turn, request, attempts, on_text),
            self._retry,
            deadline=turn.first_word_by or request.deadline,
            budget=self._meter.retry_budget(turn.model.name),
        )

    def _planned(self, request: ChatRequest) -> Route:
        plan = self._policy.plan(request)
        annotate({"plumbline.route.models": list(plan.models), "plumbline.route.reason": plan.reason})
        first, *rest = plan.models
        return Route(first, rest, {reason: plan.allowed(names) for reason, names in self._by_reason.items()})

    async def _attempt(
        self, turn: Turn, request: ChatRequest, attempts: list[Attempt], on_text: OnText | None
    ) -> ChatResponse:
        model = turn.model
        _check_deadline(model, request)
        reading: Reading | None = None
        said: list[str] = []
        try:
            with _recorded(model, attempts):
                most = _most(self._facts(model.name), request) if self._meter.looks_ahead else Most()
                call = self._meter.call(
                    "chat", model.name, request.tags, most=most, deadline=request.deadline, tier=request.options.tier
                )
                async with call as reading:
                    reading.given_up = partial(turn.given_up, request, said)
                    response = await self._within(turn, request, reading, on_text, said)
                    _read(response, reading)
        except ModelError as error:
            if reading is not None and said:
                raise _BrokenOffError(error, model.name, "".join(said), reading.cost) from error
            raise
        turn.used.append(response.usage)
        return replace(response, cost=reading.cost, attempts=tuple(attempts))

    async def _within(
        self, turn: Turn, request: ChatRequest, reading: Reading, on_text: OnText | None, said: list[str]
    ) -> ChatResponse:
        """The model's answer, all of which or the first word of which is there in the time that this try has."""
        model, seconds = turn.model, None if turn.is_local else self._retry.try_seconds
        why = "that one try has (routing.retry.try_seconds)"
        if turn.first_word_by is not None:
            seconds, why = turn.first_word_by - time.monotonic(), "that it had: the rest of the time is for another"
            if seconds <= 0:  # it would be asked only to be cancelled, and paid for
                raise LimitError(f"{model.name} was let out when its part of the time was over.", model=model.name)
        if seconds is None:
            if on_text is None:
                return await model.complete(request)
            return await _spoken(model, request, reading, on_text, said)
        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                if on_text is None:
                    return await model.complete(request)
                return await _spoken(model, request, reading, on_text, said, limit)
        except TimeoutError as error:
            if not limit.expired():
                raise
            said_nothing = f"{model.name} brought nothing in the {seconds:.3g} s {why}."
            raise DeadlineError(said_nothing, model=model.name) from error


class _BrokenOffError(Exception):
    """A model failed after pieces of its answer were handed over; the same call must not be tried again."""

    def __init__(self, error: ModelError, model: str, said: str, cost: Decimal | None) -> None:
        super().__init__(str(error))
        self.error = error
        self.model = model
        self.said = said
        self.cost = cost


@dataclass(slots=True)
class _Contender:
    """Hands over the pieces of a request that may have a rival: the one whose first piece comes first."""

    claim: Claim
    on_text: OnText
    speaks: bool | None = None

    def take(self, piece: str) -> None:
        """The next piece; nobody hears those of the other."""
        if self.speaks is None:
            self.speaks = self.claim()
        if self.speaks:
            self.on_text(piece)


async def _spoken(
    model: ChatModel,
    request: ChatRequest,
    reading: Reading,
    on_text: OnText,
    said: list[str],
    limit: asyncio.Timeout | None = None,
) -> ChatResponse:
    """The model's answer, each piece of it handed over when it comes; `limit` holds until the first."""
    response: ChatResponse | None = None
    events = model.stream(request)
    try:
        async for event in events:
            if isinstance(event, Completed):
                response = event.response
            else:
                reading.began = True
                if event.text:
                    if not said:
                        reading.spoke()
                        if limit is not None:
                            limit.reschedule(None)
                    said.append(event.text)
                    on_text(event.text)
    finally:  # whoever listens may fail, and the connection must not wait for the garbage collector
        if isinstance(events, AsyncGenerator):
            await events.aclose()
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


def _check_deadline(model: ChatModel, request: ChatRequest) -> None:
    if request.deadline is not None and time.monotonic() >= request.deadline:
        raise DeadlineError(f"The time allowed was over before {model.name} was asked.", model=model.name)


def _read(response: ChatResponse, reading: Reading) -> None:
    reading.usage = response.usage
    reading.tier = response.tier
    reading.attributes["gen_ai.response.model"] = response.model
    reading.attributes["gen_ai.response.finish_reasons"] = [response.finish_reason]


def _most(facts: ModelFacts, request: ChatRequest) -> Most:
    images = sum(len(message.images) for message in request.messages)
    most_output = request.options.max_tokens or facts.max_output or facts.context
    return Most(bound_tokens(request, facts, with_evidence=True), most_output, images=images)
