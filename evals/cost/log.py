"""Reads a question log: JSONL, one question a line, like a data set. Every mistake names file, line and key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field

from evals.cost.chance import chance
from evals.cost.workload import Query, Workload, ordered, plain
from evals.dataset import Example
from evals.rows import ExampleRow, read_typed
from plumbline.errors import InputError


def _seconds(at: object) -> object:
    """Seconds of an ISO 8601 time since the epoch; without a zone it is UTC."""
    if not isinstance(at, str):
        return at
    try:
        moment = datetime.fromisoformat(at)
    except ValueError as error:
        raise ValueError("it should be seconds or a time such as 2026-03-01T09:30:00Z") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


class LogRow(ExampleRow):
    """One line of a log: one of a data set that may say when it was asked, in seconds or as an ISO 8601 time."""

    at: Annotated[float | None, BeforeValidator(_seconds), Field(allow_inf_nan=False)] = None


def read_log(path: Path, *, limit: int | None, per_minute: float, seed: int) -> Workload:
    """The first `limit` questions of the log at `path` (`None`: all), by their times.

    A log without times gets arrivals of a Poisson process with `per_minute` questions a minute, drawn by `seed`. Equal
    questions are one group unless the log names groups. Raises `InputError` for anything wrong in what is read.
    """
    queries: list[Query] = []
    lines: dict[str, int] = {}
    timed = None
    for line, row in read_typed(path, LogRow):
        if len(queries) == limit:
            break
        place = f"{path.name}:{line}"
        query = as_query(row.example(line), row.at or 0.0)
        if query.id in lines:
            raise InputError(
                f"{place}: the id '{query.id}' comes twice; line {lines[query.id]} has it too.", hint="Make ids unique."
            )
        lines[query.id] = line
        has_time = row.at is not None
        if timed not in (None, has_time):
            raise InputError(
                f"{place}: 'at' is {'there' if has_time else 'missing'}, unlike in the lines before.",
                hint="Give every line its time, or none.",
            )
        timed = has_time
        queries.append(query)
    if not queries:
        raise InputError(f"{path} holds no question.", hint='Each line is an object: {"question": "…"}.')
    if not timed:
        queries = _arriving(queries, per_minute, seed)
    pace = "" if timed else f", {per_minute:g} a minute"
    return ordered(queries, f"{len(queries):,} queries of {path.name}{pace}")


def as_query(example: Example, at: float) -> Query:
    """The example as a query that arrives at `at`."""
    return Query(
        example.id, example.question.strip(), known_answers(example), example.group or plain(example.question), at
    )


def known_answers(example: Example) -> tuple[str, ...] | None:
    """The right answers; none when refusing is right, `None` when nobody knows."""
    return example.answers or (() if example.answerable is False else None)


def _arriving(queries: Sequence[Query], per_minute: float, seed: int) -> list[Query]:
    draw = chance("arrivals", seed)
    at, timed = 0.0, []
    for query in queries:
        timed.append(replace(query, at=at))
        at += draw.exponential(60 / per_minute)
    return timed
