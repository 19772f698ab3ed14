"""Runs go on where they were interrupted, count what failed, and stop when every row would fail."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from evals.experiment import ROWS, begin, read_manifest, read_outcomes, unfinished
from evals.harness import evaluate, evaluate_suite
from evals.outcome import Outcome
from evals.result import EvalOutput
from evals.rows import load_dataset
from evals.run import ask_all, outcome_of
from plumbline.errors import CorruptStateError, InputError
from rag import RAG
from routing.chat import ChatRequest
from routing.errors import AuthenticationError, ModelError, OverloadedError
from routing.testing.fakes import ScriptedChatModel
from tests.evals.conftest import write_rows

DEAD = "{generation.model: 'openai-compatible/m@http://127.0.0.1:9/v1', routing.retry.attempts: 1}"


def run(shop: Path, **how: Any) -> EvalOutput:
    return evaluate_suite(shop / "suite.yaml", out=shop / "out", home=shop / "home", **how)


def test_a_suite_from_file_to_result(shop: Path) -> None:
    output = run(shop)
    assert output.experiment.startswith("EXP-")
    assert output.experiment.endswith("-001")
    scores = {(score.config, score.metric): score for score in output.scores}
    assert {config for config, _ in scores} == {"default", "lexical and more", "bm25"}
    best = scores["default", "correct"]
    assert best.interval is not None
    assert (best.interval.estimate, best.rows, best.of, best.failed) == (1.0, 4, 4, 0)
    assert scores["default", "recall@1"].rows == 3
    took = {row.config: row for row in output.taken}["default"]
    assert (took.answered, took.unpriced, took.cost, took.per_1000) == (4, 0, Decimal(0), Decimal(0))
    assert took.p50 is not None
    assert took.per_correct is not None
    assert took.per_correct.estimate == 0.0
    assert output.gate.passed
    folder = Path(output.folder)
    assert json.loads((folder / "result.json").read_text(encoding="utf-8"))["suite"] == "shop"
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "How long do parcels to Norway take?" in page
    assert "<svg" in page
    assert "http://" not in page.replace("http://www.w3.org", "")  # nothing is loaded from elsewhere
    assert run(shop).experiment.endswith("-002")


def test_an_unfinished_experiment_is_gone_on_with(shop: Path) -> None:
    first = Path(run(shop).folder)
    (first / "result.json").unlink()
    rows = (first / ROWS).read_text(encoding="utf-8").splitlines(keepends=True)
    mine = json.loads(rows[0])
    mine["outcome"]["answer"]["text"] = "An answer that no run would give: this is not asked again."
    kept = [json.dumps(mine) + "\n", *rows[1:5], rows[5][:40]]  # killed while writing the sixth
    (first / ROWS).write_text("".join(kept), encoding="utf-8")
    done: list[int] = []
    output = run(shop, on_row=lambda count, total: done.append(count))
    assert (Path(output.folder), output.experiment) == (first, first.name)
    assert done == list(range(6, 13))
    outcomes = read_outcomes(first)
    assert len(outcomes) == 12
    asked_once = outcomes[mine["config"], mine["example"]].answer
    assert asked_once is not None
    assert asked_once.text == mine["outcome"]["answer"]["text"]
    assert unfinished(first.parent, read_manifest(first).fingerprint) is None


def test_afresh_and_other_fingerprints_begin_anew(shop: Path) -> None:
    first = Path(run(shop).folder)
    (first / "result.json").unlink()
    assert run(shop, afresh=True).experiment.endswith("-002")
    (shop / "corpus" / "more.txt").write_text("More.", encoding="utf-8")
    assert run(shop).experiment.endswith("-003")


def test_a_damaged_row_is_an_error_and_nothing_is_lost(shop: Path) -> None:
    first = Path(run(shop).folder)
    (first / "result.json").unlink()
    held = (first / ROWS).read_text(encoding="utf-8")
    (first / ROWS).write_text("{broken\n" + held, encoding="utf-8")
    with pytest.raises(CorruptStateError, match=r"rows.jsonl:1 cannot be read"):
        run(shop)
    assert held in (first / ROWS).read_text(encoding="utf-8")


def test_a_dead_model_fails_its_rows_and_nobody_else_answers_for_it(shop: Path) -> None:
    pytest.importorskip("openai")
    suite = shop / "suite.yaml"
    suite.write_text(suite.read_text(encoding="utf-8").replace("default: {}", f"default: {DEAD}"), encoding="utf-8")
    output = run(shop)
    score = next(score for score in output.scores if (score.config, score.metric) == ("default", "correct"))
    assert score.interval is not None
    assert (score.interval.estimate, score.failed, score.rows, output.degraded) == (0.0, 4, 4, 0)
    (failure,) = output.failures
    assert (failure.config, failure.failed) == ("default", 4)
    assert failure.error.startswith("ConnectionFailedError: ")
    assert output.gate.reasons == ["default answered none of its 4 questions"]  # however well the others did
    assert next(found for found in output.differences if found.config == "bm25").interval.estimate == 1.0


def test_failed_rows_are_tried_again(shop: Path, kb: RAG) -> None:
    del kb
    experiment = begin(shop / "out", "s", {})
    experiment.add(("a", "q"), Outcome(None, error="DeadlineError: late"))
    experiment.close()
    again = unfinished(shop / "out", {})
    assert again is not None
    again.add(("a", "q"), Outcome(None, seconds=1.0))
    again.close()
    assert read_outcomes(again.folder) == {("a", "q"): Outcome(None, seconds=1.0)}


def test_experiments_that_start_at_once_get_numbers_of_their_own(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as pool:
        experiments = list(pool.map(lambda _: begin(tmp_path, "s", {}), range(16)))
    for experiment in experiments:
        experiment.close()
    assert len({experiment.manifest.id for experiment in experiments}) == 16


@pytest.fixture
def kb(shop: Path, model: Callable[[], ScriptedChatModel]):
    with RAG.open(
        shop / "kb", home=shop / "home", environ={}, model=model(), settings={"routing.fallback": "none"}
    ) as base:
        base.ingest(shop / "corpus")
        yield base


@pytest.fixture
def model() -> Callable[[], ScriptedChatModel]:
    return lambda: ScriptedChatModel(answer)


def answer(request: ChatRequest) -> str:
    """Right about Norway, wrong about the rest; a fault of its own on Iceland."""
    if "Iceland" in (request.question or ""):
        raise ValueError("a bug in a user's model")
    return "4 days" if "Norway" in (request.question or "") else "No idea, perhaps a week."


def test_evaluate_an_open_knowledge_base(shop: Path, kb: RAG) -> None:
    (score,) = evaluate(kb, shop / "questions.jsonl", metrics=["correct"])
    assert score.interval is not None
    assert (score.interval.estimate, score.failed, score.rows) == (0.25, 1, 4)


async def test_a_failed_question_is_charged_with_what_the_ledger_knows(shop: Path, kb: RAG) -> None:
    examples = {example.id: example for example in load_dataset(shop / "questions.jsonl").examples}
    failed = await outcome_of(kb, examples["iceland"])
    assert failed.error == "ValueError: a bug in a user's model"
    assert failed.lost is not None
    assert failed.lost.usage.input_tokens > 0  # of embedding the question


async def test_evaluate_works_inside_a_running_loop(shop: Path, kb: RAG) -> None:
    (score,) = evaluate(kb, load_dataset(shop / "questions.jsonl").limited(2), metrics=["correct"])
    assert score.rows == 2


def test_labels_that_the_corpus_does_not_bear_out(shop: Path, kb: RAG) -> None:
    write_rows(shop / "bad.jsonl", [{"id": "x", "question": "?", "document": "retuns.txt"}])
    with pytest.raises(InputError, match=r"Example 'x' names the document 'retuns.txt'.*Did you mean 'returns.txt'"):
        evaluate(kb, shop / "bad.jsonl")


@pytest.mark.parametrize("error", [OverloadedError("later", model="m"), AuthenticationError("no", model="m")])
def test_an_error_that_every_row_would_meet_ends_the_run(shop: Path, error: ModelError) -> None:
    examples = load_dataset(shop / "questions.jsonl").examples
    outcomes: dict[str, Outcome] = {}
    settings = {"routing.fallback": "none", "routing.retry.attempts": 1}
    with RAG.open(
        shop / "kb", home=shop / "home", environ={}, model=ScriptedChatModel(error), settings=settings
    ) as base:
        base.ingest(shop / "corpus")
        asked = ask_all(base, examples, lambda example, outcome: outcomes.update({example.id: outcome}), 2)
        if isinstance(error, AuthenticationError):
            with pytest.raises(AuthenticationError):
                asyncio.run(asked)
        else:
            asyncio.run(asked)
            assert [outcome.error for outcome in outcomes.values()] == ["OverloadedError: later"] * 4
