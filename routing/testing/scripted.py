"""A scripted chat model for tests: it answers what it is told, remembers what it was asked, and needs no network."""

from __future__ import annotations

import asyncio
import hashlib
import math
import re
import time
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from plumbline.text.tokens import estimate_tokens
from routing.chat import ChatEvent, ChatRequest, ChatResponse, Completed, TextDelta, TokenLogprob, Usage
from routing.errors import ConnectionFailedError, DeadlineError, ModelError, UnsupportedError
from routing.models.usage import estimate_prompt

Ability = Literal["images", "tools", "schema", "logprobs", "priority", "flex"]
"""What a model may be said not to do."""


@dataclass(frozen=True, slots=True)
class BreaksOff:
    """A reply whose stream gives `after` pieces of `text` and then raises `error`; asked in one piece, it raises it."""

    text: str
    after: int = 1
    error: ModelError | None = None


@dataclass(frozen=True, slots=True)
class OneOf:
    """A reply that is one of `texts`: the same for the same seed of a request, and any for a request without one."""

    texts: tuple[str, ...]


Reply = str | ChatResponse | ModelError | BreaksOff | OneOf | Callable[[ChatRequest], str]
"""What a scripted model does with one request: answers with a text or a response, raises, or asks a function."""


class ScriptedChatModel:
    """The chat model "scripted/…": gives `replies` in order, the last one again and again.

    A text is answered with estimated usage, at the tier that was asked for, and with made-up log-probabilities where
    they are asked for. What is in `lacks` is refused with `UnsupportedError`, without taking a reply. `delay` is the
    seconds until the answer begins, `pause` those before every piece of a stream but the first; a request's deadline is
    kept. `seed` starts what is random. `requests` has all that was asked.
    """

    def __init__(
        self,
        *replies: Reply,
        name: str = "scripted/chat",
        delay: float = 0.0,
        pause: float = 0.0,
        lacks: Iterable[Ability] = (),
        seed: int = 0,
    ) -> None:
        if not replies:
            raise ValueError("a scripted model needs at least one reply")
        self.name = name
        self.requests: list[ChatRequest] = []
        self.closed = False
        self._replies = list(replies)
        self._delay = delay
        self._pause = pause
        self._lacks = frozenset(lacks)
        self._seed = seed
        self._drawn = 0

    async def complete(self, request: ChatRequest) -> ChatResponse:
        """The next reply; raises it if it is a `ModelError`."""
        reply = await self._next(request)
        if isinstance(reply, BreaksOff):
            raise self._broken_off(reply)
        return self._response(reply, request)

    async def stream(self, request: ChatRequest) -> AsyncIterator[ChatEvent]:
        """The next reply, word by word."""
        reply = await self._next(request)
        if isinstance(reply, BreaksOff):
            async for event in self._spoken(pieces_of(reply.text)[: reply.after], request):
                yield event
            raise self._broken_off(reply)
        response = self._response(reply, request)
        async for event in self._spoken(pieces_of(response.text), request):
            yield event
        yield Completed(response)

    async def close(self) -> None:
        """Sets `closed`."""
        self.closed = True

    async def _spoken(self, pieces: Iterable[str], request: ChatRequest) -> AsyncIterator[TextDelta]:
        for place, piece in enumerate(pieces):
            await self._wait(self._pause if place else 0.0, request)
            yield TextDelta(piece)

    async def _next(self, request: ChatRequest) -> Reply:
        self.requests.append(request)
        self._check(request)
        reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        await self._wait(self._delay, request)
        if isinstance(reply, ModelError):
            raise reply
        return reply

    def _check(self, request: ChatRequest) -> None:
        asked: dict[Ability, bool] = {
            "images": any(message.images for message in request.messages),
            "tools": bool(request.tools),
            "schema": request.response_schema is not None,
            "logprobs": request.options.logprobs is not None,
            "priority": request.options.tier == "priority",
            "flex": request.options.tier == "flex",
        }
        for ability in sorted(self._lacks):
            if asked[ability]:
                raise UnsupportedError(f"{self.name} is scripted to know nothing of {ability}.", model=self.name)

    def _response(self, reply: Reply, request: ChatRequest) -> ChatResponse:
        if isinstance(reply, ChatResponse):
            return reply
        text = self._text(reply, request)
        wanted = request.options.logprobs
        return ChatResponse(
            text=text,
            model=self.name,
            usage=Usage(estimate_prompt(request), estimate_tokens(text), estimated=True),
            tier=request.options.tier,
            logprobs=() if wanted is None else tuple(_weighed(piece, wanted) for piece in pieces_of(text)),
        )

    def _text(self, reply: Reply, request: ChatRequest) -> str:
        if isinstance(reply, OneOf):
            seed = request.options.seed
            self._drawn += seed is None
            lot = f"{self._seed}, {self._drawn}" if seed is None else str(seed)
            digest = hashlib.blake2b(lot.encode(), digest_size=8).digest()
            return reply.texts[int.from_bytes(digest, "big") % len(reply.texts)]
        if isinstance(reply, str):
            return reply
        assert callable(reply), f"there is no reply {reply!r}"
        return reply(request)

    def _broken_off(self, reply: BreaksOff) -> ModelError:
        return reply.error or ConnectionFailedError(f"{self.name} is scripted to break off here.", model=self.name)

    async def _wait(self, seconds: float, request: ChatRequest) -> None:
        remaining = math.inf if request.deadline is None else request.deadline - time.monotonic()
        await asyncio.sleep(max(min(seconds, remaining), 0.0))
        if remaining <= seconds:
            raise DeadlineError(f"{self.name} had not answered when the time allowed was over.", model=self.name)


def pieces_of(text: str) -> list[str]:
    """`text` word by word, each with the space before it, the last also with that after it."""
    return re.findall(r"\s*\S+\s*$|\s*\S+", text)


def _weighed(piece: str, others: int) -> TokenLogprob:
    """The longer a word the less likely, and the others less likely still."""
    logprob = -len(piece) / 10
    return TokenLogprob(piece, logprob, tuple((f"{piece}{rank}", logprob - rank) for rank in range(1, others + 1)))
