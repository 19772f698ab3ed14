"""Answers that people have judged: EVOUNA and FinanceBench, from a folder given by the user.

Expected in the folder: `evouna/NQ.jsonl.gz` (github.com/wangcunxiang/QA-Eval; rows with `question`, `golden_answer`
with "/" between aliases, and `answer_X`, `judge_X` for five systems) and `financebench/judged_answers.jsonl.gz`
(github.com/patronus-ai/financebench, `results/`; rows with `system`, `financebench_id`, `question`, `gold`, `answer`,
`label`). Both are split by question, once and for all, into a development half, on which anything may be fitted or
tuned, and a held-out half, on which nothing is.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EVOUNA_SYSTEMS = {"gpt4": "GPT-4", "newbing": "Bing chat", "chatgpt": "ChatGPT", "gpt35": "GPT-3.5", "fid": "FiD"}


@dataclass(frozen=True, slots=True)
class Judged:
    """An answer and what people said of it."""

    system: str
    question: str
    golds: tuple[str, ...]
    answer: str
    correct: bool
    refused: bool | None
    development: bool


def load_evouna(folder: Path) -> list[Judged]:
    """All judged answers to questions that are not marked improper; nobody judged whether they refuse."""
    return [
        Judged(
            name,
            row["question"],
            tuple(alias for alias in row["golden_answer"].split("/") if alias.strip()),
            row[f"answer_{system}"],
            row[f"judge_{system}"],
            None,
            hashlib.sha256(row["question"].encode()).digest()[0] % 2 == 0,
        )
        for row in _rows(folder / "evouna" / "NQ.jsonl.gz")
        for system, name in EVOUNA_SYSTEMS.items()
        if not row["improper"] and row[f"judge_{system}"] is not None and row[f"answer_{system}"]
    ]


def load_financebench(folder: Path) -> list[Judged]:
    """All judged answers; every other question is held out."""
    rows = list(_rows(folder / "financebench" / "judged_answers.jsonl.gz"))
    development = set(sorted({row["financebench_id"] for row in rows})[::2])
    return [
        Judged(
            row["system"],
            row["question"],
            (str(row["gold"]),),
            row["answer"],
            row["label"] == "Correct Answer",
            row["label"] == "Refusal",
            row["financebench_id"] in development,
        )
        for row in rows
    ]


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)
