"""Prices of models, from `configs/prices.yaml` and the user's own configuration.

Money is `Decimal` in US dollars. A model that is not in the table has no price: `None`, which is shown as unknown and
never added up as 0. Models that run inside this process cost nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from importlib.resources import files
from typing import Any

from plumbline.errors import ConfigError
from routing.chat import Tier, Usage

PER_MILLION = Decimal(1_000_000)
PER_THOUSAND = Decimal(1_000)
LOCAL_PROVIDERS = frozenset({"embedded", "extractive", "maxsim", "none", "scripted", "st"})


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars per million tokens; `cached_input` and `cache_write` fall back to `input` when the table has none.

    `long_context`, if there is one, is the price of the whole call when its prompt has more than `long_above` tokens.
    `searches` is what rerankers charge, in dollars per thousand; `None`: not known.
    """

    input: Decimal
    output: Decimal = Decimal(0)
    cached_input: Decimal | None = None
    cache_write: Decimal | None = None
    long_above: int | None = None
    long_context: Price | None = None
    searches: Decimal | None = None

    @property
    def is_free(self) -> bool:
        """Whether nothing costs anything."""
        parts = (self.input, self.output, self.cached_input, self.cache_write, self.searches)
        return not any(parts) and (self.long_context is None or self.long_context.is_free)

    def of(self, usage: Usage) -> Decimal:
        """What `usage` costs, exactly: the input by how it was cached, the output, and the searches."""
        if self.long_context is not None and self.long_above is not None and usage.input_tokens > self.long_above:
            return self.long_context.of(usage)
        plain = usage.input_tokens - usage.cached_input_tokens - usage.cache_write_tokens
        cached_input = self.input if self.cached_input is None else self.cached_input
        cache_write = self.input if self.cache_write is None else self.cache_write
        total = (
            plain * self.input
            + usage.cached_input_tokens * cached_input
            + usage.cache_write_tokens * cache_write
            + usage.output_tokens * self.output
        )
        return total / PER_MILLION + usage.searches * (self.searches or Decimal(0)) / PER_THOUSAND


FREE = Price(Decimal(0), searches=Decimal(0))


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Prices by model name ("provider/name"). Dated names ("…-2026-03-05") also match the undated entry."""

    prices: Mapping[str, Price]
    date: str | None = None

    def find(self, model: str) -> Price | None:
        """The price of `model`, or `None` when it is unknown."""
        if model in self.prices:
            return self.prices[model]
        provider, _, name = model.partition("/")
        if provider in LOCAL_PROVIDERS:
            return FREE
        return self.prices.get(f"{provider}/{_without_date(name)}")

    def bound(
        self, model: str, input_tokens: int, output_tokens: int, tier: Tier = "standard", *, searches: int = 0
    ) -> Decimal | None:
        """The most that a call with at most so many tokens may cost, or `None` when its price is unknown."""
        usages = [Usage(input_tokens, output_tokens), Usage(input_tokens, output_tokens, 0, input_tokens)]
        costs = [self.cost(model, usage, tier) for usage in usages]
        return None if None in costs else max(cost for cost in costs if cost is not None)

    def cost(self, model: str, usage: Usage, tier: Tier = "standard") -> Decimal | None:
        """Dollars for `usage` of `model`, or `None` when its price, or that of the searches in it, is unknown."""
        del tier
        price = self.find(model)
        if price is None or (usage.searches and price.searches is None):
            return None
        return price.of(usage)

    def with_prices(self, own: Mapping[str, Price]) -> PriceTable:
        """This table with the user's own prices before it."""
        return PriceTable({**self.prices, **own}, self.date)


@lru_cache(maxsize=1)
def shipped_prices() -> PriceTable:
    """The table in `configs/prices.yaml`; raises `ConfigError` when an entry in it cannot be read."""
    import yaml

    content = yaml.safe_load(files("configs").joinpath("prices.yaml").read_text(encoding="utf-8"))
    prices = {model: parse_price(model, entry) for model, entry in content["models"].items()}
    for model, entry in content["long_context"].items():
        above = int(entry.pop("above"))
        prices[model] = replace(prices[model], long_above=above, long_context=parse_price(model, entry))
    return PriceTable(prices, str(content["date"]))


def parse_price(model: str, entry: Mapping[str, Any]) -> Price:
    """A price from a mapping of decimal numbers; raises `ConfigError` naming model, key and value.

    What is charged by the search alone needs no `input`.
    """
    known = {"input", "output", "cached_input", "cache_write", "searches"}
    numbers: dict[str, Decimal] = {}
    for key, value in entry.items():
        if key not in known:
            raise ConfigError(
                f"Price of {model}: there is no key '{key}' (known: {', '.join(sorted(known))}).", key=key, value=value
            )
        try:
            numbers[key] = Decimal(str(value))
        except InvalidOperation as error:
            raise ConfigError(f"Price of {model}: {key}: {value!r} is not a number.", key=key, value=value) from error
        if not numbers[key].is_finite() or numbers[key] < 0:
            raise ConfigError(f"Price of {model}: {key}: {value!r} is not a price.", key=key, value=value)
    if "input" not in numbers and "searches" not in numbers:
        raise ConfigError(f"Price of {model}: 'input' is missing.", key="input")
    return Price(
        numbers.get("input", Decimal(0)),
        numbers.get("output", Decimal(0)),
        cached_input=numbers.get("cached_input"),
        cache_write=numbers.get("cache_write"),
        searches=numbers.get("searches"),
    )


def _without_date(name: str) -> str:
    parts = name.split("-")
    while len(parts) > 1 and parts[-1].isdigit() and len(parts[-1]) in {2, 4, 8}:
        parts.pop()
    return "-".join(parts)


def total_cost(costs: list[Decimal | None]) -> Decimal | None:
    """The sum, or `None` when any part is unknown."""
    total = Decimal(0)
    for cost in costs:
        if cost is None:
            return None
        total += cost
    return total
