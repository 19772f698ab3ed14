"""What the end of a call says about its model."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from routing.call import NOT_MADE, Outcome
from routing.chat import Usage
from routing.errors import (
    AuthenticationError,
    BadRequestError,
    BudgetError,
    ConnectionFailedError,
    ContentFilterError,
    ContextLengthError,
    DeadlineError,
    InvalidResponseError,
    LimitError,
    ModelNotFoundError,
    OverloadedError,
    RateLimitError,
    SchemaError,
    UnsupportedError,
)
from routing.resilience.verdict import Verdict, is_unreachable, verdict


def ended(error: BaseException | None, seconds: float = 1.0) -> Outcome:
    return Outcome(Usage(), Decimal(0), seconds, error)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (None, "works"),
        (BadRequestError("400", model="m", status=400), "works"),
        (AuthenticationError("401", model="m", status=401), "works"),
        (ModelNotFoundError("404", model="m", status=404), "works"),
        (ContextLengthError("long", model="m"), "works"),
        (ContentFilterError("no", model="m"), "works"),
        (SchemaError("no", model="m"), "works"),
        (OverloadedError("503", model="m", status=503), "fails"),
        (ConnectionFailedError("reset", model="m"), "fails"),
        (InvalidResponseError("half", model="m"), "fails"),
        (RateLimitError("no credit", model="m", status=402), "fails"),
        (DeadlineError("504", model="m", status=504), "fails"),
        (RateLimitError("429", model="m", status=429), "limited"),
        (DeadlineError("late", model="m"), "nothing"),
        (LimitError("full", model="m"), "nothing"),
        (BudgetError("spent", model="m"), "nothing"),
        (UnsupportedError("no images", model="m"), "nothing"),
        (asyncio.CancelledError(), "nothing"),
        (ValueError("our own mistake"), "nothing"),
    ],
)
def test_every_kind_of_end(error: BaseException | None, said: Verdict) -> None:
    assert verdict(ended(error), 10.0) == said


def test_a_deadline_counts_when_the_time_was_fair() -> None:
    late = DeadlineError("late", model="m")
    assert verdict(ended(late, 9.9), 10.0) == "nothing"
    assert verdict(ended(late, 10.0), 10.0) == "fails"


def test_a_call_that_was_not_made_says_nothing() -> None:
    assert verdict(NOT_MADE, 10.0) == "nothing"


def test_without_a_connection_the_provider_is_unreachable() -> None:
    assert is_unreachable(ConnectionFailedError("cannot be reached", model="m"))
    assert not is_unreachable(ConnectionFailedError("broke off", model="m", reached=True))
    assert not is_unreachable(OverloadedError("503", model="m"))
    assert not is_unreachable(None)
