"""The shape of what `rag batch` prints as JSON; see docs/json.md."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from rag.output import Dollars, Output
from routing.batch.jobs import BatchJobs
from routing.batch.store import JobRow, PartRow


class JobOutput(Output):
    """A job in requests; `cost` is what is known to be spent, `null` while the price of any answer is unknown."""

    id: str
    name: str | None
    kind: str
    model: str
    created: datetime
    requests: int
    answered: int
    failed: int
    waiting: int
    cancelled: bool
    cost: Dollars | None

    @classmethod
    def of(cls, row: JobRow, jobs: BatchJobs) -> JobOutput:
        """How a job stood when it was last looked at; one that nobody named has no name."""
        status = jobs.status(row)
        return cls(
            id=row.id,
            name=None if jobs.is_gathered(row) else row.name,
            kind=row.kind,
            model=row.model,
            created=datetime.fromtimestamp(row.created, UTC),
            requests=status.requests,
            answered=status.answered,
            failed=status.failed,
            waiting=status.waiting,
            cancelled=status.cancelled,
            cost=jobs.cost(row),
        )


class PartOutput(Output):
    """A batch: `batch` is the provider's name for it, `null` until it has arrived; `attempt` 2 is sent once more."""

    batch: str | None
    state: str
    attempt: int
    sent: datetime | None

    @classmethod
    def of(cls, part: PartRow) -> PartOutput:
        """From what is kept."""
        sent = None if part.last is None else datetime.fromtimestamp(part.last, UTC)
        return cls(batch=part.batch, state=part.state, attempt=part.attempt, sent=sent)


class JobDetailsOutput(JobOutput):
    """A job with its batches."""

    batches: list[PartOutput]

    @classmethod
    def of(cls, row: JobRow, jobs: BatchJobs) -> JobDetailsOutput:
        """As `JobOutput.of`."""
        parts = [PartOutput.of(part) for part in jobs.parts(row)]
        return cls(**JobOutput.of(row, jobs).model_dump(), batches=parts)


def jobs_json(found: Sequence[JobOutput]) -> str:
    """A list of jobs."""
    from pydantic import TypeAdapter

    return TypeAdapter(list[JobOutput]).dump_json(list(found), indent=2).decode()
