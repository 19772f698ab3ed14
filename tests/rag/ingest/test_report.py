"""Outcomes of more files than are held in memory come back in order, however they are read."""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import islice
from typing import get_args

import pytest

from rag.ingest.report import FileOutcome, IngestReport, Outcome, Outcomes
from rag.output import IngestOutput, ingest_json
from routing.chat import Usage


def outcomes(count: int) -> list[FileOutcome]:
    kinds = get_args(Outcome)
    return [FileOutcome(f"/docs/{n}.txt", f"{n}.txt", kinds[n % len(kinds)], notes=("é",)) for n in range(count)]


@pytest.fixture(params=[0, 3, 10, 57])
def some(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[FileOutcome]:
    monkeypatch.setattr(Outcomes, "IN_MEMORY", 10)
    return outcomes(request.param)


def test_what_was_added_comes_back(some: list[FileOutcome]) -> None:
    kept = Outcomes(some)
    assert list(kept) == some
    assert len(kept) == len(some)
    assert kept[2:5] == some[2:5]
    first, second = iter(kept), iter(kept)
    assert list(islice(first, 12)) == list(islice(second, 12)), "two may read at once"
    assert list(first) == list(second)
    kept.append(outcomes(1)[0])
    assert kept[-1] == outcomes(1)[0]


def test_counts_need_no_reading(some: list[FileOutcome]) -> None:
    spilled = IngestReport(Outcomes(some), 0.1, Usage(), Decimal(0), "t")
    held = IngestReport(tuple(some), 0.1, Usage(), Decimal(0), "t")
    for outcome in get_args(Outcome):
        assert spilled.count(outcome) == held.count(outcome) == sum(each.outcome == outcome for each in some)
    assert spilled.failed == held.failed


def test_the_json_in_pieces_is_the_json_in_one(some: list[FileOutcome]) -> None:
    report = IngestReport(Outcomes(some), 0.1, Usage(input_tokens=5), None, "t", reindexed=2)
    assert json.loads("".join(ingest_json(report))) == json.loads(IngestOutput.of(report).model_dump_json())
