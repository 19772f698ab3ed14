"""Which failures another model may cure, and for what reason it is asked."""

from __future__ import annotations

from typing import Literal

from routing.errors import (
    BudgetError,
    ContentFilterError,
    ContextLengthError,
    DeadlineError,
    InvalidResponseError,
    ModelError,
    RateLimitError,
    TransientError,
)

Reason = Literal["down", "rate_limited", "too_long", "content_filter", "too_slow", "budget"]


def reason_of(error: ModelError) -> Reason | None:
    """Why another model should be asked, or `None` when it could not do better: a wrong key, a malformed request."""
    for kind, reason in _REASONS.items():
        if isinstance(error, kind):
            return reason
    return None


_REASONS: dict[type[ModelError], Reason] = {
    BudgetError: "budget",
    ContextLengthError: "too_long",
    ContentFilterError: "content_filter",
    RateLimitError: "rate_limited",
    DeadlineError: "too_slow",
    InvalidResponseError: "down",
    TransientError: "down",
}
