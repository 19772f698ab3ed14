"""The settings of the routing floor."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from plumbline.settings import Settings
from routing.chat import Latency, Tier

Seconds = Annotated[float, Field(gt=0, le=86_400)]
Subject = Literal["everything", "request", "session", "tenant", "key", "model", "provider", "purpose"]
"""What limits and budgets are counted for: each tenant has its own, say."""


class RetrySettings(Settings):
    """`attempts` counts the first try; waits in seconds. A provider that asks for more than the longest is given up.

    `try_seconds` is how long one try is waited for, to the first word of a stream or to the end of an answer in one
    piece, before it has failed; `None`: as long as the call has. `budget` is the share of a model's calls of the last
    minute that may be tries again, and `free` how many may be in any case.
    """

    attempts: Annotated[int, Field(ge=1, le=10)] = 3
    first_wait_seconds: Annotated[float, Field(ge=0, le=60)] = 0.5
    longest_wait_seconds: Annotated[float, Field(ge=0, le=600)] = 8.0
    try_seconds: Seconds | None = None
    budget: Annotated[float, Field(ge=0, le=1)] = 0.1
    free: Annotated[int, Field(ge=0)] = 10


class BreakerSettings(Settings):
    """A model is left alone after `failures` in a row, each within the window of the one before, when they are at least
    `share` of themselves and the calls in flight.

    It is also left alone when nothing was heard since three calls began that wait longer than any of the last hundred
    did that were like it, and longer than `stall_seconds`; `None`: never for that. It is tried again by one probe after
    `cooldown_seconds`, which double with every probe that fails.
    """

    enabled: bool = True
    failures: Annotated[int, Field(ge=1)] = 2
    share: Annotated[float, Field(gt=0, le=1)] = 0.5
    window_seconds: Seconds = 10.0
    stall_seconds: Seconds | None = 1.0
    cooldown_seconds: Seconds = 10.0
    longest_cooldown_seconds: Seconds = 120.0


class HedgeSettings(Settings):
    """A second request to the same model when the first takes long: `after` "p95" or so many seconds.

    At most `share` of the calls are asked twice; below `least` known times there is no p95.
    """

    after: Literal["never", "p95"] | Seconds = "never"
    share: Annotated[float, Field(gt=0, le=1)] = 0.05
    least: Annotated[int, Field(ge=1)] = 20


class LimitSettings(Settings):
    """A limit of what `match` fits (a pattern of model names), counted for each `per`. `None`: none of that kind."""

    per: Subject = "model"
    match: str = "*"
    requests_per_minute: Annotated[int, Field(ge=1)] | None = None
    tokens_per_minute: Annotated[int, Field(ge=1)] | None = None
    cost_per_minute: Annotated[Decimal, Field(gt=0)] | None = None
    concurrent: Annotated[int, Field(ge=1)] | None = None


class BudgetSettings(Settings):
    """At most `limit` dollars in a period for each `per`, of what `match` fits; warnings begin at `soft` of it.

    `only` names the one tenant (key, session …) that it is for. The period of a request or a session is its own.
    """

    name: str
    per: Subject = "everything"
    only: str | None = None
    match: str = "*"
    period: Literal["day", "month", "total"] = "month"
    limit: Annotated[Decimal, Field(ge=0)]
    soft: Annotated[float, Field(gt=0, le=1)] = 0.8


class RuleSettings(Settings):
    """The models to try, in order, for requests that satisfy everything that is said here; the first rule that fits
    decides. Lengths in tokens of the prompt; `tenant`, `task`, `language`, `purpose` are patterns.
    """

    name: str
    use: Annotated[list[str], Field(min_length=1)]
    task: str | None = None
    purpose: str | None = None
    tenant: str | None = None
    language: str | None = None
    latency: Latency | None = None
    local: bool | None = None
    longer_than: Annotated[int, Field(ge=0)] | None = None
    shorter_than: Annotated[int, Field(ge=1)] | None = None
    images: bool | None = None


Rate = Annotated[Decimal, Field(ge=0, allow_inf_nan=False)]


class RateSettings(Settings):
    """Prices in dollars: of tokens per million, of `searches`, `requests` and `images` per thousand.

    `gpu_hour` is what an hour costs in which a model of one's own is at work on a call.
    """

    input: Rate | None = None
    output: Rate | None = None
    cached_input: Rate | None = None
    cache_write: Rate | None = None
    cache_write_1h: Rate | None = None
    reasoning: Rate | None = None
    searches: Rate | None = None
    requests: Rate | None = None
    images: Rate | None = None
    gpu_hour: Rate | None = None


class LongContextSettings(RateSettings):
    """What the whole call costs when its prompt has more than `above` tokens."""

    above: Annotated[int, Field(ge=1)]


class TierSettings(RateSettings):
    """The prices of a tier."""

    long_context: LongContextSettings | None = None


class PriceSettings(RateSettings):
    """A price of the user's own; a tier that is not in `tiers` has none."""

    long_context: LongContextSettings | None = None
    tiers: dict[Tier, TierSettings] | None = None


class UpkeepSettings(Settings):
    """What something costs in a month whatever is asked: a fixed sum, and `per_gb` for each of its `gb`."""

    per_month: Rate = Decimal(0)
    per_gb: Rate = Decimal(0)
    gb: Rate = Decimal(0)


class CostSettings(Settings):
    """What no call is charged for, for `rag cost`; `None`: not configured, and shown so.

    `local_hour` is what an hour costs in which a model of this process is at work.
    """

    local_hour: Rate | None = None
    vector_database: UpkeepSettings | None = None
    transfer: UpkeepSettings | None = None


class RoutingSettings(Settings):
    """How calls are made. `fallback` answers when the model cannot be reached ("none": raise the error instead).

    `fallbacks` are for one reason each, before `fallback`. `broken_stream` says what comes after a model broke
    off: another goes on where it stopped, or the stream ends with an event that says so. `shared` is a Redis server
    for what processes on several machines have to know of each other; `shared_away` says whether calls that fall under
    a budget go out while it cannot be reached, to be counted when it is back. `prices` go before those in
    `price_file`, and these before the shipped ones.
    """

    fallback: str = "extractive/default"
    fallbacks: dict[Literal["down", "rate_limited", "too_long", "content_filter", "too_slow", "budget"], list[str]] = (
        Field(default_factory=dict)
    )
    broken_stream: Literal["continue", "end"] = "continue"
    retry: RetrySettings = RetrySettings()
    breaker: BreakerSettings = BreakerSettings()
    hedge: HedgeSettings = HedgeSettings()
    limits: list[LimitSettings] = Field(default_factory=list)
    queue: Annotated[int, Field(ge=0)] = 1000
    adaptive: bool = True
    budgets: list[BudgetSettings] = Field(default_factory=list)
    unpriced: Literal["refuse", "allow"] = "refuse"
    rules: list[RuleSettings] = Field(default_factory=list)
    shared: str | None = None
    shared_away: Literal["refuse", "allow"] = "refuse"
    price_file: str | None = None
    prices: dict[str, PriceSettings] = Field(default_factory=dict)
    costs: CostSettings = CostSettings()


class GenerationSettings(Settings):
    """Which model writes the answers, and how. `timeout_seconds` covers the whole call, retries included.

    With `batch` what is asked at the same time is sent as one batch: at half the price, and within a day.
    """

    model: str = "extractive/default"
    temperature: Annotated[float, Field(ge=0, le=2)] | None = 0.1
    max_tokens: Annotated[int, Field(ge=1)] = 1024
    timeout_seconds: Annotated[float, Field(gt=0)] = 60.0
    batch: bool = False


class EmbeddingSettings(Settings):
    """Which model embeds. `dimensions` shortens the vectors of models that allow it (Matryoshka)."""

    model: str = "embedded/wordllama"
    dimensions: Annotated[int, Field(ge=1)] | None = None
