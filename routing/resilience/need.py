"""What a call takes of what is limited."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Literal

Resource = Literal["requests", "tokens", "cost"]
NANO = Decimal(10**9)


def nano_dollars(cost: Decimal) -> int:
    """Dollars as a whole number, rounded up."""
    return int((cost * NANO).to_integral_value(ROUND_CEILING))


@dataclass(frozen=True, slots=True)
class Need:
    """What one call, or several, may take: requests, tokens, billionths of a dollar."""

    requests: int = 1
    tokens: int = 0
    cost: int = 0

    def __add__(self, other: Need) -> Need:
        return Need(self.requests + other.requests, self.tokens + other.tokens, self.cost + other.cost)

    def __sub__(self, other: Need) -> Need:
        return Need(self.requests - other.requests, self.tokens - other.tokens, self.cost - other.cost)

    def of(self, resource: Resource) -> int:
        """How much of one of them."""
        amount: int = getattr(self, resource)
        return amount
