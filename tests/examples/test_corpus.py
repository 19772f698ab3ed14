"""The corpus is what its sources say, and each gold answer stands where examples/questions.jsonl says it does."""

from __future__ import annotations

import asyncio
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from examples import make_corpus
from rag.ingest.load import load_file
from rag.types import Document

EXAMPLES = Path(make_corpus.__file__).parent
CORPUS = EXAMPLES / "corpus"
QUESTIONS: list[dict[str, Any]] = [
    json.loads(line) for line in (EXAMPLES / "questions.jsonl").read_text(encoding="utf-8").splitlines()
]


@cache
def document(path: Path) -> Document:
    return asyncio.run(load_file(path))


def test_corpus_has_every_format_and_is_small() -> None:
    files = list(CORPUS.iterdir())
    assert {path.suffix for path in files} == {".pdf", ".html", ".docx", ".md", ".csv"}
    assert sum(path.stat().st_size for path in files) < 300_000
    assert len(document(CORPUS / "returns-handbook.pdf").pages) >= 4


@pytest.mark.parametrize("source", sorted((EXAMPLES / "sources").iterdir()), ids=lambda path: path.name)
def test_committed_files_are_those_of_their_sources(source: Path, tmp_path: Path) -> None:
    """By their text: the bytes also depend on the version of the compressor."""
    written = tmp_path / source.stem
    make_corpus.write(source, written)
    again = tmp_path / f"again-{source.stem}"
    make_corpus.write(source, again)
    assert written.read_bytes() == again.read_bytes()
    assert document(written).text == document(CORPUS / source.stem).text


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question["id"])
def test_gold_answers_stand_where_they_should(question: dict[str, Any]) -> None:
    if question["document"] is None:
        assert question["answers"] == []
        return
    found = document(CORPUS / question["document"])
    text = found.text
    if question["page"] is not None:
        page = found.pages[question["page"] - 1]
        text = text[page.start : page.end]
    flat = " ".join(text.split())
    assert question["answers"]
    assert all(answer in flat for answer in question["answers"])


def test_questions_are_of_both_kinds() -> None:
    refused = [question for question in QUESTIONS if not question["answers"]]
    assert len(QUESTIONS) >= 20
    assert len(refused) >= 5
    assert len({question["id"] for question in QUESTIONS}) == len(QUESTIONS)
