"""Reports: exact sums by every view, what it went to, what was saved, and nothing unknown that is taken for 0."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from plumbline.database import open_database
from plumbline.errors import InputError
from routing.call import Kind
from routing.chat import Tags, Usage
from routing.cost.ledger import Ledger, LedgerEntry, component
from routing.cost.prices import Price, PriceTable
from routing.cost.report import CostReport, cost_report
from routing.cost.report_rows import By, LedgerReader, Selection
from routing.settings import CostSettings

TODAY = date(2026, 3, 31)
ALL = Selection()
PRICES = PriceTable(
    {
        "a/big": Price(
            Decimal(10),
            Decimal(50),
            Decimal(1),
            long_above=1000,
            long_context=Price(Decimal(20), Decimal(75), Decimal(2)),
            tiers={"batch": Price(Decimal(5), Decimal(25), Decimal("0.5"))},
        ),
        "a/small": Price(Decimal(1), Decimal(5), Decimal("0.1"), Decimal("1.25")),
        "a/rerank": Price(Decimal(0), searches=Decimal(2)),
        "vllm/mine": Price(Decimal(0), gpu_hour=Decimal(36)),
    },
    "2026-03-01",
)


def call(
    model: str,
    usage: Usage,
    *,
    trace: str | None = "q1",
    day: int = 30,
    tags: Tags = Tags("answer", "acme", "r1", "s1", "web"),
    kind: Kind = "chat",
    seconds: float = 0.5,
) -> LedgerEntry:
    cost = PRICES.cost(model, usage, seconds=seconds)
    at = datetime(2026, 3, day, 23, 59, 59, tzinfo=UTC)
    return LedgerEntry(kind, model, usage, cost, seconds, trace, "span", tags, None, at)


CALLS = [
    call("a/small", Usage(900, 100, 400)),  # 500 + 40 + 500 = 1,040 micro-dollars
    call("a/rerank", Usage(searches=1), kind="rerank"),  # 2,000
    call("st/embedder", Usage(12), kind="embedding"),
    call("a/big", Usage(2000, 10), trace="q2", day=31, tags=Tags("search", "globex")),  # 40,000 + 750
    call("a/small", Usage(100, 20), trace="q2", day=31, tags=Tags("rewrite", "globex")),  # 100 + 100
    call("vllm/other", Usage(10, 10), trace="q2", day=31, tags=Tags("answer", "globex")),  # unknown
    call("vllm/mine", Usage(10, 10), trace="q3", day=31, tags=Tags("answer")),  # 0.5 s: 5,000
    call("a/small", Usage(1000), trace="load", day=29, tags=Tags("ingest")),  # 1,000, no question
]  # fmt: skip


def reported(
    tmp_path: Path,
    calls: Sequence[LedgerEntry] = CALLS,
    *,
    by: By = "day",
    selection: Selection = ALL,
    costs: CostSettings | None = None,
    reference: str | None = None,
) -> CostReport:
    path = tmp_path / "home.db"
    ledger = Ledger(open_database(path, [component()]), path)
    ledger.record(*calls)
    reader = LedgerReader(path)
    return cost_report(reader, selection, PRICES, today=TODAY, by=by, costs=costs, reference=reference)


@pytest.mark.parametrize(
    ("by", "lines"),
    [
        ("day", {"2026-03-29": (0, "1000", 0), "2026-03-30": (1, "3040", 0), "2026-03-31": (2, "45950", 1)}),
        ("tenant", {"globex": (1, "40950", 1), None: (1, "6000", 0), "acme": (1, "3040", 0)}),
        (
            "model",
            {
                "a/big": (1, "40750", 0),
                "vllm/mine": (1, "5000", 0),
                "a/small": (2, "2240", 0),
                "a/rerank": (1, "2000", 0),
                "st/embedder": (1, "0", 0),
                "vllm/other": (1, "0", 1),
            },
        ),
        (
            "purpose",
            {"search": (1, "40750", 0), "answer": (3, "8040", 1), "ingest": (0, "1000", 0), "rewrite": (1, "200", 0)},
        ),
        ("release", {None: (2, "46950", 1), "r1": (1, "3040", 0)}),
        ("key", {None: (2, "46950", 1), "web": (1, "3040", 0)}),
        ("session", {None: (2, "46950", 1), "s1": (1, "3040", 0)}),
    ],
)
def test_lines_by_everything(tmp_path: Path, by: By, lines: dict[str | None, tuple[int, str, int]]) -> None:
    report = reported(tmp_path, by=by)
    found = {line.name: (line.queries, line.cost * 1_000_000, line.unpriced) for line in report.lines}
    assert found == {name: (queries, Decimal(cost), unpriced) for name, (queries, cost, unpriced) in lines.items()}
    assert [line.name for line in report.lines] == list(lines)
    total = report.total
    assert (total.calls, total.queries, total.unpriced, total.cost) == (8, 3, 1, Decimal("0.04999"))
    assert total.usage.input_tokens == 4032
    assert total.usage.searches == 1


def test_a_day_ends_at_midnight_and_a_tenant_sees_its_own(tmp_path: Path) -> None:
    report = reported(tmp_path, selection=Selection(date(2026, 3, 30), date(2026, 3, 30)))
    assert (report.first, report.last, report.total.cost) == (date(2026, 3, 30), date(2026, 3, 30), Decimal("0.00304"))
    (tmp_path / "another").mkdir()
    alone = reported(tmp_path / "another", selection=Selection(tenant="globex"))
    assert (alone.total.calls, alone.queries.count, alone.forecast.spent) == (3, 1, Decimal("0.04095"))
    with pytest.raises(InputError, match="no day from 2026-03-31 until 2026-03-30"):
        Selection(date(2026, 3, 31), date(2026, 3, 30))


def test_a_thousand_questions_cost_what_their_traces_did(tmp_path: Path) -> None:
    report = reported(tmp_path)
    assert (report.queries.count, report.queries.cost, report.queries.unpriced) == (3, Decimal("0.04899"), 1)
    assert report.per_thousand == Decimal("16.33")


def test_what_it_went_to(tmp_path: Path) -> None:
    costs = CostSettings.model_validate(
        {
            "local_hour": "7.2",
            "vector_database": {"per_month": 31, "per_gb": "0.5", "gb": 62},
            "transfer": {"per_gb": 1},
        }
    )
    compute, api, database, transfer = reported(tmp_path, costs=costs).parts
    assert (compute.name, compute.cost) == ("compute", Decimal("0.006"))  # 0.5 s at $36 and 0.5 s at $7.2 an hour
    assert (api.name, api.cost) == ("model API", Decimal("0.04499"))
    assert (database.name, database.cost) == ("vector database", Decimal(6))  # 3 of the 31 days of $62
    assert (transfer.name, transfer.cost) == ("transfer", Decimal(0))


def test_what_nobody_priced_is_not_free(tmp_path: Path) -> None:
    report = reported(tmp_path, [call("st/embedder", Usage(12), kind="embedding")])
    compute, api, database, transfer = report.parts
    assert (compute.cost, database.cost, transfer.cost) == (None, None, None)
    assert compute.note is not None
    assert "0.5 s of this machine: not configured (routing.costs.local_hour)" in compute.note
    assert database.note == "not configured (routing.costs.vector_database)"
    assert (api.cost, report.cost) == (Decimal(0), Decimal(0))


def test_upkeep_is_not_divided_among_tenants(tmp_path: Path) -> None:
    costs = CostSettings.model_validate({"vector_database": {"per_month": 31}})
    report = reported(tmp_path, costs=costs, selection=Selection(tenant="acme"))
    assert report.parts[2].cost is None
    assert report.parts[2].note == "of all tenants together; not divided among them"


def test_what_caching_saved_is_what_the_same_prompts_would_have_cost_less_what_they_did(tmp_path: Path) -> None:
    calls = [
        call("a/small", Usage(900, 100, 400)),  # 400 at 1 instead of 0.1: 360
        call("a/big", Usage(2000, 10, 1000)),  # a long prompt: 1,000 at 20 instead of 2: 18,000
        call("a/small", Usage(1000, 0, 0, 1000)),  # written and never read: -250
        call("vllm/other", Usage(10, 10, 5)),
    ]
    caching = reported(tmp_path, calls).caching
    assert caching.saved == Decimal("0.01811")
    assert caching.instead_of == Decimal("0.0014") + Decimal("0.04075") + Decimal("0.001")
    assert (caching.calls, caching.unknown) == (3, 1)


def test_what_routing_saved_against_a_reference(tmp_path: Path) -> None:
    calls = [
        *CALLS,
        replace(call("a/small", Usage(500)), tier="batch", cost=Decimal("0.00025")),  # it has no price in batches
        call("a/small", Usage(1500, 100)),  # 2,000 paid; long at the reference: 30,000 + 7,500
    ]
    routing = reported(tmp_path, calls, reference="a/big").routing
    assert routing is not None
    # 900, 400 of them cached, and 100: 5,000 + 400 + 5,000; 100 and 20: 2,000; vllm/mine: 10 and 10: 600; 1,000: 10,000
    would = Decimal("0.0104") + Decimal("0.002") + Decimal("0.0006") + Decimal("0.01") + Decimal("0.0375")
    paid = Decimal("0.00104") + Decimal("0.0002") + Decimal("0.005") + Decimal("0.001") + Decimal("0.002")
    assert (routing.instead_of, routing.saved) == (would, would - paid)
    assert (routing.calls, routing.unknown) == (5, 2)
    with pytest.raises(InputError, match="no price of a/bigg"):
        reported(tmp_path, [], reference="a/bigg")


def test_per_request_prices_are_counted_once_a_call(tmp_path: Path) -> None:
    prices = PRICES.with_prices({"a/asked": Price(Decimal(1), requests=Decimal(5))})
    path = tmp_path / "home.db"
    ledger = Ledger(open_database(path, [component()]), path)
    ledger.record(*[call("a/small", Usage(100))] * 3)
    report = cost_report(LedgerReader(path), Selection(), prices, today=TODAY, reference="a/asked")
    assert report.routing is not None
    assert report.routing.instead_of == Decimal("0.0003") + Decimal("0.015")


def test_a_ledger_without_a_call(tmp_path: Path) -> None:
    report = reported(tmp_path, [])
    assert (report.lines, report.first, report.per_thousand, report.total.calls) == ((), None, None, 0)
    assert report.forecast.estimate is None


def test_sums_do_not_round(tmp_path: Path) -> None:
    """A hundred times a tenth of a cent of a cent, and one that a float could not hold beside it."""
    tiny = [replace(call("a/small", Usage(1)), cost=Decimal("0.0000000000001"))] * 100
    large = replace(call("a/small", Usage(1)), cost=Decimal("123456789.01"))
    assert reported(tmp_path, [*tiny, large]).total.cost == Decimal("123456789.01000000001")


def test_where_no_price_is_known_nothing_is_said_to_cost_0(tmp_path: Path) -> None:
    report = reported(tmp_path, [call("vllm/other", Usage(10, 10))] * 2)
    api = report.parts[1]
    assert (api.cost, api.unpriced, api.note) == (None, 2, "2 of unknown price")
    assert (report.queries.count, report.per_thousand) == (1, None)
    assert (report.forecast.spent, report.forecast.estimate, report.forecast.unpriced) == (Decimal(0), None, 2)


def test_the_forecast_says_how_many_calls_it_is_without(tmp_path: Path) -> None:
    assert reported(tmp_path).forecast.unpriced == 1
    (tmp_path / "another").mkdir()
    assert reported(tmp_path / "another", selection=Selection(tenant="acme")).forecast.unpriced == 0


def test_small_sums_of_a_kind_are_not_rounded_away(tmp_path: Path) -> None:
    note = reported(tmp_path, [call("a/small", Usage(100)), call("a/small", Usage(5), kind="embedding")]).parts[1].note
    assert note == "chat $0.000100, embedding $0.000005"


def test_the_last_day_there_is_ends_no_report(tmp_path: Path) -> None:
    assert reported(tmp_path, selection=Selection(until=date.max)).total.calls == 8
