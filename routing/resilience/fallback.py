"""Which failures another model may cure, and for what reason it is asked."""

from __future__ import annotations

from typing import Literal

from routing.errors import (
    BudgetError,
    ContentFilterError,
    ContextLengthError,
    DeadlineError,
    InvalidResponseError,
    LimitError,
    ModelError,
    RateLimitError,
    TransientError,
)

Reason = Literal["down", "rate_limited", "too_long", "content_filter", "too_slow", "budget"]


def reason_of(error: ModelError) -> Reason | None:
    """Why another model should be asked, or `None` when its user has to know: a wrong key, a malformed request.

    What our own limits refuse is "rate_limited", what the breaker refuses "down". An answer that cannot be
    read is "down" too. One that does not satisfy its schema is found out after the router (`routing.structured`).
    """
    for kind, reason in _REASONS.items():
        if isinstance(error, kind):
            return reason
    return None


_REASONS: dict[type[ModelError], Reason] = {
    BudgetError: "budget",
    ContextLengthError: "too_long",
    ContentFilterError: "content_filter",
    RateLimitError: "rate_limited",
    LimitError: "rate_limited",
    DeadlineError: "too_slow",
    InvalidResponseError: "down",
    TransientError: "down",
}
