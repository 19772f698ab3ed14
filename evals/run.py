"""Runs a suite: every configuration answers every question once, and what is there already is not asked again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from evals.corpus import ingested, knowledge_base, located_in
from evals.dataset import Dataset, Example
from evals.experiment import Experiment, begin, unfinished
from evals.outcome import Outcome, Spent
from evals.suite import Suite
from plumbline.errors import PlumblineError
from plumbline.trace import current_ids
from rag import RAG
from rag.config import build
from routing.chat import Usage
from routing.cost.ledger import LedgerEntry
from routing.cost.prices import total_cost
from routing.errors import AuthenticationError, MissingKeyError, ModelNotFoundError

OnRow = Callable[[int, int], None]
"""Called with how many rows are done and how many there are."""

OnOutcome = Callable[[Example, Outcome], None]

HOPELESS = (AuthenticationError, MissingKeyError, ModelNotFoundError)
"""Errors that every further row would meet, too: the run stops, and what is done stays."""


@dataclass(frozen=True, slots=True)
class Run:
    """A suite that was run: `dataset` has its gold spans found, `notes` are files that could not be read."""

    suite: Suite
    dataset: Dataset
    experiment: Experiment
    notes: tuple[str, ...]


async def run_suite(suite: Suite, out: Path, *, home: Path, afresh: bool = False, on_row: OnRow | None = None) -> Run:
    """Ask whatever has not been asked yet; an unfinished experiment of the same fingerprint is gone on with.

    Rows that failed are tried again then. One row's error is that row's outcome; a wrong key or an unknown model ends
    the run. Raises `InputError` for labels that the corpus does not bear out, `ModelError`, `StateError`.
    """
    fingerprint = suite.fingerprint()
    experiment = (None if afresh else unfinished(out, fingerprint)) or begin(out, suite.name, fingerprint)
    total = len(suite.configs) * len(suite.dataset.examples)
    done = {key for key, outcome in experiment.outcomes.items() if not outcome.failed}
    try:
        dataset, notes = suite.dataset, dict[str, None]()
        for config in suite.configs:

            def keep(example: Example, outcome: Outcome, config: str = config.name) -> None:
                experiment.add((config, example.id), outcome)
                done.add((config, example.id))
                if on_row is not None:
                    on_row(len(done), total)

            path = knowledge_base(suite.corpus, config.settings, home)
            async with RAG(build(path, config.settings, home=home)) as kb:
                kb.require_model()
                notes.update(dict.fromkeys(await ingested(kb, suite.corpus)))
                dataset = located_in(kb, suite.dataset)
                waiting = [example for example in dataset.examples if (config.name, example.id) not in done]
                await ask_all(kb, waiting, keep, suite.concurrency)
    except BaseException:
        experiment.abandon()
        raise
    experiment.close()
    return Run(suite, dataset, experiment, tuple(notes))


async def ask_all(kb: RAG, examples: Sequence[Example], keep: OnOutcome, concurrency: int) -> None:
    """Ask every question, `concurrency` at a time, and hand each outcome to `keep`."""
    slots = asyncio.Semaphore(concurrency)

    async def one(example: Example) -> None:
        async with slots:
            keep(example, await outcome_of(kb, example))

    try:
        async with asyncio.TaskGroup() as group:
            for example in examples:
                group.create_task(one(example))
    except* (PlumblineError, OSError) as errors:
        raise errors.exceptions[0] from None


async def outcome_of(kb: RAG, example: Example) -> Outcome:
    """Ask one question. What goes wrong is the row's outcome, unless every other row would meet it, too."""
    home = kb.parts.home
    started = time.perf_counter()
    with home.tracing.span("eval", {"plumbline.example": example.id}):
        trace_id, _ = current_ids()
        try:
            answer = await kb.aask(example.question)
        except HOPELESS:
            raise
        except Exception as error:  # noqa: BLE001 (one row's fault, be it in a user's own model, must not lose the run)
            seconds = time.perf_counter() - started
            lost = None if trace_id is None else _lost(home.ledger.of_trace(trace_id))
            return Outcome(None, error=f"{type(error).__name__}: {error}", seconds=seconds, lost=lost)
    return Outcome(replace(answer, hits=()), answer.hits, seconds=time.perf_counter() - started)


def _lost(calls: Sequence[LedgerEntry]) -> Spent:
    """What the calls of a question that failed did take."""
    return Spent(sum((call.usage for call in calls), Usage()), total_cost([call.cost for call in calls]))
