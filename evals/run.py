"""Runs a suite: every configuration answers every question once, and what is there already is not asked again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from evals.corpus import ingested, knowledge_base, located_in
from evals.dataset import Dataset, Example
from evals.experiment import Experiment, begin, unfinished
from evals.outcome import Outcome, Spent
from evals.suite import Config, Suite
from plumbline.aio import together
from plumbline.errors import PlumblineError
from plumbline.trace import current_ids
from rag import RAG
from rag.config import build
from routing.batch.aside import lending
from routing.chat import Usage
from routing.cost.ledger import LedgerEntry
from routing.cost.prices import total_cost
from routing.errors import AuthenticationError, MissingKeyError, ModelNotFoundError

OnRow = Callable[[int, int], None]
"""Called with how many rows are done and how many there are."""

OnOutcome = Callable[[Example, Outcome], None]

IN_FLIGHT = 10_000
"""So many questions wait for a batch at most: their evidence is in memory."""
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
    the run. Configurations whose models answer in batches are asked everything at the same time, and beside the others.
    Raises `InputError` for labels that the corpus does not bear out, `ModelError`, `StateError`.
    """
    fingerprint = suite.fingerprint()
    experiment = (None if afresh else unfinished(out, fingerprint)) or begin(out, suite.name, fingerprint)
    asking = _Asking(suite, experiment, home, on_row)
    try:
        await asking.everything()
    except BaseException:
        experiment.abandon()
        raise
    experiment.close()
    return Run(suite, asking.dataset, experiment, tuple(asking.notes))


class _Asking:
    """One run of a suite: what is done, and what turned up on the way."""

    def __init__(self, suite: Suite, experiment: Experiment, home: Path, on_row: OnRow | None) -> None:
        self._suite = suite
        self._experiment = experiment
        self._home = home
        self._on_row = on_row
        self._done = {key for key, outcome in experiment.outcomes.items() if not outcome.failed}
        self.dataset = suite.dataset
        self.notes: dict[str, None] = {}

    async def everything(self) -> None:
        """Ask all configurations: those that wait for batches at the same time, the others one after the other."""
        configs = self._suite.configs
        async with AsyncExitStack() as bases:
            asking = [
                self._ask(config, *await bases.enter_async_context(self._base(config)))
                for config in configs
                if config.settings.generation.batch
            ]
            in_turn = self._in_turn([config for config in configs if not config.settings.generation.batch])
            await together([in_turn, *asking])

    async def _in_turn(self, configs: Sequence[Config]) -> None:
        for config in configs:
            async with self._base(config) as (kb, dataset):
                await self._ask(config, kb, dataset)

    @asynccontextmanager
    async def _base(self, config: Config) -> AsyncIterator[tuple[RAG, Dataset]]:
        """The knowledge base of a configuration, filled, and the data with its gold spans found there."""
        path = knowledge_base(self._suite.corpus, config.settings, self._home)
        async with RAG(build(path, config.settings, home=self._home)) as kb:
            kb.require_model()
            self.notes.update(dict.fromkeys(await ingested(kb, self._suite.corpus)))
            self.dataset = located_in(kb, self._suite.dataset)
            yield kb, self.dataset

    async def _ask(self, config: Config, kb: RAG, dataset: Dataset) -> None:
        total = len(self._suite.configs) * len(self._suite.dataset.examples)

        def keep(example: Example, outcome: Outcome) -> None:
            self._experiment.add((config.name, example.id), outcome)
            self._done.add((config.name, example.id))
            if self._on_row is not None:
                self._on_row(len(self._done), total)

        left = [example for example in dataset.examples if (config.name, example.id) not in self._done]
        await ask_all(kb, left, keep, self._suite.concurrency)


async def ask_all(kb: RAG, examples: Sequence[Example], keep: OnOutcome, concurrency: int) -> None:
    """Ask every question, `concurrency` at a time, and hand each outcome to `keep`.

    Those whose answers are waited for in a batch do not count.
    """
    slots, in_flight = asyncio.Semaphore(concurrency), asyncio.Semaphore(IN_FLIGHT)

    async def one(example: Example) -> None:
        async with in_flight, slots:
            with lending(slots):
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
