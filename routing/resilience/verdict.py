"""What the end of a call says about the model and its provider: that they work, that they do not, or nothing."""

from __future__ import annotations

from typing import Literal

from routing.call import Outcome
from routing.errors import (
    BudgetError,
    ConnectionFailedError,
    DeadlineError,
    InvalidResponseError,
    MissingKeyError,
    ModelError,
    OverloadedError,
    RateLimitError,
    SchemaError,
    UnavailableError,
    UnknownModelError,
    UnsupportedError,
)

Verdict = Literal["works", "fails", "limited", "nothing"]

_NO_CREDIT = 402
NOT_SENT = (UnavailableError, BudgetError, UnsupportedError, MissingKeyError, UnknownModelError)
"""What is raised before anything has gone out."""


def verdict(outcome: Outcome, fair_seconds: float) -> Verdict:
    """What a try says about the model that was asked.

    - "works": it answered, be it that the request, the key or the content was refused
    - "fails": the connection failed or broke, an error of the server, an answer that cannot be read, no credit; no
      answer in time, if it had `fair_seconds` or gave up itself
    - "limited": it answers that there are too many requests
    - "nothing": not made, cancelled, too little time, or our own program failed
    """
    error = outcome.error
    if error is None:
        return "works" if outcome.made else "nothing"
    if isinstance(error, NOT_SENT):
        return "nothing"
    if isinstance(error, SchemaError):
        return "works"
    if not isinstance(error, ModelError):
        return "nothing"
    if isinstance(error, RateLimitError):
        return "fails" if error.status == _NO_CREDIT else "limited"
    if isinstance(error, DeadlineError):
        return "fails" if error.status is not None or outcome.seconds >= fair_seconds else "nothing"
    if isinstance(error, ConnectionFailedError | OverloadedError | InvalidResponseError):
        return "fails"
    return "works"


def is_unreachable(error: BaseException | None) -> bool:
    """Whether no connection came to be: then no model of the provider can be reached at this address."""
    return isinstance(error, ConnectionFailedError) and not error.reached
