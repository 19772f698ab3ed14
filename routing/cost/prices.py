"""Prices of models: what a call costs, exactly, the way its invoice will say.

Money is `Decimal` in US dollars. A model that is not in the table has no price, nor has a tier that its provider names
none for: the cost is `None`, which is shown as unknown and never added up as 0. Models that run inside this process
cost nothing unless their owner says what a second of them costs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from decimal import ROUND_HALF_UP, Decimal

from routing.chat import Tier, Usage

PER_MILLION = Decimal(1_000_000)
PER_THOUSAND = Decimal(1_000)
PER_HOUR = Decimal(3_600)
LOCAL_PROVIDERS = frozenset({"embedded", "extractive", "maxsim", "none", "scripted", "st"})
_SMALLEST = Decimal("1e-12")  # of seconds: what they cost has no last digit
_NOTHING = Decimal(0)
_MONTH, _DAY = "(0[1-9]|1[0-2])", "(0[1-9]|[12][0-9]|3[01])"
_DATE = re.compile(f"-(20[0-9][0-9]-{_MONTH}-{_DAY}|20[0-9][0-9]{_MONTH}{_DAY}|{_MONTH}-20[0-9][0-9]|{_MONTH}{_DAY})$")
"""Nothing else: what ends in another number is another model, with a price of its own."""


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars per million tokens; `cached_input` and `cache_write` fall back to `input` when the table has none.

    Without `output` it is of a model that writes nothing, unless what it reads is free: what it should write all the
    same has no known price.
    `cache_write` is what input costs that is written to the provider's cache for its usual time, `cache_write_1h` for
    an hour; `reasoning` is what output costs that was thought and not said, `None`: as any output. `searches` is what
    rerankers charge, `requests` what a call costs beside its tokens, `images` what a picture does, in dollars per
    thousand. `gpu_hour` is what an hour costs in which a model of one's own is at work on a call.

    `long_context`, if there is one, is the price of the whole call when its prompt has more than `long_above` tokens.
    `tiers` are the prices of tiers other than the standard. `source` says where, and when, the price was read.
    """

    input: Decimal
    output: Decimal | None = None
    cached_input: Decimal | None = None
    cache_write: Decimal | None = None
    long_above: int | None = None
    long_context: Price | None = None
    searches: Decimal | None = None
    cache_write_1h: Decimal | None = None
    reasoning: Decimal | None = None
    requests: Decimal | None = None
    images: Decimal | None = None
    gpu_hour: Decimal | None = None
    tiers: Mapping[Tier, Price] = field(default_factory=dict)
    source: str | None = field(default=None, compare=False)

    @property
    def is_free(self) -> bool:
        """Whether nothing costs anything."""
        return not any(_rates(price) for price in _all(self))

    @property
    def by_time(self) -> bool:
        """Whether nothing but the time is paid for."""
        return all(set(_rates(price)) <= {"gpu_hour"} for price in _all(self)) and not self.is_free

    def of(self, usage: Usage, seconds: float = 0.0) -> Decimal:
        """What `usage` costs, exactly, when the model was at work for `seconds`; what has no price counts nothing."""
        price = self._for_length(usage) or self
        return (_input(price, usage) + _output(price, usage)) / PER_MILLION + _beside_tokens(price, usage, seconds)

    def covers(self, usage: Usage, standard: Price | None = None) -> bool:
        """Whether everything in `usage` has a price here.

        What long prompts, or a tier beside the `standard` one, say nothing of is not known, where these do.
        """
        price = self._for_length(usage)
        if price is None or (usage.searches and price.searches is None):
            return False
        if usage.output_tokens and price.input and price.output is None:
            return False
        known = standard or self
        if usage.cached_input_tokens and price.cached_input is None and known.cached_input is not None:
            return False
        if not usage.cache_write_tokens:
            return True
        shorter = price.cache_write is not None or known.cache_write is None
        return shorter and (
            not usage.cache_write_1h_tokens or price.cache_write_1h is not None or not known.cache_write
        )

    def in_tier(self, tier: Tier) -> Price | None:
        """The price of a tier, `None` when it is unknown; what is free is free in all of them."""
        if tier == "standard" or self.is_free:
            return self
        return self.tiers.get(tier)

    def most(self, usage: Usage, seconds: float = 0.0) -> Decimal:
        """The most that a call may cost which uses no more than `usage`, however much of it is cached or thought."""
        return max(_most(price, usage, seconds) for price in _lengths(self) if price is self or self._is_long(usage))

    def _is_long(self, usage: Usage) -> bool:
        return self.long_above is not None and usage.input_tokens > self.long_above

    def _for_length(self, usage: Usage) -> Price | None:
        """The price of a prompt of this length; `None` where long ones cost something else and it is not known."""
        return self.long_context if self._is_long(usage) else self


FREE = Price(_NOTHING, _NOTHING, searches=_NOTHING)


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
        return self.prices.get(f"{provider}/{undated(name)}")

    def cost(self, model: str, usage: Usage, tier: Tier = "standard", *, seconds: float = 0.0) -> Decimal | None:
        """Dollars for `usage` of `model` in a call that took `seconds`, or `None` when any part of it is unknown."""
        standard = self.find(model)
        price = None if standard is None else standard.in_tier(tier)
        if price is None or not price.covers(usage, standard):
            return None
        return price.of(usage, seconds)

    def bound(
        self,
        model: str,
        input_tokens: int,
        output_tokens: int,
        tier: Tier = "standard",
        *,
        searches: int = 0,
        images: int = 0,
        seconds: float | None = None,
    ) -> Decimal | None:
        """The most that a call may cost which uses no more than this, or `None` when that is unknown.

        Everything read counts at the dearest rate that may apply: cached or not, written for a while or an hour.
        """
        usage = Usage(input_tokens, output_tokens, searches=searches, images=images)
        standard = self.find(model)
        price = None if standard is None else standard.in_tier(tier)
        if price is None or not price.covers(usage) or (price.gpu_hour and seconds is None):
            return None
        return price.most(usage, seconds or 0.0)

    def with_prices(self, own: Mapping[str, Price]) -> PriceTable:
        """This table with the user's own prices before it."""
        return PriceTable({**self.prices, **own}, self.date)


def _input(price: Price, usage: Usage) -> Decimal:
    total = (usage.input_tokens - usage.cached_input_tokens - usage.cache_write_tokens) * price.input
    if usage.cached_input_tokens:
        total += usage.cached_input_tokens * _first(price.cached_input, price.input)
    if usage.cache_write_tokens:
        write, hour = _first(price.cache_write, price.input), usage.cache_write_1h_tokens
        total += (usage.cache_write_tokens - hour) * write + hour * _first(price.cache_write_1h, write)
    return total


def _output(price: Price, usage: Usage) -> Decimal:
    output, thought = _first(price.output, _NOTHING), usage.reasoning_tokens
    if price.reasoning is None:
        return usage.output_tokens * output
    return (usage.output_tokens - thought) * output + thought * price.reasoning


def _most(price: Price, usage: Usage, seconds: float) -> Decimal:
    caches = (price.cached_input, price.cache_write, price.cache_write_1h)
    read = max(price.input, *(_first(rate, price.input) for rate in caches))
    output = _first(price.output, _NOTHING)
    written = max(output, _first(price.reasoning, output))
    tokens = usage.input_tokens * read + usage.output_tokens * written
    return tokens / PER_MILLION + _beside_tokens(price, usage, seconds)


def _beside_tokens(price: Price, usage: Usage, seconds: float) -> Decimal:
    total = _NOTHING
    if usage.searches and price.searches:
        total += usage.searches * price.searches / PER_THOUSAND
    if usage.images and price.images:
        total += usage.images * price.images / PER_THOUSAND
    if price.requests:
        total += price.requests / PER_THOUSAND
    if price.gpu_hour:
        total += (Decimal(str(seconds)) * price.gpu_hour / PER_HOUR).quantize(_SMALLEST, ROUND_HALF_UP)
    return total


def _lengths(price: Price) -> tuple[Price, ...]:
    return (price,) if price.long_context is None else (price, price.long_context)


def _all(price: Price) -> Iterator[Price]:
    for each in (price, *price.tiers.values()):
        yield from _lengths(each)


def _rates(price: Price) -> list[str]:
    """What of this price alone is not nothing."""
    return [each.name for each in fields(price) if isinstance(rate := getattr(price, each.name), Decimal) and rate]


def _first(rate: Decimal | None, otherwise: Decimal) -> Decimal:
    return otherwise if rate is None else rate


def undated(name: str) -> str:
    """The name without the date at its end ("…-2026-03-05", "…-20260305", "…-08-2024", "…-0613")."""
    return _DATE.sub("", name)


def total_cost(costs: list[Decimal | None]) -> Decimal | None:
    """The sum, or `None` when any part is unknown."""
    total = Decimal(0)
    for cost in costs:
        if cost is None:
            return None
        total += cost
    return total
