"""What a system did with one example: its answer and hits, or the error."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from rag.types import Answer, Hit
from routing.chat import Usage


@dataclass(frozen=True, slots=True)
class Spent:
    """What calls to models took: tokens, and dollars (`None` when the price of any is unknown)."""

    usage: Usage
    cost: Decimal | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """`answer` is `None` when nothing was to be answered (retrieval alone) or when it failed; then `error` says why.

    `hits` are what was retrieved, best first, their texts perhaps left out; `seconds` is the wall time. `lost` is what
    was spent on a question that failed, where the ledger tells.
    """

    answer: Answer | None
    hits: tuple[Hit, ...] = ()
    error: str | None = None
    seconds: float = 0.0
    lost: Spent | None = None

    @property
    def failed(self) -> bool:
        """Whether there is nothing to judge."""
        return self.error is not None

    @property
    def spent(self) -> Spent | None:
        """What the question took, answered or not; `None` when nobody knows."""
        return self.lost if self.answer is None else Spent(self.answer.usage, self.answer.cost)
