"""From rows to numbers, tables, files and pictures: on rows made by hand."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from rich.console import Console

from evals.cost import show
from evals.cost.levers import lever_lines
from evals.cost.output import CostOutput, pareto_front
from evals.cost.plot import cost_quality
from evals.cost.replay import Run
from evals.cost.report import write_report
from evals.cost.row import Row, StageCost, from_entry, to_entry
from evals.cost.simulated import SIMULATED_SECONDS
from evals.cost.stages import account
from evals.cost.suite import Suite
from evals.cost.summary import summarize
from evals.interval import IntervalOutput
from plumbline.errors import InputError
from plumbline.trace import SpanRecord
from routing.chat import Usage
from routing.cost.ledger import LedgerEntry
from routing.cost.price_file import shipped_prices

from .conftest import MakeSuite

MINI = "openai/gpt-4.1-mini"  # .40 in, .10 cached, 1.60 out, per million


def row(config: str, number: int, *, cost: str | None = "0.001", correct: bool | None = True, cached: int = 0) -> Row:
    money = None if cost is None else Decimal(cost)
    stages = {
        "retrieve": StageCost(0.01),
        "generate": StageCost(1.0 + number / 100, money, 1, 1000, cached, 0, 50),
    }
    return Row(
        config=config,
        query=f"q{number}",
        question=f"=question {number % 6}",
        group=f"g{number % 6}",
        at=float(number),
        repeat_of=None,
        paraphrase_of=None,
        answer="30 days",
        refused=False,
        correct=correct,
        reason="says so",
        cost=money,
        full_price=None if money is None else money * 2,
        seconds=1.01 + number / 100,
        stages=stages,
        model=MINI,
        cache="prefix" if cached else "none",
        trace_id="ab",
    )


def run(suite: Suite, *groups: list[Row], stopped: str | None = None) -> Run:
    rows = tuple(one for many in zip(*groups, strict=False) for one in many)
    return Run(suite, rows, 0, Decimal("0.5"), {"quoting": Decimal(0)}, stopped, ("a.pdf could not be read: broken",))


@pytest.fixture
def ready(suite: MakeSuite) -> Suite:
    pair = {"routing": {"without": "small", "with": "quoting"}}
    return suite(levers=pair)


@pytest.fixture
def done(ready: Suite) -> Run:
    cheap = [row("quoting", n, cost="0.0005", correct=n % 2 == 0) for n in range(24)]
    dear = [row("small", n, cost="0.002", correct=n % 6 != 0, cached=512 if n > 6 else 0) for n in range(24)]
    return run(ready, cheap, dear)


def test_summary_counts_money_answers_tokens_and_time(done: Run) -> None:
    cheap, dear = summarize(done)
    assert (cheap.name, cheap.queries, cheap.assumed, dear.assumed) == ("quoting", 24, False, True)
    assert cheap.per_thousand is not None
    assert cheap.correct is not None
    assert dear.per_correct is not None
    assert cheap.per_thousand.estimate == pytest.approx(0.5)
    assert cheap.correct.estimate == pytest.approx(0.5)
    assert dear.per_correct.estimate == pytest.approx(0.002 * 24 / 20)
    assert dear.per_correct.low <= dear.per_correct.estimate <= dear.per_correct.high
    assert cheap.correct.clusters == 6
    assert (cheap.tokens("input_tokens"), cheap.tokens("output_tokens")) == (1000, 50)
    assert dear.prefix_cached == 17
    assert [cheap.p50, cheap.p95] == pytest.approx([1.125, 1.2285])
    assert [stage.name for stage in cheap.stages] == ["retrieve", "generate"]
    assert cheap.stages[1].cost == Decimal("0.0005")


def test_queries_of_one_question_are_resampled_together(ready: Suite) -> None:
    """Six questions in 24 queries tell less than 24 questions would."""
    rows = [row("quoting", n, correct=n % 6 < 3) for n in range(24)]
    apart = [replace(one, group=one.query) for one in rows]
    (together,), (single,) = (summarize(run(replace(ready, configs=ready.configs[:1]), some)) for some in (rows, apart))
    assert together.correct is not None
    assert single.correct is not None
    assert together.correct.high - together.correct.low > 1.4 * (single.correct.high - single.correct.low)


def test_an_unknown_price_is_unknown_everywhere_and_never_0(ready: Suite) -> None:
    rows = [row("quoting", n, cost=None if n == 3 else "0.001") for n in range(12)]
    result = CostOutput.of(run(replace(ready, configs=ready.configs[:1], levers={}), rows))
    (config,) = result.configs
    assert (config.dollars, config.dollars_per_1000_queries, config.dollars_per_correct_answer) == (None, None, None)
    assert config.rows_of_unknown_price == 1
    assert config.stages[1].cost is None
    assert not config.pareto
    assert cost_quality(result) is None
    assert "unknown" in printed(result)
    assert result.levers[0].not_measured is not None


def test_without_right_answers_or_gold_there_is_no_price_of_one(ready: Suite) -> None:
    alone = replace(ready, configs=ready.configs[:1], levers={})
    wrong = CostOutput.of(run(alone, [row("quoting", n, correct=False) for n in range(6)]))
    assert "none correct" in printed(wrong)
    unjudged = CostOutput.of(run(alone, [row("quoting", n, correct=None) for n in range(6)]))
    assert unjudged.configs[0].correct is None
    assert "not judged" in printed(unjudged)


def test_only_queries_that_all_configs_answered_are_compared(ready: Suite, done: Run) -> None:
    partial = replace(done, rows=done.rows[:-5], stopped="The budget is spent.")
    assert [summary.queries for summary in summarize(partial)] == [21, 21]
    result = CostOutput.of(partial)
    assert (result.workload.done, result.stopped) == (21, "The budget is spent.")
    assert "Stopped after 21 of 8 queries: The budget is spent." in printed(result)
    with pytest.raises(InputError, match=r"No query was answered by every configuration: spent"):
        CostOutput.of(replace(done, rows=done.rows[:1], stopped="spent"))


def test_the_front_holds_what_nothing_beats(done: Run) -> None:
    cheap, dear = summarize(done)
    assert pareto_front((cheap, dear)) == {"quoting", "small"}
    assert dear.correct is not None
    assert pareto_front((replace(cheap, name="best", correct=dear.correct), dear, cheap)) == {"best"}


def test_levers_are_measured_where_they_can_be(done: Run) -> None:
    caching, routing, batch, semantic = lever_lines(done)
    assert [saving.between for saving in caching.savings] == ["quoting", "small"]
    assert [saving.saved.estimate for saving in caching.savings] == pytest.approx([0.5, 0.5])
    assert [saving.assumed for saving in caching.savings] == [False, True]
    (saving,) = routing.savings
    assert saving.between == "quoting instead of small"
    assert saving.saved.estimate == pytest.approx(0.75)
    assert saving.gained is not None
    assert saving.gained.estimate == pytest.approx(12 / 24 - 20 / 24)
    assert (batch.savings, semantic.savings) == ((), ())
    text = printed(CostOutput.of(done))
    assert text.count("not measured: no pair of configurations names it") == 2


def test_files(done: Run, tmp_path: Path) -> None:
    result = CostOutput.of(done)
    paths = write_report(result, done.rows, tmp_path / "out")
    assert [path.name for path in paths] == ["cost.json", "cost.csv", "cost.html", "cost.png"]
    assert CostOutput.model_validate(json.loads(paths[0].read_text("utf-8"))) == result
    table = list(csv.DictReader(io.StringIO(paths[1].read_text("utf-8"))))
    assert len(table) == len(done.rows)
    assert table[0]["question"] == "'=question 0"
    assert (table[0]["cost"], table[0]["cost_generate"], table[0]["correct"]) == ("0.0005", "0.0005", "true")
    assert table[1]["cached_input_tokens"] == "0"
    page = paths[2].read_text("utf-8")
    assert "<svg" in page
    assert "assumed" in page
    assert "<script" not in page
    assert paths[3].read_bytes().startswith(b"\x89PNG")


def test_names_from_outside_are_text_in_page_and_terminal(done: Run, tmp_path: Path) -> None:
    result = CostOutput.of(done)
    odd = "<b>[red]$x^2$\x1b[31m"
    first = result.configs[0].model_copy(update={"config": odd})
    result = result.model_copy(update={"configs": [first, *result.configs[1:]], "name": odd})
    paths = write_report(result, done.rows, tmp_path)
    assert "<b>[red]" not in paths[2].read_text("utf-8")
    text = printed(result)
    assert "[red]$x^2$" in text
    assert "\x1b" not in text


def test_labels_do_not_cover_each_other(done: Run) -> None:
    result = CostOutput.of(done)
    many = [result.configs[0].model_copy(update={"config": f"variant number {n}"}) for n in range(6)]
    figure = cost_quality(result.model_copy(update={"configs": many}))
    assert figure is not None
    texts = [text for text in figure.axes[0].texts if text.get_text().startswith("variant")]
    boxes = [text.get_window_extent() for text in texts]
    assert len(boxes) == 6
    assert not [1 for i, one in enumerate(boxes) for other in boxes[:i] if one.overlaps(other)]


def test_a_row_survives_being_stored() -> None:
    for one in (row("small", 3, cached=128), row("small", 4, cost=None, correct=None)):
        assert from_entry(json.loads(json.dumps(to_entry(one)))) == one
    with pytest.raises(ValueError, match="no state of a cache"):
        from_entry({**to_entry(row("small", 1)), "cache": "odd"})


def test_stages_come_from_the_trace_and_money_from_the_ledger() -> None:
    def span(name: str, id_: str, parent: str | None, start: float, end: float, **attributes: float) -> SpanRecord:
        return SpanRecord("t", id_, parent, name, start, end, None, attributes)

    spans = [
        span("bench cost", "0", None, 0, 1.1),
        span("ask", "1", "0", 0, 1),
        span("embed", "2", "1", 0, 0.1),
        span("embeddings e", "3", "2", 0, 0.1),
        span("generate", "4", "1", 0.2, 0.5),
        span("chat m", "5", "4", 0.3, 0.4, **{SIMULATED_SECONDS: 2.0}),
    ]
    calls = [
        LedgerEntry("embedding", "embedded/wordllama", Usage(7), Decimal(0), 0.1, span_id="3"),
        LedgerEntry("chat", MINI, Usage(1000, 100, 500), Decimal("0.00041"), 0.1, span_id="5"),
        LedgerEntry("chat", MINI, Usage(10), Decimal("0.000004"), 0.1, span_id="lost"),
    ]
    costs = account(spans, calls, shipped_prices(), 1.1)
    assert {name: stage.seconds for name, stage in costs.stages.items()} == {
        "embed": pytest.approx(0.1),
        "generate": pytest.approx(0.3 - 0.1 + 2.0),
        "chat": 0.0,
    }
    assert costs.seconds == pytest.approx(1.1 - 0.1 + 2.0)
    assert costs.stages["generate"].cost == Decimal("0.00041")
    assert costs.cost == Decimal("0.000414")
    assert costs.full_price == Decimal("0.000564")
    unknown = account(spans, [*calls, LedgerEntry("chat", "vllm/x", Usage(1), None, 0.1)], shipped_prices(), 1)
    assert (unknown.cost, unknown.full_price) == (None, None)


def test_shares() -> None:
    near_nothing = IntervalOutput(estimate=-0.001, low=-0.004, high=None, level=0.95, n=9, clusters=3, method="t")
    assert show.share(near_nothing) == "0 % [0, ?]"
    assert show.share(near_nothing.model_copy(update={"estimate": 0.126}), sign=True) == "+13 % [0, ?]"


def printed(result: CostOutput) -> str:
    console = Console(file=io.StringIO(), width=160, highlight=False)
    show.report(console, result)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()
