"""The conformance suite of chat models: prove an adapter of your own with `await check_chat_model(adapter)` in a test.

Every check is a coroutine of its own, so that a test can also run them one by one (`CHECKS`). Together they call the
model about twenty times with a short question. What not every model does (images, log-probabilities) may also be
refused. `check_failure` proves how an adapter fails.
"""

from __future__ import annotations

import asyncio
import struct
import time
import zlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import aclosing
from dataclasses import replace
from typing import get_args

from routing.chat import (
    ChatEvent,
    ChatModel,
    ChatOptions,
    ChatRequest,
    ChatResponse,
    Completed,
    Evidence,
    Image,
    Message,
    TextDelta,
    Tier,
)
from routing.errors import BadRequestError, DeadlineError, ModelError, UnsupportedError

_PASSAGE = "Refunds. The refund window closes thirty days after delivery. Shipping costs are not refunded."
_QUESTION = "When does the refund window close?"
REQUEST = ChatRequest(
    messages=(
        Message("system", "Answer from the context only, in one sentence."),
        Message("user", f"Context: {_PASSAGE}\n\nQuestion: {_QUESTION}"),
    ),
    options=ChatOptions(temperature=0.0, max_tokens=2048),
    question=_QUESTION,
    evidence=(Evidence(_PASSAGE, "terms.txt"),),
)
"""What the checks ask: as messages and as data, so that every kind of model can answer."""

_PATIENCE = 10.0  # seconds that a model may take to notice that it has no time


async def check_chat_model(model: ChatModel, *, local: bool = False) -> None:
    """Run all `CHECKS`; raises `AssertionError` saying which promise of `routing.chat.ChatModel` is broken.

    `local` is for models that answer at once inside this process: they may ignore a deadline, use no tokens, and read
    nothing but text.
    """
    for check in CHECKS:
        if not (local and check in (check_deadline, check_usage, check_images, check_logprobs)):
            await check(model)


async def check_description(model: ChatModel) -> None:
    """`name` is "provider/name"."""
    provider, _, name = model.name.partition("/")
    assert all((provider, name)), f"name must be of the form 'provider/name'; it is {model.name!r}"


async def check_complete(model: ChatModel) -> None:
    """`complete` answers with text, says why it stopped, and names the model."""
    _check_response(model, await model.complete(REQUEST))


async def check_stream(model: ChatModel) -> None:
    """`stream` gives deltas and one `Completed`, the last event, whose text is the deltas joined."""
    events = [event async for event in model.stream(REQUEST)]
    assert events, "the stream has no events"
    last = events[-1]
    assert isinstance(last, Completed), f"the last event must be Completed; it is {type(last).__name__}"
    deltas = [event.text for event in events[:-1] if isinstance(event, TextDelta)]
    assert len(deltas) == len(events) - 1, "there must be one Completed, after all the deltas"
    joined = "".join(deltas)
    assert joined == last.response.text, f"the deltas say {joined!r}, the response {last.response.text!r}"
    _check_response(model, last.response)


async def check_usage(model: ChatModel) -> None:
    """Tokens in and out are counted, in both ways of asking, and the cached ones are part of the input."""
    streamed = [event async for event in model.stream(REQUEST)][-1]
    assert isinstance(streamed, Completed)
    for how, response in (("complete", await model.complete(REQUEST)), ("stream", streamed.response)):
        usage = response.usage
        assert usage.input_tokens > 0, f"{how}: usage.input_tokens must count the prompt; it is {usage.input_tokens}"
        assert usage.output_tokens > 0, f"{how}: usage.output_tokens must count the answer"


async def check_images(model: ChatModel) -> None:
    """A user's turn with an image is answered, or refused with `UnsupportedError` (or as a bad request)."""
    system, asked = REQUEST.messages
    seen = replace(asked, images=(Image(_picture(), detail="low"),))
    for response in await _answers_or_refusals(model, replace(REQUEST, messages=(system, seen)), "an image"):
        _check_response(model, response)


async def check_logprobs(model: ChatModel) -> None:
    """Log-probabilities are there in both ways of asking, or refused with `UnsupportedError` (or as a bad request)."""
    wanted = 2
    request = replace(REQUEST, options=replace(REQUEST.options, logprobs=wanted))
    for response in await _answers_or_refusals(model, request, "log-probabilities"):
        _check_response(model, response)
        assert response.logprobs, "log-probabilities were asked for, and the response has none"
        for token in response.logprobs:
            likely = (token.logprob, *(logprob for _, logprob in token.others))
            assert max(likely) <= 0, f"the logarithm of a probability is at most 0: {token}"
            assert len(token.others) <= wanted, f"{wanted} other tokens were asked for: {token}"


async def check_concurrent(model: ChatModel) -> None:
    """Calls made at the same time do not disturb each other."""
    for response in await asyncio.gather(*(model.complete(REQUEST) for _ in range(4))):
        _check_response(model, response)


async def check_abandoned_stream(model: ChatModel) -> None:
    """A stream that is left after its first event, or whose reader is cancelled then, leaves no task behind."""
    before = asyncio.all_tasks()
    async with aclosing(_generator(model)) as events:
        await anext(events)
    reader = asyncio.create_task(_read_slowly(model, begun := asyncio.Event()))
    await begun.wait()
    reader.cancel()
    await asyncio.gather(reader, return_exceptions=True)
    await _check_no_tasks_since(before)
    _check_response(model, await model.complete(REQUEST))


async def check_cancelled_call(model: ChatModel) -> None:
    """A call that is cancelled while the model works on it ends as cancelled, and leaves no task behind."""
    before = asyncio.all_tasks()
    for how, call in _both(model):
        task = asyncio.create_task(call(REQUEST))
        await asyncio.sleep(0)
        already = not task.cancel()
        (outcome,) = await asyncio.gather(task, return_exceptions=True)
        assert already or isinstance(outcome, asyncio.CancelledError), (
            f"a cancelled {how} must end as cancelled, not in {outcome!r}"
        )
    await _check_no_tasks_since(before)


async def check_deadline(model: ChatModel) -> None:
    """With a deadline in the past, both ways of asking raise `DeadlineError` at once."""
    await check_failure(model, DeadlineError, replace(REQUEST, deadline=time.monotonic() - 1))


async def check_failure(model: ChatModel, expected: type[ModelError], request: ChatRequest = REQUEST) -> ModelError:
    """Both ways of asking raise `expected`, which says what happened and at which model; returns the stream's error."""
    failures: list[ModelError] = []
    for how, call in _both(model):
        async with asyncio.timeout(_PATIENCE):
            (raised,) = await asyncio.gather(call(request), return_exceptions=True)
        assert isinstance(raised, expected), f"{how} must raise {expected.__name__}; it gave {raised!r}"
        assert raised.message.strip(), f"{how}: the error says nothing"
        assert raised.model == model.name, f"{how}: the error is of {raised.model!r}, not of {model.name!r}"
        failures.append(raised)
    return failures[-1]


Call = Callable[[ChatRequest], Coroutine[None, None, object]]
Check = Callable[[ChatModel], Awaitable[None]]
CHECKS: tuple[Check, ...] = (
    check_description,
    check_complete,
    check_stream,
    check_usage,
    check_images,
    check_logprobs,
    check_concurrent,
    check_abandoned_stream,
    check_cancelled_call,
    check_deadline,
)
"""Every check, in the order in which `check_chat_model` runs them."""


def _check_response(model: ChatModel, response: ChatResponse) -> None:
    provider, _, name = response.model.partition("/")
    expected = model.name.partition("/")[0]
    assert (provider, bool(name)) == (expected, True), (
        f"response.model must be of the form '{expected}/name'; it is {response.model!r}"
    )
    assert response.text.strip(), "the answer has no text"
    usage = response.usage
    counts = (usage.input_tokens, usage.output_tokens, usage.cached_input_tokens, usage.cache_write_tokens)
    assert min(counts) >= 0, f"counts of tokens must not be negative: {usage}"
    assert usage.cached_input_tokens + usage.cache_write_tokens <= usage.input_tokens, (
        f"input_tokens must count the whole prompt, what was cached included: {usage}"
    )
    assert usage.cache_write_1h_tokens <= usage.cache_write_tokens, f"what is written for an hour is a part: {usage}"
    assert usage.reasoning_tokens <= usage.output_tokens, f"output_tokens must count what was thought, too: {usage}"
    assert response.tier in get_args(Tier), f"there is no tier {response.tier!r}"
    assert response.finish_reason in ("stop", "length", "refusal"), (
        f"the reason to stop is {response.finish_reason!r} for a plain answer"
    )


async def _answers_or_refusals(model: ChatModel, request: ChatRequest, what: str) -> list[ChatResponse]:
    """The responses of both ways of asking; none when both refuse."""
    streamed: list[ChatEvent] = []

    async def stream() -> ChatResponse:
        streamed.extend([event async for event in model.stream(request)])
        assert isinstance(streamed[-1], Completed), "the last event must be Completed"
        return streamed[-1].response

    outcomes = await asyncio.gather(model.complete(request), stream(), return_exceptions=True)
    responses = [outcome for outcome in outcomes if isinstance(outcome, ChatResponse)]
    for outcome in outcomes:
        assert isinstance(outcome, ChatResponse | UnsupportedError | BadRequestError), (
            f"{what}: the model must answer, or raise UnsupportedError; it gave {outcome!r}"
        )
    assert len(responses) in (0, 2), f"{what}: the model refuses in one way of asking only: {outcomes}"
    return responses


def _picture() -> bytes:
    """A white square of 32 by 32 pixels (PNG, ISO/IEC 15948)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 32, 32, 8, 0, 0, 0, 0)
    rows = (b"\x00" + b"\xff" * 32) * 32
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


async def _generator(model: ChatModel) -> AsyncGenerator[ChatEvent, None]:
    stream = model.stream(REQUEST)
    try:
        async for event in stream:
            yield event
    finally:
        if isinstance(stream, AsyncGenerator):
            await stream.aclose()


async def _read_slowly(model: ChatModel, begun: asyncio.Event) -> None:
    async for _ in model.stream(REQUEST):
        begun.set()
        await asyncio.Event().wait()


def _both(model: ChatModel) -> list[tuple[str, Call]]:
    async def complete(request: ChatRequest) -> object:
        return await model.complete(request)

    async def stream(request: ChatRequest) -> object:
        return [event async for event in model.stream(request)]

    return [("complete", complete), ("stream", stream)]


async def _check_no_tasks_since(before: set[asyncio.Task[object]]) -> None:
    await asyncio.sleep(0.01)
    left = {task for task in asyncio.all_tasks() - before if not task.done()}
    assert not left, f"the model left tasks behind: {left}"
