from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from evals.cost.replay import Run, replay, start_over
from evals.cost.row import Row
from plumbline.errors import ConfigError, CorruptStateError, InputError
from rag.config import open_home
from routing.chat import Usage
from routing.errors import AuthenticationError, MissingKeyError
from routing.testing.server import FakeProvider, Fault
from routing.testing.wire import Script

from .conftest import MakeSuite

REAL = {"real": {"settings": {"generation.model": "openai/gpt-4o-mini", "routing.fallback": "none"}}}


def same(rows: tuple[Row, ...]) -> list[Row]:
    """The rows without what the machine measured."""
    return [
        replace(row, seconds=0, trace_id="", stages={k: replace(s, seconds=0) for k, s in row.stages.items()})
        for row in rows
    ]


async def test_every_query_goes_through_every_config_and_is_priced_from_the_ledger(
    suite: MakeSuite, tmp_path: Path
) -> None:
    ready = suite()
    run = await replay(ready, tmp_path / "out", environ={})
    assert [(row.query, row.config) for row in run.rows] == [
        (query.id, config) for query in ready.workload.queries for config in ("quoting", "small")
    ]
    home = open_home(tmp_path / "out" / "work" / "home")
    for row in run.rows:
        calls = home.ledger.of_trace(row.trace_id)
        assert row.cost == sum(call.cost for call in calls if call.cost is not None)
        assert row.cost == sum(stage.cost for stage in row.stages.values() if stage.cost is not None)
        assert row.output_tokens == sum(call.usage.output_tokens for call in calls)
        assert row.seconds == pytest.approx(sum(stage.seconds for stage in row.stages.values()), abs=0.2)
        assert set(row.stages) >= {"embed", "retrieve", "generate", "ground"}
    home.close()
    quoting = [row for row in run.rows if row.config == "quoting"]
    small = [row for row in run.rows if row.config == "small"]
    assert all(row.cost == 0 and row.seconds < 5 for row in quoting)
    assert all(row.cost and row.stages["generate"].cost == row.cost for row in small)
    assert all(row.stages["generate"].seconds > 0.3 and row.estimated for row in small)
    assert run.spent == 0
    assert run.reused == 0
    assert run.ingest_costs == {"quoting": 0}


async def test_an_interrupted_run_goes_on_and_ends_as_if_it_had_not_been(suite: MakeSuite, tmp_path: Path) -> None:
    configs: dict[str, Any] = {"quoting": {}, "own": {"simulate": "vllm-8b"}}
    ready = suite(configs)
    whole = await replay(ready, tmp_path / "whole", environ={})

    def stop(done: int, total: int) -> None:
        if done == 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await replay(ready, tmp_path / "out", environ={}, on_row=stop)
    with (tmp_path / "out" / "rows.jsonl").open("ab") as file:
        file.write(b'{"row": {"config": "qu')
    seen: list[int] = []
    rest = await replay(ready, tmp_path / "out", environ={}, on_row=lambda done, _: seen.append(done))
    assert rest.reused == 9
    assert seen == list(range(10, 17))
    assert same(rest.rows) == same(whole.rows)
    assert any(row.cache == "prefix" for row in rest.rows[9:])
    again = await replay(ready, tmp_path / "out", environ={})
    assert again.rows == rest.rows


async def test_another_suite_in_the_same_folder_is_an_error(suite: MakeSuite, tmp_path: Path) -> None:
    out = tmp_path / "out"
    await replay(suite({"quoting": {}}, queries=2), out, environ={})
    with pytest.raises(InputError, match=r"another run: workload, configs differ\."):
        await replay(suite(queries=3), out, environ={})
    start_over(out)
    assert len((await replay(suite(queries=3), out, environ={})).rows) == 6


async def test_a_damaged_row_is_an_error_and_nothing_is_removed(suite: MakeSuite, tmp_path: Path) -> None:
    out = tmp_path / "out"
    await replay(suite({"quoting": {}}, queries=2), out, environ={})
    path = out / "rows.jsonl"
    lines = path.read_text("utf-8").splitlines()
    path.write_text("\n".join([*lines[:-1], '{"row": {"config": "quoting"}}', ""]), "utf-8")
    before = path.read_bytes()
    with pytest.raises(CorruptStateError, match=rf"rows\.jsonl:{len(lines)}"):
        await replay(suite({"quoting": {}}, queries=2), out, environ={})
    assert path.read_bytes() == before


async def test_a_file_that_cannot_be_read_is_noted_for_good(suite: MakeSuite, folder: Path, tmp_path: Path) -> None:
    (folder / "docs" / "broken.pdf").write_bytes(b"%PDF-1.4 nothing else")
    for _ in range(2):
        run = await replay(suite({"quoting": {}}, queries=2), tmp_path / "out", environ={})
        (note,) = run.notes
        assert note.startswith("broken.pdf could not be read: ")


async def test_a_model_without_a_price_has_an_unknown_cost(suite: MakeSuite, tmp_path: Path) -> None:
    run = await replay(suite({"own": {"simulate": "vllm-8b"}}, queries=2), tmp_path / "out", environ={})
    assert [row.cost for row in run.rows] == [None, None]
    assert run.rows[0].stages["generate"].cost is None
    assert run.rows[0].stages["embed"].cost == 0
    priced = {"simulate": "vllm-8b", "settings": {"routing.prices": {"vllm/Qwen3-8B": {"input": 1, "output": 2}}}}
    run = await replay(suite({"own": priced}, queries=2), tmp_path / "priced", environ={})
    assert all(row.cost for row in run.rows)


def environ(server: FakeProvider) -> dict[str, str]:
    return {"OPENAI_API_KEY": "sk-test", "OPENAI_BASE_URL": f"{server.url}/v1"}


async def real_run(suite: MakeSuite, out: Path, server: FakeProvider, budget: str, **more: Any) -> Run:
    ready = suite({"quoting": {}, **REAL}, environ(server), budget=budget, **more)
    return await replay(ready, out, environ=environ(server))


ANSWER = Script(pieces=("12 euros ", "[Source: shipping.md]."), usage=Usage(input_tokens=200, output_tokens=1000))
COST = (200 * Decimal("0.15") + 1000 * Decimal("0.60")) / 1_000_000


async def test_real_models_run_until_the_budget_is_spent_and_on_when_it_is_raised(
    suite: MakeSuite, tmp_path: Path
) -> None:
    pytest.importorskip("openai")
    async with FakeProvider(ANSWER) as server:
        run = await real_run(suite, tmp_path / "out", server, "0.0025")
        assert run.stopped is not None
        assert "openai/gpt-4o-mini can cost up to" in run.stopped
        done = len(server.requests)
        assert run.spent == done * COST <= Decimal("0.0025")
        assert 0 < done < 8
        assert [row.cost for row in run.rows if row.config == "real"] == [COST] * done
        assert len(run.rows) == 2 * done + 1
        assert len(run.compared) == 2 * done
        rest = await real_run(suite, tmp_path / "out", server, "1")
    assert rest.stopped is None
    assert len(server.requests) == 8
    assert rest.spent == 8 * COST
    assert rest.rows[: len(run.rows)] == run.rows


@pytest.mark.parametrize("budget", ["0.0003", "0.0007"])
async def test_a_budget_below_one_call_is_an_error_before_anything_is_sent(
    suite: MakeSuite, tmp_path: Path, budget: str
) -> None:
    pytest.importorskip("openai")
    async with FakeProvider(ANSWER) as server:
        with pytest.raises(ConfigError, match="call of openai/gpt-4o-mini can cost") as caught:
            await real_run(suite, tmp_path / "out", server, budget)
    assert caught.value.key == "budget"
    assert server.requests == []


async def test_a_failing_provider_makes_rows_with_an_error_and_a_refused_key_ends_the_run(
    suite: MakeSuite, tmp_path: Path
) -> None:
    pytest.importorskip("openai")
    quick = {"routing.retry.attempts": 1}
    configs = {"real": {"settings": {**REAL["real"]["settings"], **quick}}}
    async with FakeProvider(ANSWER, faults=[Fault("status", 500)]) as server:
        ready = suite(configs, environ(server), budget="1", queries=3)
        run = await replay(ready, tmp_path / "out", environ=environ(server))
        first, *others = run.rows
        assert first.error is not None
        assert (first.answer, first.correct, first.failed_tries) == ("", False, 1)
        assert first.cost == 0
        assert [row.error for row in others] == [None, None]
        server.faults.append(Fault("status", 401))
        ready = suite(configs, environ(server), budget="1", queries=4)
        with pytest.raises(AuthenticationError):
            await replay(ready, tmp_path / "wrong", environ=environ(server))


@pytest.mark.parametrize(
    ("configs", "settings", "message"),
    [
        (REAL, {}, "there is no budget"),
        (
            {"mine": {"settings": {"generation.model": "vllm/mine@http://localhost:1"}}},
            {"budget": 1},
            "no price for vllm",
        ),
        ({"x": {"simulate": "gpt-5"}}, {}, "no simulated provider 'gpt-5'"),
        ({"x": {"simulate": "gpt-4o", "settings": {"generation.model": "openai/o3"}}}, {}, "simulates openai/gpt-4o"),
        ({"x": {"settings": {"retrieval.topk": 3}}}, {}, r"retrieval\.topk.*top_k"),
        ({"x": {"config": "defualt"}}, {}, "Did you mean 'default'"),
        ({"x": {}}, {"levers": {"routing": {"without": "x", "with": "y"}}}, r"levers\.routing: .*'y'"),
        ({"x": {}}, {"levers": {"rooting": {"without": "x", "with": "x"}}}, "Did you mean 'routing'"),
    ],
)
def test_what_cannot_work_is_an_error_before_anything_is_asked(
    suite: MakeSuite, configs: dict[str, Any], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        suite(configs, **settings)


def test_a_missing_key_is_an_error_before_anything_is_asked(suite: MakeSuite) -> None:
    pytest.importorskip("openai")
    with pytest.raises(MissingKeyError, match="OPENAI_API_KEY"):
        suite({"quoting": {}, **REAL}, budget=1)


def test_missing_documents_are_an_error(suite: MakeSuite) -> None:
    with pytest.raises(InputError, match="no file or folder"):
        suite(docs="nowhere")
