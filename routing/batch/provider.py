"""The contract of a provider's interface for batches."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from routing.errors import ModelError

MOST_BYTES = 100_000_000
"""Of one batch, at half of what providers take or less: a batch is held in memory when it is sent."""
SKEW_SECONDS = 86_400.0
"""So much may a provider's clock and ours differ: a batch that is not looked for is sent twice."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one batch may hold; `inputs` counts the texts of embeddings, `None`: as many as there are requests."""

    requests: int
    inputs: int | None = None
    bytes: int = MOST_BYTES


@dataclass(frozen=True, slots=True)
class Line:
    """One request of a batch: `path` is below the server's address, `id` comes back with its result."""

    id: str
    path: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Search:
    """What is known of a batch that may have arrived: its `id`; without one, whether that is `certain`."""

    id: str | None
    certain: bool = True


@dataclass(frozen=True, slots=True)
class Standing:
    """How a batch stands: `problem` says why it, as a whole, was refused; it is `cancelled` when that was asked for."""

    ended: bool
    done: int = 0
    failed: int = 0
    expired: bool = False
    cancelled: bool = False
    problem: ModelError | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one request: an answer has a `status` of HTTP and a `document`, parsed JSON."""

    id: str
    kind: Literal["answered", "expired", "cancelled"]
    status: int = 200
    document: Any = None


class Batches(Protocol):
    """Where batches are sent. All methods raise `ModelError`."""

    @property
    def limits(self) -> Limits:
        """What one batch may hold."""
        ...

    async def send(self, lines: Sequence[Line], mark: str) -> str:
        """Send a batch of requests to one path; its id. A `TransientError` leaves open whether it has arrived.

        All ids of `lines` begin with `mark` and a dash.
        """
        ...

    async def find(self, mark: str, requests: int, since: float, known: Collection[str]) -> Search:
        """The batch that was sent under `mark`, with so many requests and not before `since` (seconds since 1970).

        It is none of `known`, batches sent under other marks.
        """
        ...

    async def look(self, batch: str) -> Standing:
        """How a batch stands."""
        ...

    def results(self, batch: str) -> AsyncIterator[Result]:
        """What became of the requests of a batch that has ended, in any order; some may be missing."""
        ...

    async def cancel(self, batch: str) -> None:
        """Have no more of a batch answered; what is answered by then is answered, and paid for."""
        ...
