"""A small corpus, questions about it, and a suite over both."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

RETURNS = "Unopened goods may be returned within 30 days of delivery. The customer pays for the parcel."
SHIPPING = "Parcels to Norway take 4 days. Parcels to Iceland take 9 days and cost 12 euros."
QUESTIONS: list[dict[str, Any]] = [
    {
        "id": "window",
        "question": "Within how many days may unopened goods be returned?",
        "answers": ["30 days"],
        "document": "returns.txt",
        "spans": [{"quote": "within 30 days"}],
    },
    {
        "id": "norway",
        "question": "How long do parcels to Norway take?",
        "answers": ["4 days"],
        "document": "shipping.txt",
    },
    {
        "id": "iceland",
        "question": "What do parcels to Iceland cost?",
        "answers": ["12 euros"],
        "document": "shipping.txt",
    },
    {"id": "ceo", "question": "Who chairs the football association of Peru?", "answers": []},
]
SUITE = """
name: shop
data: questions.jsonl
corpus: corpus
configs:
  default: {}
  lexical and more: {retrieval.mode: lexical, retrieval.top_n: 2}
metrics: [correct, refused_rightly, recall@1, latency]
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A folder with corpus, questions.jsonl and suite.yaml."""
    corpus = tmp_path / "shop" / "corpus"
    corpus.mkdir(parents=True)
    (corpus / "returns.txt").write_text(RETURNS, encoding="utf-8")
    (corpus / "shipping.txt").write_text(SHIPPING, encoding="utf-8")
    write_rows(corpus.parent / "questions.jsonl", QUESTIONS)
    (corpus.parent / "suite.yaml").write_text(SUITE, encoding="utf-8")
    return corpus.parent


@pytest.fixture
def jsonl(tmp_path: Path) -> Callable[..., Path]:
    """Writes objects, or lines as they stand, into a file."""

    def write(*rows: dict[str, Any] | str, name: str = "rows.jsonl") -> Path:
        return write_rows(tmp_path / name, rows)

    return write


def write_rows(path: Path, rows: Any) -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
