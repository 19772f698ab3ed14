"""A simulated provider: a `ChatModel` that costs nothing, needs no network and says it is one in every trace.

It counts tokens with the tokenizer that ships with Plumbline, keeps the provider's rule for caching prompts on a
virtual clock, and takes as long as its profile says without anybody waiting. What it answers, `competence` decides.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from evals.cost.chance import chance
from evals.cost.competence import AnswerKey, say
from evals.cost.prefix import PrefixCache
from evals.cost.profiles import Profile
from plumbline.text.tokens import tokenizer
from plumbline.trace import annotate
from routing.chat import ChatEvent, ChatRequest, ChatResponse, Completed, FinishReason, TextDelta, Usage
from routing.errors import BadRequestError, DeadlineError, UnsupportedError

SIMULATED_SECONDS = "plumbline.simulated.seconds"
"""The attribute of a call's span that holds the time it would have taken; its own duration is the simulator's."""


@dataclass(slots=True)
class Clock:
    """A clock that whoever replays a workload sets: seconds since its start."""

    now: float = 0.0


class SimulatedModel:
    """A chat model under the real one's name. Equal questions get equal answers under one `seed`."""

    def __init__(self, profile: Profile, key: AnswerKey, clock: Clock, *, seed: int = 0) -> None:
        self._profile = profile
        self._key = key
        self._clock = clock
        self._seed = seed
        self._cache = PrefixCache(profile.prefix)
        self._tokens = tokenizer()

    @property
    def name(self) -> str:
        """The name of the model that is simulated, by which it is priced."""
        return self._profile.model

    async def complete(self, request: ChatRequest) -> ChatResponse:
        """Answer in one piece; raises `DeadlineError` when the real one would be too late."""
        await asyncio.sleep(0)
        if request.response_schema is not None or request.tools:
            raise BadRequestError("Simulated models answer in plain text only.", model=self.name)
        if request.options.logprobs is not None or any(message.images for message in request.messages):
            raise UnsupportedError("Simulated models look at no images and have no log-probabilities.", model=self.name)
        asked = request.question or request.messages[-1].content
        draw = chance(self._seed, self.name, asked)
        text, output, finish = self._answer(request, draw.normal(), say(request, self._key, self._profile, draw))
        seconds = self._seconds(output, chance(self._seed, self.name, asked, self._clock.now).normal())
        if request.deadline is not None and time.monotonic() + seconds >= request.deadline:
            raise DeadlineError(f"{self.name} would have needed {seconds:.1f} s.", model=self.name)
        usage = self._usage(request, output)
        annotate({SIMULATED_SECONDS: seconds})
        return ChatResponse(text, self.name, usage, finish)

    async def stream(self, request: ChatRequest) -> AsyncIterator[ChatEvent]:
        """The answer word by word, all at once."""
        response = await self.complete(request)
        for word in re.findall(r"\s*\S+\s*\Z|\s*\S+", response.text):
            yield TextDelta(word)
        yield Completed(response)

    async def close(self) -> None:
        """Nothing to give back."""

    def _answer(self, request: ChatRequest, deviation: float, text: str) -> tuple[str, int, FinishReason]:
        """The text, its tokens and why it stops: the drawn length, but never fewer tokens than are there."""
        drawn = round(self._profile.output_tokens * _spread(self._profile, deviation))
        output = max(drawn, self._tokens.count(text), 1)
        limit = request.options.max_tokens
        if limit is None or output <= limit:
            return text, output, "stop"
        while text and self._tokens.count(text) > limit:
            text = (
                text[: self._tokens.index(text).reach(0, limit)] if self._tokens.count(text) > limit + 8 else text[:-1]
            )
        return text, limit, "length"

    def _seconds(self, output: int, deviation: float) -> float:
        profile = self._profile
        return profile.first_token_seconds * _spread(profile, deviation) + output / profile.tokens_per_second

    def _usage(self, request: ChatRequest, output: int) -> Usage:
        system: list[int] = []
        rest: list[int] = []
        for message in request.messages:
            part = system if message.role == "system" else rest
            part += self._tokens.encode(f"<{message.role}>\n{message.content}\n")
        cached, written = self._cache.ask((system, rest), self._clock.now)
        return Usage(len(system) + len(rest), output, cached, written, estimated=True)


def _spread(profile: Profile, deviation: float) -> float:
    """A factor with median 1 and a lognormal distribution, at most three deviations away."""
    from math import exp

    return exp(profile.spread * max(-3.0, min(deviation, 3.0)))
