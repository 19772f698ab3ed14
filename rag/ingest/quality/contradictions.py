"""Finds statements that stand in two documents word for word, but with other numbers.

"Goods may be returned within 30 days of delivery." beside "… within 45 days …": one of them is wrong or outdated.
Sentences with dates, which may both be true at their time, and rows of tables are left out. What says the same in other
words is not found: that needs a model.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import blake2b

from plumbline.text.sentences import sentences
from rag.ingest.quality.damage import is_prose
from rag.ingest.quality.scale import Example
from rag.types import Document

LEAST_WORDS = 6
MOST_STATEMENTS = 200_000
"""Different statements remembered; later ones are compared with these and not remembered."""

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_WORD = re.compile(r"[^\W\d_]{2,}")
_TIME = re.compile(
    r"\b(?:1[89]|20)\d\d\b|\b(?:January|February|March|April|June|July|August|September|October|November|December)\b"
    r"|\bMay \d|\d May\b|\d[/.]\d\d?[/.]\d"
)
# What a number numbers is no quantity.
_LABEL = re.compile(
    r"\b(?:page|section|chapter|figure|fig|table|note|item|part|article|step|exhibit|appendix|no|version|line)\b\.?\s*\Z",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Statement:
    numbers: tuple[str, ...]
    document: str
    example: Example


class Contradictions:
    """Collects the statements with numbers of documents; `count` of them, different wordings only."""

    def __init__(self) -> None:
        self._first: dict[bytes, _Statement] = {}
        self._found: dict[bytes, tuple[Example, Example]] = {}

    @property
    def count(self) -> int:
        """How many differently worded statements with numbers there are."""
        return len(self._first)

    def add(self, document: Document) -> None:
        """Take in a document; formats without running text have no statements."""
        if not is_prose(document.media_type):
            return
        for start, end in sentences(document.text):
            text = document.text[start:end]
            if not _is_statement(text):
                continue
            numbers = tuple(match[0].replace(",", "") for match in _NUMBER.finditer(text))
            key = _key(text)
            known = self._first.get(key)
            if known is None:
                if len(self._first) < MOST_STATEMENTS:
                    self._first[key] = _Statement(numbers, document.id, Example.of(document, start, end))
            elif known.document != document.id and known.numbers != numbers and key not in self._found:
                self._found[key] = known.example, Example.of(document, start, end)

    def found(self) -> list[tuple[Example, Example]]:
        """Each contradiction once, with the first two places that disagree, in the order in which they were seen."""
        return list(self._found.values())


def _is_statement(text: str) -> bool:
    match = _NUMBER.search(text)
    if match is None or "|" in text or _TIME.search(text) or text.rstrip()[-1:] not in ".!。":
        return False
    return _LABEL.search(text[: match.start()]) is None and len(_WORD.findall(text)) >= LEAST_WORDS


def _key(text: str) -> bytes:
    normal = _NUMBER.sub("#", " ".join(text.casefold().split()))
    return blake2b(normal.encode("utf-8", "replace"), digest_size=12).digest()
