"""One configuration at work: its knowledge base is filled, and a query becomes a row."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from evals import run
from evals.cost.budget import Budget, BudgetSpentError
from evals.cost.budgeted import Purse
from evals.cost.catalog import bench_catalog
from evals.cost.configs import Config
from evals.cost.row import CacheState, Row
from evals.cost.simulated import Clock
from evals.cost.stages import account
from evals.cost.suite import Suite, simulated
from evals.cost.workload import Query
from evals.metrics.of_answers import judged
from plumbline.trace import current_ids, read_trace
from rag import RAG
from rag.config import build
from routing.errors import ModelError

if TYPE_CHECKING:
    from rag.config import Parts
    from rag.ingest.report import IngestReport
    from rag.types import Answer

HOPELESS = (*run.HOPELESS, BudgetSpentError)
"""What the next query would meet as well: the run ends, and its rows stay."""


@dataclass(frozen=True, slots=True)
class Lane:
    """A configuration with an open knowledge base; close it."""

    config: Config
    rag: RAG
    parts: Parts
    clock: Clock

    async def fill(self, docs: Path) -> IngestReport:
        """Bring the knowledge base in step with the documents, and see whether its models can be made."""
        _ = self.parts.router
        return await self.rag.aingest(docs)

    async def ask(self, query: Query) -> Row:
        """Ask one query; raises only what the next query would meet as well (`HOPELESS`)."""
        self.clock.now = query.at
        tracing = self.parts.home.tracing
        answer, failure = None, None
        started = time.perf_counter()
        with tracing.span("bench cost", {"plumbline.config": self.config.name, "plumbline.query": query.id}):
            trace_id = current_ids()[0] or ""
            try:
                answer = await self.rag.aask(query.question)
            except HOPELESS:
                raise
            except ModelError as error:
                failure = str(error)
        return self._row(query, answer, failure, trace_id, time.perf_counter() - started)

    async def close(self) -> None:
        """Close the knowledge base."""
        await self.rag.aclose()

    def _row(self, query: Query, answer: Answer | None, error: str | None, trace_id: str, seconds: float) -> Row:
        home = self.parts.home
        home.tracing.flush()
        calls = home.ledger.of_trace(trace_id)
        costs = account(read_trace(home.engine, trace_id), calls, self.config.prices, seconds)
        correct, reason = _judged(query, answer)
        return Row(
            config=self.config.name,
            query=query.id,
            question=query.question,
            group=query.group,
            at=query.at,
            repeat_of=query.repeat_of,
            paraphrase_of=query.paraphrase_of,
            answer=answer.text if answer else "",
            refused=answer.refused if answer else False,
            correct=correct,
            reason=reason,
            cost=costs.cost,
            full_price=costs.full_price,
            seconds=costs.seconds,
            stages=costs.stages,
            model=answer.model if answer else self.parts.model_name,
            cache=_cache_state(answer, cached=any(call.usage.cached_input_tokens for call in calls)),
            estimated=costs.estimated,
            failed_tries=sum(call.error is not None for call in calls),
            degraded=answer.degraded if answer else None,
            error=error,
            trace_id=trace_id,
        )


def open_lane(
    config: Config, suite: Suite, folder: Path, budget: Budget, environ: Mapping[str, str] | None = None
) -> Lane:
    """Open a configuration whose state lies in `folder`: configurations that index alike share a knowledge base.

    Raises `ConfigError`, `MissingExtraError` or `ModelError` for what is missing.
    """
    clock = Clock()
    catalog = bench_catalog(
        Purse(budget, config.prices, config.unpriced), config.profile, lambda _: simulated(config, suite, clock)
    )
    settings = config.settings
    indexing = repr((settings.loading, settings.chunking, settings.embedding, settings.store))
    name = hashlib.sha256(indexing.encode()).hexdigest()[:8]
    parts = build(folder / f"kb-{name}", settings, home=folder / "home", environ=environ, catalog=catalog)
    return Lane(config, RAG(parts), parts, clock)


def _judged(query: Query, answer: Answer | None) -> tuple[bool | None, str]:
    """Whether the answer is right (`None`: nobody knows), and why."""
    if query.answers is None:
        return None, "no answer to judge by"
    if answer is None:
        return False, "no answer came"
    return judged(query.question, answer, query.answers)


def _cache_state(answer: Answer | None, *, cached: bool) -> CacheState:
    if answer is not None and answer.cached:
        return "answer"
    return "prefix" if cached else "none"
