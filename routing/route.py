"""The way of one request through the models that may answer it: who is asked now, who next, and how long each has."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from plumbline.text.tokens import estimate_tokens
from routing.chat import ChatModel, ChatRequest, Usage
from routing.cost.prices import LOCAL_PROVIDERS
from routing.models.usage import estimate_prompt
from routing.resilience.fallback import Reason


def is_local(model: str) -> bool:
    """Whether the model, "provider/name", runs in this process."""
    return model.partition("/")[0] in LOCAL_PROVIDERS


@dataclass(frozen=True, slots=True)
class Turn:
    """A model that is asked now, and the moment of `time.monotonic()` by which its first word must be there, or its
    answer in one piece, so that whoever is asked after it has time, too. `used` is what was used by those of its
    requests that were answered.
    """

    model: ChatModel
    first_word_by: float | None = None
    used: list[Usage] = field(default_factory=list)

    @property
    def is_local(self) -> bool:
        """Whether it runs in this process."""
        return is_local(self.model.name)

    def given_up(self, request: ChatRequest, said: Sequence[str]) -> Usage:
        """What one of its requests that is cancelled after `said` used, at a guess: as much as one that is answered."""
        if self.used:
            return replace(self.used[-1], estimated=True)
        return Usage(estimate_prompt(request), estimate_tokens("".join(said)), estimated=True)


@dataclass(slots=True)
class Route:
    """Which model is asked now, and which may be asked after it."""

    current: str
    rest: list[str]
    by_reason: Mapping[Reason, Sequence[str]]
    asked: set[str] = field(default_factory=set)

    def goes_on(self, reason: Reason | None) -> bool:
        """Turn to the next model: of the reason's own chain, else of the rest; false when there is none.

        No model is asked twice.
        """
        if reason is None:
            return False
        self.asked.add(self.current)
        self.rest = self._next(reason)
        if not self.rest:
            return False
        self.current, *self.rest = self.rest
        return True

    def _next(self, reason: Reason) -> list[str]:
        asked = {*self.asked, self.current}
        own = [name for name in self.by_reason.get(reason, ()) if name not in asked]
        return own or [name for name in self.rest if name not in asked]

    def first_word_by(self, deadline: float | None) -> float | None:
        """When the model must have begun to answer: each that is asked because it is too slow has the same time.

        `None`: it may take all there is, as nobody else needs any; a last resort in this process may be late.
        """
        after = sum(not is_local(name) for name in self._next("too_slow"))
        if deadline is None or not after or is_local(self.current):
            return None
        now = time.monotonic()
        return now + (deadline - now) / (1 + after)

    def request(self, request: ChatRequest) -> ChatRequest:
        """A last resort in this process may answer late: late is better than not at all."""
        is_last_resort = bool(self.asked) and not self.rest and is_local(self.current)
        return replace(request, deadline=None) if is_last_resort else request
