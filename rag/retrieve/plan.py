"""What a question asks of the index: the contract between `rag.retrieve.transform`, which makes it, and the search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from rag.index.filters import And, Filter
from routing.chat import NO_WISH, Message, Tags, Wants


@dataclass(frozen=True, slots=True)
class Asked:
    """One search: `text` is what the lexical side reads and, unless there is a `passage`, what is embedded as a query.

    A `passage` is embedded as a passage instead (HyDE). `condition` was drawn from the question and limits this search
    alone, beside the plan's. With several searches, `weight` is how much this one's ranking counts in the joined one.
    """

    text: str
    passage: str | None = None
    weight: float = 1.0
    condition: Filter | None = None


@dataclass(frozen=True, slots=True)
class QueryPlan:
    """What is searched for `question`, which stands alone: one or more `searches`, whose rankings are joined.

    `condition` always holds: it is the caller's. `narrow` was drawn from the question: what satisfies it comes first,
    and only where that is too little follows what `widened` finds. `notes` say in words what was done and what could
    not be done, those of `withheld` what was left out because of what the request wants. `figures` is how much more
    passages full of figures count (`rag.retrieve.question_figures.prefer_figures`); 0: no more than others.
    """

    question: str
    searches: tuple[Asked, ...]
    condition: Filter | None = None
    narrow: Filter | None = None
    notes: tuple[str, ...] = ()
    figures: float = 0.0
    withheld: tuple[str, ...] = ()

    def filter(self, asked: Asked) -> Filter | None:
        """What `asked` is searched with."""
        return both(both(self.condition, asked.condition), self.narrow)

    def widened(self) -> QueryPlan:
        """The plan without what was drawn from the question, neither for all searches nor for one."""
        everywhere = tuple(each for each in self.searches if each.condition is None)
        return replace(self, searches=everywhere, narrow=None)


class Planner(Protocol):
    """Turns a question into a plan."""

    async def plan(
        self,
        question: str,
        history: Sequence[Message] = (),
        condition: Filter | None = None,
        tags: Tags = Tags(),
        wants: Wants = NO_WISH,
    ) -> QueryPlan:
        """The plan for `question`, the next turn of the conversation `history`, within the caller's `condition`.

        What a model was to do and could not is left out and noted, and so is what `wants` forbids. Raises nothing of
        its own.
        """
        ...


class PlainPlanner:
    """Searches for the question as it is."""

    async def plan(
        self,
        question: str,
        history: Sequence[Message] = (),
        condition: Filter | None = None,
        tags: Tags = Tags(),
        wants: Wants = NO_WISH,
    ) -> QueryPlan:
        """One search for the question itself; `history`, `tags` and `wants` make no difference."""
        return QueryPlan(question, (Asked(question),), condition)


def both(first: Filter | None, second: Filter | None) -> Filter | None:
    """The filter that holds where both hold; `None` holds everywhere."""
    if first is None or second is None:
        return second if first is None else first
    return And((first, second))
