"""How money is shown to people."""

from __future__ import annotations

from decimal import Decimal


def dollars(cost: Decimal | None) -> str:
    """Dollars to the cent, small ones to the ten thousandth or less; "unknown" for `None`."""
    if cost is None:
        return "unknown"
    sign = "-" if cost < 0 else ""
    digits = 2 if cost == 0 or abs(cost) >= 1 else 4 if abs(cost) >= Decimal("0.001") else 6
    return f"{sign}${abs(cost):,.{digits}f}"
