"""The settings of the routing floor."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from plumbline.settings import Settings


class RetrySettings(Settings):
    """`attempts` counts the first try; waits in seconds. A provider that asks for more than the longest is given up."""

    attempts: Annotated[int, Field(ge=1, le=10)] = 3
    first_wait_seconds: Annotated[float, Field(ge=0, le=60)] = 0.5
    longest_wait_seconds: Annotated[float, Field(ge=0, le=600)] = 8.0


class PriceSettings(Settings):
    """A price of the user's own, in dollars per million tokens, and of `searches` per thousand."""

    input: Decimal | None = None
    output: Decimal = Decimal(0)
    cached_input: Decimal | None = None
    cache_write: Decimal | None = None
    searches: Decimal | None = None


class RoutingSettings(Settings):
    """How calls are made. `fallback` answers when the model cannot be reached ("none": raise the error instead)."""

    fallback: str = "extractive/default"
    retry: RetrySettings = RetrySettings()
    prices: dict[str, PriceSettings] = Field(default_factory=dict)


class GenerationSettings(Settings):
    """Which model writes the answers, and how. `timeout_seconds` covers the whole call, retries included."""

    model: str = "extractive/default"
    temperature: Annotated[float, Field(ge=0, le=2)] | None = 0.1
    max_tokens: Annotated[int, Field(ge=1)] = 1024
    timeout_seconds: Annotated[float, Field(gt=0)] = 60.0


class EmbeddingSettings(Settings):
    """Which model embeds. `dimensions` shortens the vectors of models that allow it (Matryoshka)."""

    model: str = "embedded/wordllama"
    dimensions: Annotated[int, Field(ge=1)] | None = None
