"""What happens while a question is answered, as `RAG.stream` tells it.

In this order: `Started`, `Retrieved`, any number of `TextDelta` (none for a refusal without evidence), `Answered`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rag.types import Answer, Hit
from routing.chat import TextDelta


@dataclass(frozen=True, slots=True)
class Started:
    """The question is taken up; `trace_id` is where its trace will be found."""

    question: str
    trace_id: str


@dataclass(frozen=True, slots=True)
class Retrieved:
    """The evidence that the model gets, best first."""

    hits: tuple[Hit, ...]


@dataclass(frozen=True, slots=True)
class Answered:
    """The whole answer, checked. Its text replaces the pieces: another model may have had to begin anew."""

    answer: Answer


AnswerEvent = Started | Retrieved | TextDelta | Answered
Emit = Callable[[AnswerEvent], None]

__all__ = ["AnswerEvent", "Answered", "Emit", "Retrieved", "Started", "TextDelta"]
