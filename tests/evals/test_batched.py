"""Suites whose questions are answered in batches: one flag, all questions together, gone on with after a crash."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest

from evals.harness import evaluate_suite
from evals.result import EvalOutput
from evals.suite import load_suite
from rag.config import open_home
from routing.testing.batches import Arrived, FakeBatches, Loss

pytest.importorskip("openai")
pytest.importorskip("anthropic")
SUITE = """
name: shop
data: questions.jsonl
corpus: corpus
concurrency: 1
configs:
  small: {generation.model: anthropic/claude-haiku-4-5}
  mini: {generation.model: openai/gpt-5-mini, chunking.size: 256}
  quoting: {retrieval.mode: lexical, retrieval.top_n: 2}
metrics: [correct, recall@1, cost]
"""


@pytest.fixture
def suite(shop: Path) -> Path:
    path = shop / "suite.yaml"
    path.write_text(SUITE, "utf-8")
    return path


def environ(server: FakeBatches) -> dict[str, str]:
    return {
        "OPENAI_API_KEY": "k" * 30,
        "OPENAI_BASE_URL": f"{server.url}/v1",
        "ANTHROPIC_API_KEY": "k" * 30,
        "ANTHROPIC_BASE_URL": server.url,
    }


def tiers(home: Path) -> Counter[tuple[str, str]]:
    opened = open_home(home)
    rows = [row for _, row in opened.ledger.after(0) if row.kind == "chat"]
    opened.close()
    return Counter((row.model, row.tier) for row in rows if row.model.partition("/")[0] != "extractive")


async def test_with_one_flag_all_questions_of_a_configuration_are_one_batch(
    suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with FakeBatches() as server:
        for name, value in environ(server).items():
            monkeypatch.setenv(name, value)

        def run() -> EvalOutput:
            return evaluate_suite(
                suite, out=suite.parent / "out", home=suite.parent / "home", overrides={"batch": True}
            )

        output = await asyncio.to_thread(run)
        assert [len(batch.lines) for batch in server.batches.values()] == [4, 4]
        both = {"anthropic/claude-haiku-4-5": 4, "openai/gpt-5-mini": 4}
        assert tiers(suite.parent / "home") == {(model, "batch"): count for model, count in both.items()}
        taken = {row.config: row for row in output.taken}
        assert [taken[name].answered for name in ("small", "mini", "quoting", "bm25")] == [4, 4, 4, 4]
        assert taken["small"].cost
        assert taken["mini"].cost
        await asyncio.to_thread(run)
        assert len(server.batches) == 4, "whoever evaluates again is answered anew"


async def test_a_suite_that_is_killed_while_it_waits_is_gone_on_with(
    suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, polled = suite.parent / "home", asyncio.Event()

    def choose(arrived: Arrived) -> Loss | None:
        if arrived.step == "GET /v1/batches" and len(server.batches) == 2:
            polled.set()
        return None

    async with FakeBatches(looks=1_000_000, choose=choose) as server:
        words = [sys.executable, "-m", "plumbline.cli", "eval", "run", str(suite), "--batch", "--json"]
        words += ["--home", str(home), "--out", str(suite.parent / "out")]
        killed = await asyncio.create_subprocess_exec(*words, env=os.environ | environ(server))
        ended = asyncio.ensure_future(killed.wait())
        await asyncio.wait([asyncio.ensure_future(polled.wait()), ended], return_when=asyncio.FIRST_COMPLETED)
        assert not ended.done(), "it waits for its batches"
        killed.send_signal(signal.SIGKILL)
        await ended
        for batch in server.batches.values():
            batch.looks = 1
        again = await asyncio.create_subprocess_exec(
            *words, env=os.environ | environ(server), stdout=asyncio.subprocess.PIPE
        )
        out, _ = await again.communicate()
        assert again.returncode == 0
        assert EvalOutput.model_validate_json(out).suite == "shop"
        assert len(server.taken) == 8, "nothing is sent again"
        assert set(tiers(home).values()) == {4}


def test_only_models_whose_providers_take_batches_are_asked_so(suite: Path) -> None:
    text = suite.read_text("utf-8").replace(
        "  quoting:", "  own: {generation.model: 'openai-compatible/x@http://localhost:1/v1'}\n  quoting:"
    )
    suite.write_text(text.replace("chunking.size: 256", "chunking.chunker: contextual"), "utf-8")
    loaded = load_suite(suite, home=suite.parent / "home", overrides={"batch": True}, environ={})
    batching = {config.name: config.settings.generation.batch for config in loaded.configs}
    assert {name for name, batch in batching.items() if batch} == {"small", "mini"}
    assert [config.name for config in loaded.configs if config.settings.chunking.batch] == ["mini"]
