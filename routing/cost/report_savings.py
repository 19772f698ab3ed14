"""What would have been paid instead: without the provider's cache, or to another model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from routing.chat import Usage
from routing.cost.prices import PER_THOUSAND, Price, PriceTable
from routing.cost.report_rows import Group

Instead = Callable[[Group], tuple[str, Usage]]
"""Which model would have answered a group of calls, and what it would have used."""


@dataclass(frozen=True, slots=True)
class Saving:
    """Dollars that were not spent, by today's prices on both sides; `calls` could be compared, `unknown` could not.

    Negative: more was spent than without it, as when what is written to a cache is never read.
    """

    saved: Decimal
    instead_of: Decimal
    calls: int
    unknown: int


def lengths(prices: PriceTable) -> list[int]:
    """The lengths of a prompt from which on some model has another price."""
    tables = [table for price in prices.prices.values() for table in (price, *price.tiers.values())]
    return sorted({table.long_above for table in tables if table.long_above is not None})


def by_caching(groups: Sequence[Group], prices: PriceTable) -> Saving:
    """What was saved because a part of the prompts was read from the provider's cache, writing it counted in."""
    cached = [group for group in groups if group.usage.cached_input_tokens or group.usage.cache_write_tokens]
    return _compared(cached, prices, lambda group: (group.model, _uncached(group.usage)))


def by_routing(groups: Sequence[Group], prices: PriceTable, reference: str) -> Saving:
    """What was saved because not everything that was answered was answered by `reference`.

    It would have read and written the same tokens, as much of them from its cache, in the same tier.
    """
    elsewhere = [group for group in groups if group.kind == "chat" and group.model != reference]
    return _compared(elsewhere, prices, lambda group: (reference, group.usage))


def _compared(groups: Sequence[Group], prices: PriceTable, instead: Instead) -> Saving:
    saved, other, calls, unknown = Decimal(0), Decimal(0), 0, 0
    for group in groups:
        model, usage = instead(group)
        paid, would = cost_of(group, prices, group.model, group.usage), cost_of(group, prices, model, usage)
        if not group.priced or paid is None or would is None:
            unknown += group.calls
            continue
        saved, other, calls = saved + would - paid, other + would, calls + group.calls
    return Saving(saved, other, calls, unknown)


def cost_of(group: Group, prices: PriceTable, model: str, usage: Usage) -> Decimal | None:
    """What the calls of a group cost by the prices of `model`, all with a prompt of the group's length."""
    price = prices.find(model)
    standard, at = _of_length(price, group.longer), None
    if price is not None:
        at = _of_length(price.in_tier(group.tier), group.longer)
    if standard is None or at is None:
        return None
    one = PriceTable({model: replace(standard, tiers={group.tier: at})})
    cost = one.cost(model, usage, group.tier, seconds=group.seconds)
    return None if cost is None else cost + (group.calls - 1) * (at.requests or Decimal(0)) / PER_THOUSAND


def _of_length(price: Price | None, longer: int) -> Price | None:
    """The price of prompts with more than `longer` tokens, as if it were that of all."""
    if price is None or price.long_above is None:
        return price
    return price.long_context if longer >= price.long_above else replace(price, long_above=None, long_context=None)


def _uncached(usage: Usage) -> Usage:
    return replace(usage, cached_input_tokens=0, cache_write_tokens=0, cache_write_1h_tokens=0)
