"""What callers are told when a limit keeps their call back."""

from __future__ import annotations

import math

from routing.call import Call
from routing.errors import LimitError


def refusal(call: Call, why: str, wait: float | None) -> LimitError:
    """The error for a call that finds no room; `wait` in seconds, if it is known."""
    known = wait is not None and wait < math.inf
    return LimitError(
        f"{call.model} is not asked now: {why}.",
        model=call.model,
        retry_after=wait if known else None,
        hint=f"There is room again in {wait:.0f} seconds at the soonest." if known else "Try again later.",
    )


def too_large(call: Call, described: str, what: str, limit: str) -> LimitError:
    """The error for a call that would never find room."""
    return LimitError(
        f"One call of {call.model} may take more {what} than the limit for {described} allows in a minute ({limit}).",
        model=call.model,
        hint="Raise the limit (routing.limits), shorten the prompt, or lower generation.max_tokens.",
    )


def unpriced(call: Call) -> LimitError:
    """The error for a call whose dollars cannot be counted."""
    return LimitError(
        f"The price of {call.model} is unknown, so that a limit of cost cannot be kept.",
        model=call.model,
        hint="Name its price under routing.prices, or set routing.unpriced to allow.",
    )
