"""What a system did with one example: its answer and hits, or the error."""

from __future__ import annotations

from dataclasses import dataclass

from rag.types import Answer, Hit


@dataclass(frozen=True, slots=True)
class Outcome:
    """`answer` is `None` when nothing was to be answered (retrieval alone) or when it failed; then `error` says why.

    `hits` are what was retrieved, best first, their texts perhaps left out; `seconds` is the wall time.
    """

    answer: Answer | None
    hits: tuple[Hit, ...] = ()
    error: str | None = None
    seconds: float = 0.0

    @property
    def failed(self) -> bool:
        """Whether there is nothing to judge."""
        return self.error is not None
