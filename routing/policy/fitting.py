"""What a request needs, what a model is known to be, and why one does not fit the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from plumbline.text.language import detect_language, language_code
from plumbline.text.tokens import estimate_tokens
from routing.chat import ChatRequest, Wants
from routing.models.facts import UNKNOWN, ModelFacts

P50 = Callable[[str], float | None]
"""How many seconds a model took to its first word, in the middle of what was seen; `None`: nothing was seen."""

REALTIME_SECONDS = 0.1
INTERACTIVE_SECONDS = 1.0
MARGIN = 2
"""The estimate of a prompt's length is off by less: a prompt is too long for certain when half of it is."""

Kind = Literal["place", "ability", "length", "latency"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model: `leaves` says where it sends what it is asked, `None` when that stays on this machine or network."""

    name: str
    leaves: str | None = None
    facts: ModelFacts = UNKNOWN


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why a model is not asked: `kind` sorts the reasons, `says` goes on after the model's name."""

    kind: Kind
    says: str


class Needs:
    """What a request needs; what takes time to find out is found out when it is asked for, once."""

    def __init__(self, request: ChatRequest) -> None:
        self.request = request
        self.wants = request.wants

    @cached_property
    def tokens(self) -> int:
        """The estimated length of the prompt."""
        return sum(estimate_tokens(message.content) for message in self.request.messages)

    @cached_property
    def images(self) -> bool:
        """Whether there are pictures."""
        return any(message.images for message in self.request.messages)

    @cached_property
    def language(self) -> str | None:
        """The language that is wanted, else the one of the question, where it shows."""
        if self.wants.language is not None:
            return language_code(self.wants.language) or self.wants.language
        question = self.request.question
        if question is None:
            question = next((each.content for each in reversed(self.request.messages) if each.role == "user"), "")
        return detect_language(question)


def misfit(candidate: Candidate, needs: Needs, p50: P50) -> Misfit | None:
    """Why `candidate` cannot answer, or must not; what is unknown is no reason."""
    return (
        _misplaced(candidate, needs.wants)
        or _unable(candidate, needs)
        or _too_long(candidate, needs)
        or _too_slow(candidate, needs.wants, p50)
    )


def unsuited(candidate: Candidate, wants: Wants, p50: P50) -> Misfit | None:
    """Why `candidate` is not asked what is wanted so, whatever it would be asked."""
    return _misplaced(candidate, wants) or _too_slow(candidate, wants, p50)


def unseen(model: str) -> None:
    """Nothing was seen of any model."""
    del model


def _misplaced(candidate: Candidate, wants: Wants) -> Misfit | None:
    if not wants.local or candidate.leaves is None:
        return None
    return Misfit("place", f"nothing may leave the machine, and {candidate.leaves}")


def _unable(candidate: Candidate, needs: Needs) -> Misfit | None:
    facts, request = candidate.facts, needs.request
    if facts.images is False and needs.images:
        return Misfit("ability", "reads no images")
    if facts.tools is False and request.tools:
        return Misfit("ability", "calls no tools")
    if facts.schema is False and request.response_schema is not None:
        return Misfit("ability", "does not keep its answer to a schema")
    if request.options.logprobs is not None and facts.takes("logprobs", request.options.effort) is False:
        return Misfit("ability", "gives no log-probabilities")
    return None


def _too_long(candidate: Candidate, needs: Needs) -> Misfit | None:
    facts = candidate.facts
    room = min(filter(None, (facts.max_input, facts.context)), default=None)
    if room is None or needs.tokens <= MARGIN * room:
        return None
    return Misfit("length", f"reads {room:,} tokens, and the prompt has about {needs.tokens:,}")


def _too_slow(candidate: Candidate, wants: Wants, p50: P50) -> Misfit | None:
    wanted = wants.latency
    if wanted is None or wanted == "batch":
        return None
    limit = REALTIME_SECONDS if wanted == "realtime" else INTERACTIVE_SECONDS
    seen = p50(candidate.name)
    if seen is not None:
        return Misfit("latency", f"takes {seen:.2g} s, and {limit:g} s is wanted") if seen > limit else None
    if wanted == "realtime" and candidate.leaves is not None:
        return Misfit("latency", f"was not seen to answer in {limit:g} s, and {candidate.leaves}")
    return None
