"""The questions that documents are to answer, and which passages cover them.

Only the terms that occur in questions are kept of the documents, so memory grows with what is asked about. This module
imports numpy; import it lazily.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ValidationError, field_validator

from plumbline.errors import InputError
from plumbline.text.terms import terms
from rag.answer.support import Weights
from rag.index.lexical import LexicalIndex
from rag.ingest.quality.scale import Example
from rag.types import Document

PASSAGE_CHARACTERS = 1200
STEP_CHARACTERS = 600
CANDIDATES = 10
"""Passages by BM25 of which the best is asked for."""
COVERED = 0.45
"""A question is covered when a passage has this share of its terms, weighed by rarity; see docs/data.md."""
RELATED = 0.25
"""A passage with this share says something of the question's subject."""


class _Row(BaseModel):
    """A line of a question file; its other fields are for evaluation."""

    question: str

    @field_validator("question")
    @classmethod
    def _says_something(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("the question is empty")
        return value


def read_questions(path: Path) -> list[str]:
    """The field `question` of each line of a JSONL file; raises `InputError` that names the line."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"The questions in {path} cannot be read: {error}.", hint="It must be a JSONL file in UTF-8."
        ) from error
    found = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                found.append(_Row.model_validate(json.loads(line)).question)
            except (json.JSONDecodeError, ValidationError) as error:
                reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
                raise InputError(
                    f"{path}, line {number}: this is no question: {reason}.",
                    hint='Each line is an object such as {"question": "How long is the refund window?"}.',
                ) from error
    if not found:
        raise InputError(f"There is no question in {path}.", hint='Write one a line: {"question": "…"}.')
    return found


@dataclass(frozen=True, slots=True)
class Coverage:
    """How well one question is covered: the best passage's share of its terms, where that is, and how many relate."""

    question: str
    share: float
    best: Example | None
    related: int


class QuestionIndex:
    """Collects of each passage the terms that questions ask for."""

    def __init__(self, questions: Sequence[str], language: str = "en") -> None:
        self._questions = [(question, terms(question, language)) for question in questions]
        self._asked = frozenset(term for _, asked in self._questions for term in asked)
        self._language = language
        self._passages: list[list[str]] = []
        self._places: list[tuple[int, int]] = []
        self._frequency: Counter[str] = Counter()
        self._documents: list[str] = []
        self.passages = 0

    def add(self, document: Document) -> None:
        """Take in the passages of a document."""
        self._documents.append(document.name)
        for start, end in passages(document.text):
            self.passages += 1
            kept = [term for term in terms(document.text[start:end], self._language) if term in self._asked]
            if kept:
                self._frequency.update(set(kept))
                self._passages.append(kept)
                self._places.append((len(self._documents) - 1, start))

    def coverage(self) -> Iterator[Coverage]:
        """Every question, in order."""
        # All passages are about as long, and kept terms are no measure of length: b = 0 leaves length out.
        index = LexicalIndex(self._passages, b=0.0)
        weights = self._weights()
        for question, asked in self._questions:
            wanted = frozenset(asked)
            at, _ = index.search(asked, CANDIDATES)
            values = [_covered(wanted, frozenset(self._passages[i]), weights) for i in at.tolist()]
            best = max(range(len(values)), key=values.__getitem__, default=None)
            where = None if best is None else self._example(int(at[best]))
            related = sum(value >= RELATED for value in values)
            yield Coverage(question, 0.0 if best is None else values[best], where, related)

    def _example(self, passage: int) -> Example:
        document, start = self._places[passage]
        return Example(self._documents[document], "the nearest passage", None, start, start + PASSAGE_CHARACTERS)

    def _weights(self) -> Weights:
        total = max(self.passages, 1)
        idf = {term: math.log(1 + total / count) for term, count in self._frequency.items()}
        return Weights(idf, math.log(1 + total))


def _covered(wanted: frozenset[str], passage: frozenset[str], weights: Weights) -> float:
    """The share of the weight of the wanted terms that the passage has; a missing number weighs as other terms do."""
    total = math.fsum(map(weights.of, wanted))
    return math.fsum(map(weights.of, wanted & passage)) / total if total else 0.0


def passages(text: str) -> Iterator[tuple[int, int]]:
    """Spans of about `PASSAGE_CHARACTERS`, overlapping by half, that begin and end at white space."""
    start = 0
    while start < len(text):
        end = _at_space(text, start + PASSAGE_CHARACTERS)
        yield start, end
        if end >= len(text):
            return
        start = max(_at_space(text, start + STEP_CHARACTERS), start + 1)


def _at_space(text: str, at: int) -> int:
    """The first white space from `at` on, within a word's length."""
    stop = min(at + 40, len(text))
    return next((i for i in range(at, stop) if text[i].isspace()), min(at, len(text)))


def texts(questions: Path | str | Iterable[str]) -> list[str]:
    """The questions of a file or a list."""
    return read_questions(Path(questions)) if isinstance(questions, Path | str) else list(questions)
