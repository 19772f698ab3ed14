"""The layout of brandonstarxel/chunking_evaluation: texts, and questions with the passages that answer them.

`NAME.md` is a text, `NAME.questions.jsonl` its questions, each with `references`: `content`, `start_index` and
`end_index`. Source: Smith and Troynikov, "Evaluating Chunking Strategies for Retrieval" (Chroma, 2024).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field

from evals.dataset import Dataset, Example, GoldSpan, checked
from evals.rows import read_typed
from plumbline.errors import InputError

QUESTIONS = ".questions.jsonl"


class _Reference(BaseModel):
    content: str
    start_index: Annotated[int, Field(ge=0)]
    end_index: int


class _Asked(BaseModel):
    question: str
    references: Annotated[list[_Reference], Field(min_length=1)]


def load_chunking(folder: Path) -> tuple[Dataset, list[Path]]:
    """The questions with their references as gold spans, and the texts. Raises `InputError` naming file and line."""
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}.")
    examples: list[Example] = []
    texts: list[Path] = []
    for questions in sorted(folder.glob(f"*{QUESTIONS}")):
        text = questions.with_name(questions.name.removesuffix(QUESTIONS) + ".md")
        if not text.is_file():
            raise InputError(f"{questions.name} has no text beside it: {text.name} is missing.")
        texts.append(text)
        for number, asked in read_typed(questions, _Asked):
            spans = tuple(
                GoldSpan(text.name, found.start_index, found.end_index, quote=found.content)
                for found in asked.references
            )
            # The texts are long and the passages far apart, so that each question is a group of its own.
            id_ = f"{text.stem}:{number}"
            examples.append(Example(id_, asked.question, spans=spans, documents=(text.name,), group=id_))
    return checked(folder.name, examples, source=f"{folder} ({QUESTIONS} files)"), texts
