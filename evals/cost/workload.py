"""What is asked: queries with their times, and which of them repeat or rephrase another."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Query:
    """One question of a workload.

    `answers` are ways to write the one right answer; empty says that refusing is right, `None` that nobody knows.
    `group` is the question that it asks in some wording: queries of one group are not independent. `at` is when it
    arrives, in seconds after the first. `repeat_of` names an earlier query of the same wording, `paraphrase_of` the
    question that this one puts in other words.
    """

    id: str
    question: str
    answers: tuple[str, ...] | None
    group: str
    at: float
    repeat_of: str | None = None
    paraphrase_of: str | None = None


@dataclass(frozen=True, slots=True)
class Workload:
    """Queries by their time of arrival; `origin` says in words where they come from."""

    queries: tuple[Query, ...]
    origin: str

    @property
    def hash(self) -> str:
        """Changes when any query does."""
        return hashlib.sha256("\n".join(map(repr, self.queries)).encode()).hexdigest()

    @property
    def repeats(self) -> int:
        """How many queries have the wording of an earlier one."""
        return sum(query.repeat_of is not None for query in self.queries)

    @property
    def paraphrases(self) -> int:
        """How many queries put a question in other words than its own."""
        return sum(query.paraphrase_of is not None for query in self.queries)

    @property
    def groups(self) -> int:
        """How many different questions are asked, whatever the wording."""
        return len({query.group for query in self.queries})

    @property
    def judged(self) -> int:
        """How many queries have an answer to be judged by."""
        return sum(query.answers is not None for query in self.queries)


def ordered(queries: Iterable[Query], origin: str) -> Workload:
    """The workload of these queries by time, the first at 0, with `repeat_of` filled in."""
    by_time = sorted(queries, key=lambda query: query.at)
    first: dict[str, str] = {}
    marked = []
    for query in by_time:
        known = first.setdefault(plain(query.question), query.id)
        repeat = None if known == query.id else known
        marked.append(replace(query, at=query.at - by_time[0].at, repeat_of=repeat))
    return Workload(tuple(marked), origin)


def plain(question: str) -> str:
    """The question as wordings are compared: without case and wide space."""
    return " ".join(question.split()).casefold()
