"""Reads data sets: JSONL, one question a line. Every mistake is an `InputError` naming file, line and key."""

from __future__ import annotations

import difflib
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, ValidationError, model_validator

from evals.dataset import Dataset, Example, GoldSpan, checked
from plumbline.errors import InputError


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("is blank")
    return text


Text = Annotated[str, AfterValidator(_not_blank)]
PageNumber = Annotated[int, Field(ge=1)]
Row = TypeVar("Row", bound=BaseModel)


class SpanRow(BaseModel):
    """A gold span as a file gives it: offsets, or a quote, or both."""

    model_config = ConfigDict(extra="forbid")

    document: Text | None = None
    start: Annotated[int, Field(ge=0)] | None = None
    end: Annotated[int, Field(ge=1)] | None = None
    page: PageNumber | None = None
    quote: Text | None = None

    @model_validator(mode="after")
    def _says_where(self) -> Self:
        if (self.start is None) != (self.end is None):
            raise ValueError("'start' and 'end' come together")
        if self.start is None and self.quote is None:
            raise ValueError("neither 'start' and 'end' nor 'quote' are there")
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise ValueError(f"start {self.start} is not before end {self.end}")
        return self


class ExampleRow(BaseModel):
    """One line of a data set."""

    model_config = ConfigDict(extra="forbid")

    question: Text
    id: str | int | None = None
    answers: list[Text] | None = None
    answerable: StrictBool | None = None
    document: Text | None = None
    documents: list[Text] | None = None
    page: PageNumber | None = None
    pages: list[tuple[Text, PageNumber]] = []
    spans: list[SpanRow] = []
    group: str | None = None
    tags: dict[str, Any] = {}

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.answerable is False and self.answers:
            raise ValueError("'answerable' is false, and there are 'answers'")
        if self.page is not None and self.document is None:
            raise ValueError("'page' stands without 'document': a page of what?")
        if self.document is None and any(span.document is None for span in self.spans):
            raise ValueError("a span says no 'document', and neither does the line")
        return self

    def example(self, number: int) -> Example:
        """The example; its id is the line's `number` where the line has none."""
        spans = tuple(
            GoldSpan(
                span.document or self.document or "",
                -1 if span.start is None else span.start,
                -1 if span.end is None else span.end,
                span.page,
                span.quote,
            )
            for span in self.spans
        )
        pages = [*self.pages, *([(self.document, self.page)] if self.document and self.page else [])]
        named = [*(self.documents or []), *([self.document] if self.document else [])]
        named += [document for document, _ in pages] + [span.document for span in spans]
        answerable = self.answerable
        if answerable is None and self.answers is not None:
            answerable = bool(self.answers)
        return Example(
            id=str(number if self.id is None else self.id),
            question=self.question,
            answers=tuple(self.answers or ()),
            answerable=answerable,
            spans=spans,
            documents=tuple(dict.fromkeys(named)),
            pages=tuple(pages),
            group=self.group,
            tags={key: str(value) for key, value in self.tags.items()},
        )


def load_dataset(path: str | Path) -> Dataset:
    """Read a JSONL file (also .gz): one object a line with `question` and any of the other keys of `ExampleRow`.

    `answers` are ways to write the right one; an empty list, or `answerable: false`, means that the documents do not
    answer. `document` and `page`, `documents`, `pages` (pairs), and `spans` (objects of `document` and `start` and
    `end`, or `quote`) say where the answer stands; `group` which questions belong together; `tags` anything else. A
    missing `id` is the line's number. Raises `InputError` for anything else.
    """
    path = Path(path)
    examples = [row.example(number) for number, row in read_typed(path, ExampleRow)]
    return checked(path.name.removesuffix(".gz").removesuffix(".jsonl"), examples, source=str(path))


def read_typed(path: Path, kind: type[Row]) -> Iterator[tuple[int, Row]]:
    """Line number and checked row of each line of a JSONL file; raises `InputError` naming line and key."""
    for number, values in read_rows(path):
        try:
            yield number, kind.model_validate(values)
        except ValidationError as error:
            raise _explained(error, kind, f"{path.name}:{number}") from error


def read_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number and object of each line of a JSONL file that is not blank; raises `InputError` naming the line."""
    for number, line in read_lines(path):
        place = f"{path.name}:{number}"
        try:
            values = json.loads(line)
        except ValueError as error:
            raise InputError(
                f"{place}: this line is not JSON: {error}.", hint="It should be one object a line."
            ) from error
        if not isinstance(values, dict):
            raise InputError(f"{place}: this line is a {type(values).__name__}, not an object.")
        yield number, values


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Number and text of each line of a UTF-8 file (.gz, too) that is not blank; raises `InputError` naming it."""
    if not path.is_file():
        raise InputError(f"There is no file {path}.")
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
            yield from ((number, line) for number, line in enumerate(lines, 1) if line.strip())
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 ({error.reason}).", hint="Save it as UTF-8.") from error
    except (gzip.BadGzipFile, EOFError) as error:
        raise InputError(f"{path} is no whole gzip file.") from error


def _explained(error: ValidationError, kind: type[BaseModel], place: str) -> InputError:
    problems = error.errors(include_url=False)
    # A key that is none says more than the key that is missing because of it.
    first = next((problem for problem in problems if problem["type"] == "extra_forbidden"), problems[0])
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"]).lstrip(".")
    if first["type"] == "extra_forbidden":
        known = list(SpanRow.model_fields if key.startswith("spans[") else kind.model_fields)
        near = difflib.get_close_matches(str(first["loc"][-1]), known, n=1)
        rest = f"Known: {', '.join(known)}." + (" Anything else goes under 'tags'." if "tags" in known else "")
        return InputError(f"{place}: there is no key '{key}'.", hint=f"Did you mean '{near[0]}'?" if near else rest)
    if first["type"] == "missing":
        return InputError(f"{place}: '{key}' is missing.")
    reason = first["msg"].removeprefix("Value error, ")
    if not key:
        return InputError(f"{place}: {reason}.")
    return InputError(f"{place}: '{key}' is {first['input']!r}: {reason[:1].lower()}{reason[1:]}.")
