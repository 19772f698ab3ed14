"""SQuAD's JSON (also XQuAD's, MLQA's): articles of paragraphs with questions and answer offsets.

Source: Rajpurkar et al., "SQuAD: 100,000+ Questions for Machine Comprehension of Text" (2016), and version 2.0 (2018)
for `is_impossible`.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from evals.dataset import Dataset, Example, GoldSpan, checked
from evals.formats.folder import corpus_folder
from plumbline.errors import InputError


class _Answer(BaseModel):
    text: str
    answer_start: Annotated[int, Field(ge=0)]


class _Asked(BaseModel):
    id: str
    question: str
    answers: list[_Answer] = []
    is_impossible: bool = False


class _Paragraph(BaseModel):
    context: str
    qas: list[_Asked]


class _Article(BaseModel):
    title: str
    paragraphs: list[_Paragraph]


class _File(BaseModel):
    data: list[_Article]


def load_squad(path: Path, folder: Path) -> tuple[Dataset, Path]:
    """The questions, and the corpus: a folder below `folder` with each paragraph as a text file.

    The answers' offsets become gold spans; an article is a group. Raises `InputError` for a file that is not of this
    layout, and for an answer that does not stand where it says.
    """
    if not path.is_file():
        raise InputError(f"There is no file {path}.")
    try:
        content = _File.model_validate(json.loads(path.read_bytes()))
    except ValidationError as error:
        first: Any = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{path} is not of SQuAD's layout: {place}: {first['msg']}.") from error
    except ValueError as error:
        raise InputError(f"{path} is not JSON: {error}.") from error
    examples: list[Example] = []
    texts: dict[str, str] = {}
    for article in content.data:
        for paragraph in article.paragraphs:
            name = f"{len(texts):05} {_file_name(article.title)}.txt"
            texts[name] = paragraph.context
            examples += [_example(asked, article.title, name, paragraph.context, path) for asked in paragraph.qas]
    return checked(path.stem, examples, source=str(path)), corpus_folder(texts, folder)


def _example(asked: _Asked, title: str, document: str, context: str, path: Path) -> Example:
    spans = []
    for answer in asked.answers:
        end = answer.answer_start + len(answer.text)
        if context[answer.answer_start : end] != answer.text:
            raise InputError(
                f"{path}: question {asked.id}: the answer '{answer.text}' does not stand at {answer.answer_start}."
            )
        spans.append(GoldSpan(document, answer.answer_start, end, quote=answer.text))
    answers = tuple(dict.fromkeys(answer.text for answer in asked.answers))
    answerable = bool(answers) and not asked.is_impossible
    return Example(
        asked.id,
        asked.question,
        answers if answerable else (),
        answerable,
        tuple(dict.fromkeys(spans)) if answerable else (),
        (document,) if answerable else (),
        group=title,
    )


def _file_name(title: str) -> str:
    return re.sub(r"[^\w .-]+", " ", title).strip()[:80] or "untitled"
