"""Who is asked when a model fails."""

from __future__ import annotations

import pytest

from routing.errors import (
    AuthenticationError,
    BadRequestError,
    BreakerOpenError,
    BudgetError,
    ConnectionFailedError,
    ContentFilterError,
    ContextLengthError,
    DeadlineError,
    InvalidResponseError,
    LimitError,
    ModelError,
    ModelNotFoundError,
    OverloadedError,
    RateLimitError,
    SchemaError,
    UnsupportedError,
)
from routing.resilience.fallback import reason_of


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (ConnectionFailedError, "down"),
        (OverloadedError, "down"),
        (InvalidResponseError, "down"),
        (SchemaError, "down"),
        (BreakerOpenError, "down"),
        (RateLimitError, "rate_limited"),
        (LimitError, "rate_limited"),
        (ContextLengthError, "too_long"),
        (ContentFilterError, "content_filter"),
        (DeadlineError, "too_slow"),
        (BudgetError, "budget"),
        (BadRequestError, None),
        (AuthenticationError, None),
        (ModelNotFoundError, None),
        (UnsupportedError, None),
    ],
)
def test_every_failure_has_its_reason(kind: type[ModelError], reason: str | None) -> None:
    assert reason_of(kind("it failed", model="m")) == reason
