"""A few documents, questions about them, and a suite over both."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evals.cost.settings import SuiteSettings
from evals.cost.suite import Suite, make_suite

RETURNS = """# Returns

## Refund window

Unopened goods may be returned within 30 days of delivery. The customer pays for the parcel.

## Payment

Refunds are paid within 5 working days to the card that was used. Gift cards cannot be returned.
"""
SHIPPING = """# Shipping

Parcels to Norway take 4 days. Parcels to Iceland take 9 days and cost 12 euros.
"""
QUESTIONS: list[dict[str, Any]] = [
    {"id": "window", "question": "Within how many days may unopened goods be returned?", "answers": ["30 days"]},
    {"id": "iceland", "question": "What do parcels to Iceland cost?", "answers": ["12 euros"]},
    {"id": "paid", "question": "When are refunds paid?", "answers": ["5 working days"]},
    {"id": "dogs", "question": "May dogs come along?", "answers": []},
]
MakeSuite = Callable[..., Suite]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "returns.md").write_text(RETURNS, "utf-8")
    (docs / "shipping.md").write_text(SHIPPING, "utf-8")
    lines = "\n".join(map(json.dumps, QUESTIONS))
    (tmp_path / "questions.jsonl").write_text(lines, "utf-8")
    return tmp_path


@pytest.fixture
def suite(folder: Path) -> MakeSuite:
    def make(configs: dict[str, Any] | None = None, environ: dict[str, str] | None = None, **settings: Any) -> Suite:
        default = {"quoting": {}, "small": {"simulate": "gpt-4.1-mini"}}
        said = {"docs": "docs", "questions": "questions.jsonl", "queries": 8, "configs": configs or default, **settings}
        return make_suite(SuiteSettings.model_validate(said), folder, environ or {})

    return make
