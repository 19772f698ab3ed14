"""The path of a call: tries, fallback, price, and a ledger row for each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace
from decimal import Decimal

import pytest

from plumbline.trace import current_ids, read_trace
from routing.call import Call, Leave
from routing.chat import (
    ChatEvent,
    ChatRequest,
    ChatResponse,
    Completed,
    Evidence,
    Interrupted,
    Message,
    RoutedEvent,
    Tags,
    TextDelta,
    Tool,
    Usage,
)
from routing.errors import (
    AuthenticationError,
    BadRequestError,
    BudgetError,
    ConnectionFailedError,
    ContentFilterError,
    ContextLengthError,
    DeadlineError,
    OverloadedError,
    RateLimitError,
)
from routing.meter import Meter
from routing.models.catalog import register_model
from routing.models.extractive import ExtractiveModel
from routing.models.facts import ModelFacts
from routing.models.usage import estimate_prompt
from routing.policy import InOrder, Plan
from routing.resilience.fallback import Reason
from routing.resilience.hedge import Hedges
from routing.router import Router
from routing.settings import HedgeSettings, RetrySettings
from routing.testing.fakes import ScriptedChatModel

QUICK = RetrySettings(attempts=3, first_wait_seconds=0, longest_wait_seconds=0.01)
REQUEST = ChatRequest((Message("user", "Hello?"),), tags=Tags("answer", "acme"))


def down() -> ConnectionFailedError:
    return ConnectionFailedError("connection refused", model="openai/priced")


def answered(text: str = "Hello.") -> ChatResponse:
    return ChatResponse(text, "openai/priced-2026-01-01", Usage(1_000_000, 500_000))


def router(meter: Meter, *replies: object, fallback: ScriptedChatModel | None = None) -> Router:
    model = ScriptedChatModel(*replies, name="openai/priced")  # type: ignore[arg-type]  # a list of replies
    return Router([model, *([fallback] if fallback else [])], meter=meter, retry=QUICK)


async def test_an_answer_is_priced_and_recorded(meter: Meter) -> None:
    with meter.tracing.span("ask") as span:
        response = await router(meter, answered()).complete(REQUEST)
    assert response.cost == Decimal(2)
    assert [(a.model, a.error) for a in response.attempts] == [("openai/priced", None)]
    (row,) = meter.ledger.of_trace(span.trace_id)
    assert (row.kind, row.model, row.tags, row.error) == ("chat", "openai/priced", REQUEST.tags, None)
    assert row.cost == 2


async def test_every_try_has_its_row(meter: Meter) -> None:
    response = await router(meter, down(), OverloadedError("503", model="openai/priced"), answered()).complete(REQUEST)
    assert [a.error is None for a in response.attempts] == [False, False, True]
    assert meter.ledger.totals().calls == 3


async def test_the_fallback_answers_when_the_model_stays_dead(meter: Meter) -> None:
    fallback = ScriptedChatModel("From the fallback.", name="scripted/fallback")
    response = await router(meter, down(), fallback=fallback).complete(REQUEST)
    assert response.text == "From the fallback."
    assert [a.model for a in response.attempts] == ["openai/priced"] * 3 + ["scripted/fallback"]
    assert "connection refused" in (response.attempts[0].error or "")


async def test_without_a_fallback_the_error_is_raised(meter: Meter) -> None:
    with pytest.raises(ConnectionFailedError):
        await router(meter, down()).complete(REQUEST)
    assert meter.ledger.totals().calls == 3


async def test_a_wrong_key_is_neither_retried_nor_hidden_by_the_fallback(meter: Meter) -> None:
    fallback = ScriptedChatModel("never", name="scripted/fallback")
    with pytest.raises(AuthenticationError):
        await router(meter, AuthenticationError("401", model="openai/priced"), fallback=fallback).complete(REQUEST)
    assert fallback.requests == []
    assert meter.ledger.totals().calls == 1


async def test_a_deadline_that_is_over_asks_nobody_but_the_fallback(meter: Meter) -> None:
    late = ChatRequest(REQUEST.messages, deadline=time.monotonic() - 1)
    fallback = ScriptedChatModel("In time.", name="scripted/fallback")
    made = router(meter, answered(), fallback=fallback)
    assert (await made.complete(late)).text == "In time."
    with pytest.raises(DeadlineError):
        await router(meter, answered()).complete(late)


async def test_a_policy_chooses_by_the_request_and_its_reason_is_traced(meter: Meter) -> None:
    class ByLength:
        def plan(self, request: ChatRequest) -> Plan:
            long = len(request.messages[0].content) > 20
            return Plan(("scripted/large" if long else "scripted/small",), "length")

    small, large = (ScriptedChatModel(size, name=f"scripted/{size}") for size in ("small", "large"))
    made = Router([small, large], meter=meter, retry=QUICK, policy=ByLength())
    with meter.tracing.span("ask") as span:
        assert (await made.complete(REQUEST)).text == "small"
        assert (await made.complete(ChatRequest((Message("user", "x" * 30),)))).text == "large"
    meter.tracing.flush()
    spans = read_trace(meter.tracing.writer.engine, span.trace_id)
    assert spans[0].attributes["plumbline.route.reason"] == "length"
    assert spans[0].attributes["plumbline.route.models"] == ["scripted/large"]


async def collect(events: AsyncIterator[RoutedEvent]) -> tuple[str, ChatResponse]:
    text, last = "", None
    async for event in events:
        if isinstance(event, TextDelta):
            text += event.text
        else:
            assert isinstance(event, Completed)
            last = event.response
    assert last is not None
    return text, last


async def test_a_stream_ends_with_the_priced_response(meter: Meter) -> None:
    text, response = await collect(router(meter, answered("Hello to you.")).stream(REQUEST))
    assert text == response.text == "Hello to you."
    assert response.cost == 2
    assert meter.ledger.totals().calls == 1


async def test_a_stream_that_fails_before_its_first_piece_falls_back_unseen(meter: Meter) -> None:
    fallback = ScriptedChatModel("From the fallback.", name="scripted/fallback")
    text, response = await collect(router(meter, down(), fallback=fallback).stream(REQUEST))
    assert text == response.text == "From the fallback."
    assert [a.model for a in response.attempts] == ["openai/priced"] * 3 + ["scripted/fallback"]


class Breaking(ScriptedChatModel):
    """Says the first half of its reply and breaks off, `times` times; then it answers as it should."""

    def __init__(self, reply: str, *, name: str = "openai/priced", times: int = 9, first: int = 8) -> None:
        super().__init__(reply, name=name)
        self._reply, self._times, self._first = reply, times, first

    async def stream(self, request: ChatRequest) -> AsyncIterator[ChatEvent]:
        self.requests.append(request)
        if self._times:
            self._times -= 1
            yield TextDelta(self._reply[: self._first])
            raise down()
        yield TextDelta(self._reply)
        yield Completed(ChatResponse(self._reply, self.name, Usage(1_000_000, 500_000)))


async def gathered(events: AsyncIterator[RoutedEvent]) -> tuple[str, Completed | Interrupted]:
    text, last = "", None
    async for event in events:
        if isinstance(event, TextDelta):
            text += event.text
        else:
            last = event
    assert last is not None
    return text, last


async def test_a_stream_that_breaks_is_gone_on_with_and_repeats_nothing(meter: Meter) -> None:
    model = Breaking("Half an hour is enough.", times=1)
    text, last = await gathered(Router([model], meter=meter, retry=QUICK).stream(REQUEST))
    assert isinstance(last, Completed)
    assert text == last.response.text == "Half an hour is enough."
    assert [message.role for message in model.requests[1].messages] == ["user", "assistant", "user"]
    assert model.requests[1].messages[1].content == "Half an "
    assert [attempt.error is None for attempt in last.response.attempts] == [False, True]
    assert last.response.cost is None, "the half that came was billed, and nobody knows at what"
    assert (meter.ledger.totals().calls, meter.ledger.totals().cost) == (2, Decimal(2))


async def test_another_model_goes_on_when_the_same_one_breaks_again(meter: Meter) -> None:
    other = ScriptedChatModel("hour, says the other.", name="scripted/other")
    made = Router([Breaking("Half an hour."), other], meter=meter, retry=QUICK)
    text, last = await gathered(made.stream(REQUEST))
    assert isinstance(last, Completed)
    assert text == last.response.text == "Half an hour, says the other."
    assert last.response.model == "scripted/other"
    assert meter.ledger.totals().calls == 3


async def test_a_stream_that_nobody_goes_on_with_ends_with_an_event_that_says_so(meter: Meter) -> None:
    class Quoting(ScriptedChatModel):
        continues = False

    quoting = Quoting("Other text.", name="scripted/quoting")
    text, last = await gathered(Router([Breaking("Half an hour."), quoting], meter=meter, retry=QUICK).stream(REQUEST))
    assert isinstance(last, Interrupted)
    assert text == last.text == "Half an "
    assert (last.model, quoting.requests) == ("openai/priced", [])
    assert "connection refused" in last.error.message


async def test_a_stream_ends_where_it_broke_when_that_is_wanted(meter: Meter) -> None:
    model = Breaking("Half an hour.")
    made = Router([model, ScriptedChatModel("x")], meter=meter, retry=QUICK, broken_stream="end")
    text, last = await gathered(made.stream(REQUEST))
    assert isinstance(last, Interrupted)
    assert (text, len(model.requests)) == ("Half an ", 1)
    assert meter.ledger.totals().unpriced == 1


@pytest.mark.parametrize(
    "request_", [replace(REQUEST, response_schema={"type": "object"}), replace(REQUEST, tools=(Tool("f", "", {}),))]
)
async def test_what_has_a_form_is_not_gone_on_with(meter: Meter, request_: ChatRequest) -> None:
    model = Breaking('{"half": "an')
    _, last = await gathered(Router([model, ScriptedChatModel("x")], meter=meter, retry=QUICK).stream(request_))
    assert isinstance(last, Interrupted)
    assert len(model.requests) == 1


async def test_a_filter_that_stops_a_stream_is_not_got_round(meter: Meter) -> None:
    class Filtered(Breaking):
        async def stream(self, request: ChatRequest) -> AsyncIterator[ChatEvent]:
            yield TextDelta("Half an ")
            raise ContentFilterError("withheld", model=self.name)

    _, last = await gathered(Router([Filtered("x"), ScriptedChatModel("x")], meter=meter, retry=QUICK).stream(REQUEST))
    assert isinstance(last, Interrupted)
    assert isinstance(last.error, ContentFilterError)


async def test_the_reason_says_which_models_are_asked_next(meter: Meter) -> None:
    models = [ScriptedChatModel(name, name=f"scripted/{name}") for name in ("usual", "long", "last")]
    by_reason: dict[Reason, list[str]] = {"too_long": ["scripted/long", "scripted/last"]}
    for error, answers in (
        (ContextLengthError("too long", model="openai/priced"), "long"),
        (ContentFilterError("no", model="openai/priced"), "usual"),
        (BudgetError("spent", model="openai/priced"), "usual"),
        (RateLimitError("429", model="openai/priced"), "usual"),
    ):
        first = ScriptedChatModel(error, name="openai/priced")
        made = Router([first, *models], meter=meter, retry=QUICK, by_reason=by_reason, policy=PLAN)
        assert (await made.complete(REQUEST)).text == answers
    first = ScriptedChatModel(BadRequestError("400", model="openai/priced"), name="openai/priced")
    with pytest.raises(BadRequestError):
        await Router([first, *models], meter=meter, retry=QUICK, policy=PLAN).complete(REQUEST)


async def test_no_model_is_asked_twice_though_reasons_name_it_again(meter: Meter) -> None:
    limited = RateLimitError("429", model="scripted/b", retry_after=60)
    failing = [
        ScriptedChatModel(down(), down(), down(), name="openai/priced"),
        ScriptedChatModel(limited, name="scripted/b"),
        ScriptedChatModel(down(), down(), down(), name="scripted/c"),
    ]
    chains: dict[Reason, list[str]] = {
        "down": ["scripted/b", "scripted/c"],
        "rate_limited": ["openai/priced", "scripted/c"],
    }
    with pytest.raises(ConnectionFailedError):
        await Router(failing, meter=meter, retry=QUICK, by_reason=chains).complete(REQUEST)
    assert [len(model.requests) for model in failing] == [3, 1, 3]


PLAN = InOrder(("openai/priced", "scripted/usual"))


class Hanging(ScriptedChatModel):
    """Says one piece, then hangs."""

    async def stream(self, request: ChatRequest) -> AsyncIterator[ChatEvent]:
        yield TextDelta("Half an ")
        await asyncio.Event().wait()


async def test_a_stream_that_nobody_reads_on_is_recorded_and_leaves_the_readers_span_alone(meter: Meter) -> None:
    events = Router([Hanging("x", name="openai/priced")], meter=meter, retry=QUICK).stream(REQUEST)
    with meter.tracing.span("reader") as span:
        assert await anext(events) == TextDelta("Half an ")
        assert current_ids() == (span.trace_id, span.span_id)
        await asyncio.create_task(close(events))
        assert current_ids() == (span.trace_id, span.span_id)
    (row,) = meter.ledger.of_trace(span.trace_id)
    guess = Usage(estimate_prompt(REQUEST), 2, estimated=True)
    assert (row.error, row.usage, row.cost) == ("CancelledError", guess, meter.prices.cost("openai/priced", guess))
    meter.tracing.flush()
    _, call = read_trace(meter.tracing.writer.engine, span.trace_id)
    assert (call.name, call.error) == ("chat openai/priced", "cancelled")


async def close(events: AsyncGenerator[RoutedEvent, None]) -> None:
    await events.aclose()


async def test_a_whole_answer_replaces_the_pieces_of_a_model_that_nobody_goes_on_with(meter: Meter) -> None:
    fallback = ScriptedChatModel("Other text.", name="scripted/fallback")
    pieces: list[str] = []
    made = Router([Breaking("Half an hour."), fallback], meter=meter, retry=QUICK, broken_stream="end")
    response = await made.complete(REQUEST, on_text=pieces.append)
    assert (response.text, pieces) == ("Other text.", ["Half an "])
    assert [(a.model, a.error is None) for a in response.attempts] == [
        ("openai/priced", False),
        ("scripted/fallback", True),
    ]
    alone = Router([Breaking("Half an hour.")], meter=meter, retry=QUICK)
    with pytest.raises(ConnectionFailedError):
        await alone.complete(REQUEST, on_text=pieces.append)


async def test_a_model_that_never_completes_its_stream_is_at_fault(meter: Meter) -> None:
    class Endless(ScriptedChatModel):
        async def stream(self, request: ChatRequest) -> AsyncIterator[ChatEvent]:
            yield TextDelta("And")

    made = Router([Endless("x", name="openai/priced")], meter=meter, retry=QUICK)
    _, last = await gathered(made.stream(REQUEST))
    assert isinstance(last, Interrupted)
    assert "without completing" in last.error.message


async def test_close_closes_both(meter: Meter) -> None:
    models = [ScriptedChatModel("x", name=f"scripted/{number}") for number in range(2)]
    await Router(models, meter=meter, retry=QUICK).close()
    assert all(model.closed for model in models)


class Slow(ScriptedChatModel):
    """Its first request hangs; later ones are answered at once."""

    async def complete(self, request: ChatRequest) -> ChatResponse:
        self.requests.append(request)
        if len(self.requests) == 1:
            await asyncio.Event().wait()
        return ChatResponse(f"Answer {len(self.requests)}.", self.name, Usage(1_000_000, 500_000))

    async def stream(self, request: ChatRequest) -> AsyncIterator[ChatEvent]:
        response = await self.complete(request)
        yield TextDelta(response.text)
        yield Completed(response)


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_model_that_takes_long_is_asked_twice_and_both_are_priced(meter: Meter, streamed: bool) -> None:
    model = Slow("x", name="openai/priced")
    hedges = Hedges(HedgeSettings(after=0.01, share=1.0))
    made = Router([model], meter=meter, retry=QUICK, hedges=hedges)
    if streamed:
        text, response = await collect(made.stream(REQUEST))
        assert text == response.text
    else:
        response = await made.complete(REQUEST)
    assert response.text == "Answer 2."
    assert (len(model.requests), response.cost) == (2, Decimal(2))
    rows = [entry for _, entry in meter.ledger.after(0)]
    assert sorted((row.error or "", row.cost) for row in rows) == [("", Decimal(2)), ("CancelledError", Decimal(2))]


class Mute(ScriptedChatModel):
    """Is asked, and does not answer: at all, or after its first words."""

    def __init__(self, name: str, said: str = "", *, pause: float = 0.1) -> None:
        super().__init__("", name=name)
        self.said = said
        self.pause = pause
        self.closed_streams = 0

    async def complete(self, request: ChatRequest) -> ChatResponse:
        self.requests.append(request)
        await asyncio.Event().wait()
        raise AssertionError

    async def stream(self, request: ChatRequest) -> AsyncIterator[ChatEvent]:
        self.requests.append(request)
        try:
            yield TextDelta(self.said)
            await asyncio.sleep(self.pause)
            yield TextDelta(self.said)
            yield Completed(answered(self.said * 2))
        finally:
            self.closed_streams += 1


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_try_that_takes_too_long_has_failed_and_the_next_model_answers(meter: Meter, streamed: bool) -> None:
    mute = Mute("openai/priced")
    quick = RetrySettings(attempts=2, first_wait_seconds=0, try_seconds=0.02)
    made = Router([mute, ScriptedChatModel("Hello.", name="openai/b")], meter=meter, retry=quick)
    response = (await collect(made.stream(REQUEST)))[1] if streamed else await made.complete(REQUEST)
    assert (response.text, response.model) == ("Hello.", "openai/b")
    said = "openai/priced brought nothing in the 0.02 s that one try has (routing.retry.try_seconds)."
    assert [attempt.error for attempt in response.attempts] == [said, said, None]
    rows = [entry for _, entry in meter.ledger.after(0)]
    assert [(row.error, row.cost) for row in rows[:2]] == [("DeadlineError", None)] * 2, "it may have been at work"


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("own_chain", [False, True])
async def test_a_model_that_does_not_answer_leaves_time_for_the_next(
    meter: Meter, streamed: bool, own_chain: bool
) -> None:
    mute, good = Mute("openai/priced", pause=60), ScriptedChatModel("Hello.", name="openai/b")
    made = Router(
        [mute, good],
        meter=meter,
        retry=RetrySettings(attempts=3, first_wait_seconds=0),
        policy=InOrder(("openai/priced",) if own_chain else ("openai/priced", "openai/b")),
        by_reason={"too_slow": ["openai/b"]} if own_chain else {},
    )
    request = replace(REQUEST, deadline=time.monotonic() + 0.4)
    response = (await collect(made.stream(request)))[1] if streamed else await made.complete(request)
    assert (response.text, response.model) == ("Hello.", "openai/b")
    assert len(mute.requests) == 1, "its time was over"
    assert "the rest of the time is for another" in str(response.attempts[0].error)


async def test_who_waits_for_a_limit_until_his_part_of_the_time_is_over_is_not_asked(meter: Meter) -> None:
    class Queue:
        async def enter(self, call: Call) -> Leave:
            await asyncio.sleep(0.25 if call.model == "openai/priced" else 0)
            return lambda outcome: None

    first, second = (ScriptedChatModel("Hello.", name=name) for name in ("openai/priced", "openai/b"))
    made = Router([first, second], meter=replace(meter, guards=(Queue(),)), retry=RetrySettings())
    response = await made.complete(replace(REQUEST, deadline=time.monotonic() + 0.45))
    assert (response.model, len(first.requests)) == ("openai/b", 0)
    assert next(row.cost for _, row in meter.ledger.after(0)) == 0


async def test_a_stream_that_has_begun_may_take_all_the_time(meter: Meter) -> None:
    slow = Mute("openai/priced", "Well. ")
    made = Router([slow, ScriptedChatModel("Hello.", name="openai/b")], meter=meter, retry=RetrySettings())
    request = replace(REQUEST, deadline=time.monotonic() + 0.15)  # its end comes after .1
    assert (await collect(made.stream(request)))[0] == "Well. Well. "


async def test_a_stream_that_has_begun_may_take_longer_than_a_try(meter: Meter) -> None:
    slow = Mute("openai/priced", "Well. ")
    made = Router([slow], meter=meter, retry=RetrySettings(attempts=1, try_seconds=0.05))
    assert (await collect(made.stream(REQUEST)))[0] == "Well. Well. "


async def test_a_model_in_this_process_is_not_given_up(meter: Meter) -> None:
    slow = Mute("extractive/slow")
    made = Router([slow], meter=meter, retry=RetrySettings(attempts=1, try_seconds=0.01))
    assert (await made.complete(REQUEST, on_text=lambda text: None)).text == ""


async def test_a_listener_that_fails_closes_the_models_stream(meter: Meter) -> None:
    model = Mute("openai/priced", "Well. ")

    def on_text(text: str) -> None:
        raise ZeroDivisionError(text)

    with pytest.raises(ZeroDivisionError):
        await Router([model], meter=meter, retry=QUICK).complete(REQUEST, on_text=on_text)
    assert model.closed_streams == 1
    (row,) = [entry for _, entry in meter.ledger.after(0)]
    assert (row.error, row.cost) == ("ZeroDivisionError", None)


async def test_who_cannot_do_what_is_asked_stands_in_for_nobody(meter: Meter) -> None:
    quoting = ExtractiveModel()
    form = replace(REQUEST, response_schema={"type": "object"}, question="Who?", evidence=(Evidence("I do.", "a"),))
    primary = ScriptedChatModel(down(), name="openai/priced")
    with pytest.raises(ConnectionFailedError):
        await Router([primary, quoting], meter=meter, retry=QUICK).complete(form)
    third = ScriptedChatModel("{}", name="scripted/third")
    assert (await Router([primary, quoting, third], meter=meter, retry=QUICK).complete(form)).text == "{}"


async def test_what_is_set_aside_goes_by_what_is_known_of_ones_own_model(meter: Meter) -> None:
    seen: list[Call] = []

    class Watching:
        async def enter(self, call: Call) -> Leave:
            seen.append(call)
            return lambda outcome: None

    def make(name: object, options: object) -> ScriptedChatModel:
        return ScriptedChatModel("Yes.", name="myco/large")

    catalog = register_model("myco/large", make, facts=ModelFacts(max_output=77))
    watched = replace(meter, guards=(Watching(),))
    made = Router([catalog.chat_model("myco/large")], meter=watched, retry=QUICK, facts=catalog.facts)
    await made.complete(REQUEST)
    assert [call.output_tokens for call in seen] == [77]


class Breath(ScriptedChatModel):
    """Its stream begins with an empty piece and breaks off, the first time."""

    async def stream(self, request: ChatRequest) -> AsyncIterator[ChatEvent]:
        self.requests.append(request)
        yield TextDelta("")
        if len(self.requests) == 1:
            raise ConnectionFailedError("reset", model=self.name, reached=True)
        yield TextDelta("Hello.")
        yield Completed(ChatResponse("Hello.", self.name, Usage(1_000_000, 500_000)))


async def test_a_stream_that_said_nothing_yet_is_asked_again_and_not_gone_on_with(meter: Meter) -> None:
    model = Breath("x", name="openai/priced")
    text, response = await collect(Router([model], meter=meter, retry=QUICK).stream(REQUEST))
    assert (text, response.text) == ("Hello.", "Hello.")
    assert [request.messages for request in model.requests] == [REQUEST.messages] * 2
    assert [row.cost for _, row in meter.ledger.after(0)] == [None, Decimal(2)]
