"""What may come of a fault, by the words of the matrix, and what that means for tries, rows and the text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from routing.errors import (
    AuthenticationError,
    BadRequestError,
    ConnectionFailedError,
    ContentFilterError,
    ContextLengthError,
    DeadlineError,
    InvalidResponseError,
    ModelError,
    ModelNotFoundError,
    OverloadedError,
    RateLimitError,
    TransientError,
)

Cost = Literal["nothing", "unknown", "known"]
TRIES = 3


@dataclass(frozen=True, slots=True)
class Outcome:
    """`error` is what the model ends with (`None`: it answers), which is tried so many times and has this cost.

    `falls_back` says whether the next model is asked. `text` is how the text reads when it is not what was scripted.
    `breaks` says that the breaker counts it as a failure of the model, `limited` that it does for a probe only.
    """

    error: type[ModelError] | None = None
    tries: int = 1
    falls_back: bool = True
    cost: Cost = "nothing"
    text: Literal["usual", "twice", "swapped"] = "usual"
    breaks: bool = False
    limited: bool = False

    @property
    def may_pass(self) -> bool:
        """Whether an answer that has begun is gone on with."""
        return self.error is not None and issubclass(self.error, TransientError | InvalidResponseError)


OUTCOMES: Mapping[str, Outcome] = {
    "fine": Outcome(),
    "twice": Outcome(text="twice"),
    "swapped": Outcome(text="swapped"),
    "unreached": Outcome(ConnectionFailedError, TRIES, breaks=True),
    "lost": Outcome(ConnectionFailedError, TRIES, cost="unknown", breaks=True),
    "counted": Outcome(ConnectionFailedError, TRIES, cost="known", breaks=True),
    "late": Outcome(DeadlineError, TRIES, cost="unknown", breaks=True),
    "busy": Outcome(OverloadedError, TRIES, breaks=True),
    "limited": Outcome(RateLimitError, TRIES, limited=True),
    "put_off": Outcome(RateLimitError, limited=True),
    "no_credit": Outcome(RateLimitError, breaks=True),
    "no_key": Outcome(AuthenticationError, falls_back=False),
    "bad": Outcome(BadRequestError, falls_back=False),
    "no_model": Outcome(ModelNotFoundError, falls_back=False),
    "too_long": Outcome(ContextLengthError),
    "filtered": Outcome(ContentFilterError),
    "empty": Outcome(InvalidResponseError, 2, cost="known", breaks=True),
    "unread": Outcome(InvalidResponseError, 2, cost="unknown", breaks=True),
}
