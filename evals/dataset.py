"""Labelled questions: what an example holds, and a data set of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from plumbline.errors import InputError


@dataclass(frozen=True, slots=True)
class GoldSpan:
    """Evidence: `start` and `end` are offsets (Unicode code points) in the text of the document called `document`.

    Until `located` has found them in the corpus, a span given by its `quote` alone has `start == end == -1`.
    """

    document: str
    start: int
    end: int
    page: int | None = None
    quote: str | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """One labelled question.

    `answers` are ways to write the one right answer. `answerable` is false when the documents do not answer and the
    system should refuse, and `None` when nobody said. `documents`, `pages` (document, one-based page) and `spans` say
    where the answer stands. `grades` maps names of documents to graded relevance, where the data set has grades.
    `group` is the source the question comes from: questions of one group are not independent.
    """

    id: str
    question: str
    answers: tuple[str, ...] = ()
    answerable: bool | None = None
    spans: tuple[GoldSpan, ...] = ()
    documents: tuple[str, ...] = ()
    pages: tuple[tuple[str, int], ...] = ()
    group: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    grades: Mapping[str, int] = field(default_factory=dict)

    @property
    def cluster(self) -> str:
        """What the example is resampled with: its group, else its first document, else itself."""
        return self.group or (self.documents[0] if self.documents else self.id)


@dataclass(frozen=True, slots=True)
class Dataset:
    """Examples in the order of their file; `hash` is the SHA-256 of their content."""

    name: str
    examples: tuple[Example, ...]

    @property
    def hash(self) -> str:
        """Changes when any label does."""
        rows = [
            repr(replace(example, tags={}, grades=dict(sorted(example.grades.items())))) for example in self.examples
        ]
        return hashlib.sha256("\n".join(rows).encode()).hexdigest()

    def limited(self, count: int | None) -> Dataset:
        """The first `count` examples; all of them for `None`."""
        return self if count is None else replace(self, examples=self.examples[:count])


def checked(name: str, examples: Sequence[Example], *, source: str) -> Dataset:
    """A data set of the examples; raises `InputError` when there are none or an id comes twice."""
    if not examples:
        raise InputError(
            f"{source} holds no question.", hint='Each line is an object: {"question": "…", "answers": ["…"]}.'
        )
    first: dict[str, int] = {}
    for number, example in enumerate(examples, 1):
        if example.id in first:
            raise InputError(
                f"{source}: examples {first[example.id]} and {number} have the same id '{example.id}'.",
                hint="Make ids unique.",
            )
        first[example.id] = number
    return Dataset(name, tuple(examples))
