"""Compares prices with another table of them, so that a price that has changed is found before the invoice finds it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from routing.chat import Tier
from routing.cost.price_file import RATES
from routing.cost.prices import Price, PriceTable


@dataclass(frozen=True, slots=True)
class Difference:
    """One rate that is not the same: dollars here and there, `None` where a table has none.

    `above` is the length from which on it applies, `None`: to any. `key` "above" compares that length itself.
    """

    model: str
    tier: Tier
    above: int | None
    key: str
    ours: Decimal | None
    theirs: Decimal | None

    @property
    def ratio(self) -> Decimal | None:
        """Ours over theirs, `None` where there is none."""
        return None if self.ours is None or not self.theirs else self.ours / self.theirs


@dataclass(frozen=True, slots=True)
class PriceCheck:
    """What came of a comparison with `source`: how many rates of which models, and where they differ.

    A rate that `source` has no price for is not compared; `missing` are models it does not have at all.
    """

    source: str
    models: int
    rates: int
    differences: tuple[Difference, ...]
    missing: tuple[str, ...]


def compare(ours: PriceTable, theirs: PriceTable, source: str) -> PriceCheck:
    """Every rate of every model of ours that `theirs` has too."""
    found = {model: price for model in ours.prices if (price := theirs.prices.get(model)) is not None}
    pairs = [pair for model, price in found.items() for pair in _pairs(model, ours.prices[model], price)]
    return PriceCheck(
        source,
        len(found),
        len(pairs),
        tuple(pair for pair in pairs if pair.ours != pair.theirs),
        tuple(sorted(set(ours.prices) - set(found))),
    )


def _pairs(model: str, ours: Price, theirs: Price) -> Iterator[Difference]:
    yield from _lengths(model, "standard", ours, theirs)
    for tier, price in theirs.tiers.items():
        mine = ours.tiers.get(tier)
        yield from _lengths(model, tier, mine, price)


def _lengths(model: str, tier: Tier, ours: Price | None, theirs: Price) -> Iterator[Difference]:
    yield from _rates(model, tier, None, ours, theirs)
    if theirs.long_context is None:
        return
    mine = None if ours is None else ours.long_above
    above = None if mine is None else Decimal(mine)
    yield Difference(
        model, tier, None, "above", above, None if theirs.long_above is None else Decimal(theirs.long_above)
    )
    yield from _rates(model, tier, theirs.long_above, None if ours is None else ours.long_context, theirs.long_context)


def _rates(model: str, tier: Tier, above: int | None, ours: Price | None, theirs: Price) -> Iterator[Difference]:
    for key in RATES:
        price: Decimal | None = getattr(theirs, key)
        if price is None or (key in {"input", "output"} and not price):
            continue
        mine: Decimal | None = None if ours is None else getattr(ours, key)
        yield Difference(model, tier, above, key, mine, price)
