"""What one query did cost under one configuration; a row is what a run stores and a report counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from decimal import Decimal
from typing import Any, Literal, get_args

CacheState = Literal["none", "prefix", "answer"]


@dataclass(frozen=True, slots=True)
class StageCost:
    """One stage of a question: `seconds` it took, `cost` of its calls in dollars (`None`: unknown), their tokens.

    `input_tokens` includes the cached ones.
    """

    seconds: float
    cost: Decimal | None = Decimal(0)
    calls: int = 0
    input_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """One query under one configuration.

    `correct` is `None` when there is no answer to judge by, `reason` says why it was judged so. `cost` in dollars is
    `None` when any of its calls has no known price; `full_price` is what it would have been without the provider's
    prompt cache. `seconds` are measured; of a simulated model's calls they are the simulated ones. `cache` says what
    was cached: nothing, a prefix of the prompt, or the whole answer. `failed_tries` counts calls that had to be
    repeated; `degraded` says why a fallback answered, `error` why nobody did.
    """

    config: str
    query: str
    question: str
    group: str
    at: float
    repeat_of: str | None
    paraphrase_of: str | None
    answer: str
    refused: bool
    correct: bool | None
    reason: str
    cost: Decimal | None
    full_price: Decimal | None
    seconds: float
    stages: Mapping[str, StageCost]
    model: str
    cache: CacheState = "none"
    estimated: bool = False
    failed_tries: int = 0
    degraded: str | None = None
    error: str | None = None
    trace_id: str = ""

    @property
    def input_tokens(self) -> int:
        """Tokens of all prompts, cached ones included."""
        return sum(stage.input_tokens for stage in self.stages.values())

    @property
    def cached_input_tokens(self) -> int:
        """Tokens read from providers' caches."""
        return sum(stage.cached_input_tokens for stage in self.stages.values())

    @property
    def cache_write_tokens(self) -> int:
        """Tokens written to providers' caches at a price."""
        return sum(stage.cache_write_tokens for stage in self.stages.values())

    @property
    def output_tokens(self) -> int:
        """Tokens generated."""
        return sum(stage.output_tokens for stage in self.stages.values())


def to_entry(row: Row) -> dict[str, Any]:
    """The row as JSON can hold it: money as text."""
    entry = asdict(row)
    for holder in (entry, *entry["stages"].values()):
        for key in ("cost", "full_price"):
            if isinstance(holder.get(key), Decimal):
                holder[key] = str(holder[key])
    return entry


def from_entry(entry: Mapping[str, Any]) -> Row:
    """The row of such an entry; raises `KeyError`, `TypeError` or `ValueError` for anything else."""
    stages = {name: StageCost(**{**stage, "cost": _money(stage["cost"])}) for name, stage in entry["stages"].items()}
    known = {field.name: entry[field.name] for field in fields(Row)}
    if known["cache"] not in get_args(CacheState):
        raise ValueError(f"'{known['cache']}' is no state of a cache")
    row = Row(**{**known, "stages": stages})
    return replace(row, cost=_money(entry["cost"]), full_price=_money(entry["full_price"]))


def _money(value: str | None) -> Decimal | None:
    return None if value is None else Decimal(value)
