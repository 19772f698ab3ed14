"""Reads a question log: JSONL, one question a line. Every mistake is an `InputError` naming file, line and key."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evals.cost.chance import chance
from evals.cost.workload import Query, Workload, ordered, plain
from evals.rows import read_rows
from plumbline.errors import InputError

KEYS = ("id", "question", "answers", "answerable", "group", "at")
"""What a line may say; only `question` must be there."""

_OF_DATASETS = ("document", "documents", "page", "pages", "spans", "tags")  # a labelled data set is a log, too


def read_log(path: Path, *, limit: int | None, per_minute: float, seed: int) -> Workload:
    """The first `limit` questions of the log at `path` (`None`: all), by their times.

    `at` is a number of seconds or an ISO 8601 time; a log without times gets arrivals of a Poisson process with
    `per_minute` questions a minute, drawn by `seed`. Equal questions are one group unless the log names groups.
    """
    queries: list[Query] = []
    lines: dict[str, int] = {}
    timed = None
    for line, row in read_rows(path):
        if len(queries) == limit:
            break
        place = f"{path.name}:{line}"
        query = _query(row, place, line)
        if query.id in lines:
            raise InputError(
                f"{place}: the id '{query.id}' comes twice; line {lines[query.id]} has it, too.",
                hint="Make ids unique.",
            )
        lines[query.id] = line
        has_time = row.get("at") is not None
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
    return ordered(
        queries, f"{len(queries):,} queries of {path.name}" + ("" if timed else f", {per_minute:g} a minute")
    )


def _query(row: Mapping[str, Any], place: str, line: int) -> Query:
    for key in row:
        if key not in (*KEYS, *_OF_DATASETS):
            near = difflib.get_close_matches(key, KEYS, n=1, cutoff=0.45)
            hint = (
                f"Did you mean '{near[0]}'?" if near else f"Known: {', '.join(KEYS)}. Anything else goes under 'tags'."
            )
            raise InputError(f"{place}: there is no key '{key}'.", hint=hint)
    question = row.get("question")
    if not isinstance(question, str) or not question.strip():
        raise InputError(f"{place}: 'question' is {'missing' if question is None else 'no text'}.")
    group = row.get("group")
    if group is not None and not isinstance(group, str):
        raise InputError(f"{place}: 'group' is {group!r}; it should be a text.")
    name = row.get("id", line)
    if isinstance(name, bool) or not isinstance(name, str | int) or name == "":
        raise InputError(f"{place}: 'id' is {name!r}; it should be a text or a number.")
    return Query(str(name), question.strip(), _answers(row, place), group or plain(question), _time(row, place))


def _answers(row: Mapping[str, Any], place: str) -> tuple[str, ...] | None:
    answers, answerable = row.get("answers"), row.get("answerable")
    if answerable is not None and not isinstance(answerable, bool):
        raise InputError(f"{place}: 'answerable' is {answerable!r}; it should be true or false.")
    if answers is None:
        return () if answerable is False else None
    if not isinstance(answers, list) or not all(isinstance(text, str) and text.strip() for text in answers):
        raise InputError(f"{place}: 'answers' is {answers!r}; it should be a list of texts.")
    if answerable is not None and answerable != bool(answers):
        raise InputError(f"{place}: 'answerable' is {str(answerable).lower()}, and there are {len(answers)} answers.")
    return tuple(answers)


def _time(row: Mapping[str, Any], place: str) -> float:
    at = row.get("at", 0.0)
    if at is None:
        return 0.0
    if isinstance(at, int | float) and not isinstance(at, bool) and abs(at) < float("inf"):
        return float(at)
    try:
        moment = datetime.fromisoformat(at)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{place}: 'at' is {at!r}; it should be seconds or a time such as 2026-03-01T09:30:00Z."
        ) from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _arriving(queries: Sequence[Query], per_minute: float, seed: int) -> list[Query]:
    draw = chance("arrivals", seed)
    at, timed = 0.0, []
    for query in queries:
        timed.append(replace(query, at=at))
        at += draw.exponential(60 / per_minute)
    return timed
