"""What is done with a question before it is searched for: the switches of `retrieval.question`.

A conversation's question is made to stand alone; a made-up answer, other wordings and the questions it is made of are
searched for beside it; and what it says about its documents limits the search (`rag.retrieve.question_filters`). What
a model was to do and could not do, or may not for what the request wants, is left out, and the plan says so: the plain
question is always searched for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from plumbline.errors import ConfigError
from rag.index.filters import Filter
from rag.retrieve.plan import Asked, PlainPlanner, Planner, QueryPlan
from rag.retrieve.question_figures import WEIGHT, asks_for_figures
from rag.retrieve.question_filters_names import DocumentNames
from rag.retrieve.question_filters_plan import limits
from rag.retrieve.settings import QuestionSettings
from rag.retrieve.transform_ask import Asker
from routing.chat import NO_WISH, Message, Tags, Wants
from routing.errors import BadRequestError, BudgetError, ContentFilterError, InvalidResponseError, TransientError
from routing.policy.step import Step
from routing.router import Router

EXTRACTIVE = "extractive/"
SECONDS = 30.0
"""What one call to the model may take."""

_ASKING = ("rewrite", "hyde", "variants", "decompose")
_PASSING = (TransientError, BudgetError, InvalidResponseError, ContentFilterError, BadRequestError)
"""What keeps a model from one question, and not from every one, as a wrong key does."""
_Made = TypeVar("_Made")


def build_planner(
    settings: QuestionSettings,
    *,
    writer: Step,
    make_router: Callable[[], Router],
    names: DocumentNames,
    seconds: float = SECONDS,
) -> Planner:
    """The planner that the settings ask for; `writer` writes through the router, which is made when it is needed.

    Give a router without a fallback to a model that only quotes. Raises `ConfigError` when a switch needs a model that
    writes and the writer only quotes.
    """
    asks = [name for name in _ASKING if getattr(settings, name)]
    if asks and writer.name.startswith(EXTRACTIVE):
        raise ConfigError(
            f"retrieval.question.{asks[0]} needs a language model; '{writer.name}' only quotes.",
            key=writer.setting,
            value=writer.name,
            hint=f"Name one, e.g. openai/…, anthropic/… or vllm/…, or switch retrieval.question.{asks[0]} off.",
        )
    if not asks and not settings.filters and not settings.figures:
        return PlainPlanner()
    return QuestionPlanner(settings, Asker(make_router, seconds), names, writer)


@dataclass(frozen=True, slots=True)
class QuestionPlanner:
    """Plans as `settings` say; see `rag.retrieve.plan.Planner`.

    Raises `MissingKeyError` and its like when the model cannot be made or refuses the request as such, and
    `StateError` when the names of the documents cannot be read.
    """

    settings: QuestionSettings
    asker: Asker
    names: DocumentNames
    writer: Step

    async def plan(
        self,
        question: str,
        history: Sequence[Message] = (),
        condition: Filter | None = None,
        tags: Tags = Tags(),
        wants: Wants = NO_WISH,
    ) -> QueryPlan:
        """The plan; the switches that ask a model do so at the same time, after rewriting."""
        settings, withheld = self._allowed(wants, history)
        asker = replace(self.asker, wants=replace(wants, model=None))  # which names who answers, and not who writes
        notes = list(withheld)
        if settings.rewrite and history:
            question = await _standalone(asker, question, history, tags, notes)
        searches = [Asked(question), *await _beside(asker, settings, question, tags, notes)]
        narrow = None
        if self.settings.filters:
            drawn = limits(question, self.names, condition)
            narrow = drawn.narrow
            searches.extend(drawn.searches)
            notes.extend(drawn.notes)
        figures = WEIGHT if self.settings.figures and asks_for_figures(question) else 0.0
        if figures:
            notes.append("The question asks for figures: passages full of them count for more.")
        return QueryPlan(question, tuple(searches), condition, narrow, tuple(notes), figures, withheld)

    def _allowed(self, wants: Wants, history: Sequence[Message]) -> tuple[QuestionSettings, tuple[str, ...]]:
        """The settings with the switches that a request wants left on, and what is said of the others."""
        asks = [name for name in _ASKING if getattr(self.settings, name) and (history or name != "rewrite")]
        why_not = self.writer.why_not(wants) if asks else None
        if why_not is None:
            return self.settings, ()
        off = {name: type(getattr(self.settings, name))() for name in asks}
        return self.settings.model_copy(update=off), tuple(
            f"retrieval.question.{name} was left out ({why_not})." for name in asks
        )


async def _standalone(asker: Asker, question: str, history: Sequence[Message], tags: Tags, notes: list[str]) -> str:
    made = await _tried("rewrite", asker.standalone(question, history, tags), notes)
    if made is None or made == question:
        return question
    notes.append(f"Understood from the conversation as: {made}")
    return made


async def _beside(asker: Asker, settings: QuestionSettings, question: str, tags: Tags, notes: list[str]) -> list[Asked]:
    """What is searched for beside the question itself."""
    passage, variants, parts = await asyncio.gather(
        _tried("hyde", asker.passage(question, tags), notes) if settings.hyde else _nothing(),
        _tried("variants", asker.variants(question, settings.variants, tags), notes)
        if settings.variants
        else _nothing(),
        _tried("decompose", asker.parts(question, settings.decompose, tags), notes)
        if settings.decompose
        else _nothing(),
    )
    if passage:
        notes.append("Searched for a made-up answer too.")
    for what, made in (("Worded too as", variants), ("Taken apart into", parts)):
        if made:
            notes.append(f"{what}: {' | '.join(made)}")
    beside = [Asked(question, passage)] if passage else []
    return [*beside, *map(Asked, variants or ()), *map(Asked, parts or ())]


async def _nothing() -> None:
    return None


async def _tried(switch: str, call: Awaitable[_Made], notes: list[str]) -> _Made | None:
    """What the call gives, or `None` and a note when the model could not do it this time."""
    try:
        return await call
    except _PASSING as error:
        notes.append(f"retrieval.question.{switch} was left out: {error.message}")
        return None
