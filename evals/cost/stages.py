"""Where the time and the money of one question went: its trace and its ledger rows, put together by stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from evals.cost.row import StageCost
from evals.cost.simulated import SIMULATED_SECONDS
from plumbline.trace import SpanRecord
from routing.cost.ledger import LedgerEntry
from routing.cost.prices import PriceTable, total_cost

QUESTION_SPAN = "ask"


@dataclass(frozen=True, slots=True)
class Account:
    """One question's stages, its `seconds` and `cost`, and what it would have cost with nothing read from a cache."""

    stages: Mapping[str, StageCost]
    seconds: float
    cost: Decimal | None
    full_price: Decimal | None
    estimated: bool


def account(spans: Sequence[SpanRecord], calls: Sequence[LedgerEntry], prices: PriceTable, seconds: float) -> Account:
    """The account of a question with this trace and these ledger rows; `seconds` is the wall time it took.

    A stage is a child of the question's span. A simulated call takes the time it says, not the time it took.
    """
    stage_of = _stage_of(spans)
    stages: dict[str, StageCost] = {}
    for span in spans:
        name = stage_of.get(span.span_id)
        if name is None:
            continue
        spent = span.seconds if stage_of.get(span.parent_id or "") is None else 0.0
        late = _difference(span)
        seconds += late
        known = stages.get(name, StageCost(0.0))
        stages[name] = replace(known, seconds=known.seconds + spent + late)
    for call in calls:
        name = stage_of.get(call.span_id or "", call.kind)
        stages[name] = _with(stages.get(name, StageCost(0.0)), call)
    full = [prices.cost(call.model, replace(call.usage, cached_input_tokens=0, cache_write_tokens=0)) for call in calls]
    costs = [call.cost for call in calls]
    full_price = None if total_cost(costs) is None else total_cost(full)
    return Account(stages, seconds, total_cost(costs), full_price, any(call.usage.estimated for call in calls))


def _stage_of(spans: Sequence[SpanRecord]) -> dict[str, str]:
    """The stage that each span below the question's belongs to; `spans` come with parents before children."""
    question = next((span.span_id for span in spans if span.name == QUESTION_SPAN), None)
    stages: dict[str, str] = {}
    for span in spans:
        if span.parent_id is not None and span.parent_id == question:
            stages[span.span_id] = span.name
        elif span.parent_id in stages:
            stages[span.span_id] = stages[span.parent_id]
    return stages


def _difference(span: SpanRecord) -> float:
    """How much longer a simulated call would have taken than the simulator."""
    simulated = span.attributes.get(SIMULATED_SECONDS)
    return 0.0 if simulated is None else float(simulated) - span.seconds


def _with(stage: StageCost, call: LedgerEntry) -> StageCost:
    usage = call.usage
    return StageCost(
        stage.seconds,
        total_cost([stage.cost, call.cost]),
        stage.calls + 1,
        stage.input_tokens + usage.input_tokens,
        stage.cached_input_tokens + usage.cached_input_tokens,
        stage.cache_write_tokens + usage.cache_write_tokens,
        stage.output_tokens + usage.output_tokens,
    )
