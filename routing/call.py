"""The contracts of what stands between a caller and a model: what a call is, who guards it, who pays for it.

Every call (chat, embedding, reranking) goes the same way, each try of it on its own: the budget reserves the most that
it may cost, each guard lets it in or refuses, the model answers, the guards hear how it went, and the ledger gets its
row together with what the budget really spent.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, Protocol, runtime_checkable

from routing.chat import Tags, Tier, Usage

MARKS = 8
"""Tokens that an interface may put around a text."""

Kind = Literal["chat", "embedding", "rerank"]


@dataclass(frozen=True, slots=True)
class Most:
    """What a call may use at most; `output_tokens` is `None` where nobody knows."""

    input_tokens: int = 0
    output_tokens: int | None = 0
    searches: int = 0
    images: int = 0


@dataclass(frozen=True, slots=True)
class Call:
    """One try at one model, before it is made.

    `input_tokens` and `output_tokens` are the most it may use, where that is known, and `bound` is the most dollars it
    may cost, `None` where that is unknown. `deadline` is a moment of `time.monotonic()`.
    """

    kind: Kind
    model: str
    tags: Tags = Tags()
    input_tokens: int = 0
    output_tokens: int = 0
    bound: Decimal | None = None
    deadline: float | None = None
    tier: Tier = "standard"

    @property
    def provider(self) -> str:
        """The part of the model's name before the slash."""
        return self.model.partition("/")[0]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a try ended: `error` is what it raised, a cancellation too; `cost` is `None` where it is unknown.

    `made` is false when another guard, or a budget, refused it.
    """

    usage: Usage
    cost: Decimal | None
    seconds: float
    error: BaseException | None = None
    made: bool = True


NOT_MADE = Outcome(Usage(), Decimal(0), 0.0, made=False)

Leave = Callable[[Outcome], None]
"""What a guard is told when the try it let in has ended, once, whatever happened. Must not raise, nor wait."""


@runtime_checkable
class Listening(Protocol):
    """A `Leave` that also wants to know when the first word of a stream is there, before the call ends."""

    def __call__(self, outcome: Outcome) -> None:
        """The try has ended."""
        ...

    def spoke(self) -> None:
        """It is. Must not raise, nor wait."""
        ...


class Guard(Protocol):
    """Lets calls in: circuit breaker, limits."""

    async def enter(self, call: Call) -> Leave:
        """Wait until the call may go out; raises an `UnavailableError` when it may not, or not in its time."""
        ...


Write = Callable[[sqlite3.Connection], None]
"""Something to be written in the same transaction as the ledger's row."""


class Reservation(Protocol):
    """Money set aside for one try."""

    def settle(self, cost: Decimal | None) -> Write | None:
        """Count what it cost instead; `None` (unknown) counts the whole bound. Returns what is still to be written."""
        ...


class Budgets(Protocol):
    """Sets money aside before it is spent."""

    async def reserve(self, call: Call) -> Reservation | None:
        """Set `call.bound` aside in every budget that the call falls under, or raise `BudgetError`; `None`: in none.

        All or none, and as one step for all processes: what is spent and reserved never exceeds a limit, and no call
        is refused that would fit.
        """
        ...


@runtime_checkable
class KeepingBudgets(Budgets, Protocol):
    """Budgets whose reservations can be settled by another process, hours later: what batches need."""

    def keep(self, reservation: Reservation) -> str | None:
        """A reservation in words, to be kept; `None` for one that holds nothing."""
        ...

    def kept(self, words: str) -> Reservation | None:
        """The reservation again; `None` when others made it than these budgets."""
        ...


def most_tokens(texts: Iterable[str]) -> int:
    """More tokens than any tokenizer makes of these texts, with the marks around each: one for every byte of UTF-8."""
    return sum(len(text.encode(errors="replace")) + MARKS for text in texts)
