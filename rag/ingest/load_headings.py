"""Headings in text that has lost its fonts: lines that number themselves, as reports, papers and contracts do.

PDF gives text without styles, so only lines with an unmistakable form count: "PART II", "Item 7A. Risk Factors",
"Note 5 – Leases", "Chapter 3", "2.3 Results". References in running text, rows of tables, entries of a table of
contents and page heads that repeat the open heading are told apart; what is left is right far more often than not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rag.ingest.structure import Heading

_LINE = re.compile(r"[^\n]+")
_NAMED = re.compile(
    r"(?P<kind>PART|ITEM|NOTE|CHAPTER|SECTION|ARTICLE|APPENDIX|ANNEX)\s+"
    r"(?P<number>[IVXLC]+|\d{1,3}[A-Z]?|[A-Z])(?:\s*[.:–—-]+\s*|\s+|$)(?P<title>.*)",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"(?P<number>\d{1,2}(?:\.\d{1,2}){0,3})\.?\s+(?P<title>[^\W\d_].*)")
_CONTENTS = re.compile(r"(?:\.\s?){3,}|\s\d{1,3}$|\s[ivx]+$")
_LEVELS = {"part": 1, "chapter": 1, "appendix": 1, "annex": 1, "article": 1, "item": 2, "section": 2, "note": 3}
_NUMBERED_LEVEL = 3
_MAX_CHARS = 100
_MAX_WORDS = 14


@dataclass(frozen=True, slots=True)
class _Candidate:
    kind: str
    number: str
    level: int
    title: str
    offset: int
    named: bool


def numbered_headings(text: str) -> list[Heading]:
    """The headings of `text` that number themselves, in order."""
    kept: list[_Candidate] = []
    open_: dict[int, int] = {}  # level to index into kept
    for found in _candidates(text):
        index = open_.get(found.level)
        if index is not None and (kept[index].kind, kept[index].number) == (found.kind, found.number):
            if found.named and not kept[index].named:  # the page's head came before the heading itself
                kept[index] = _Candidate(found.kind, found.number, found.level, found.title, kept[index].offset, True)
            continue
        if not found.kind and not _follows(found.number, [kept[i].number for i in open_.values() if not kept[i].kind]):
            continue
        open_ = {level: i for level, i in open_.items() if level < found.level}
        open_[found.level] = len(kept)
        kept.append(found)
    return [Heading(each.level, each.title, each.offset) for each in kept]


def _candidates(text: str) -> Iterator[_Candidate]:
    for match in _LINE.finditer(text):
        line = match.group().strip()
        if not 4 <= len(line) <= _MAX_CHARS or not (line[0].isdigit() or line[0] in "PINCSA"):
            continue
        offset = match.start() + match.group().index(line)
        if named := _NAMED.fullmatch(line):
            kind, title = named["kind"].lower(), named["title"].strip()
            if _is_heading(named["kind"], title, line):
                number = named["number"].upper()
                yield _Candidate(kind, number, _LEVELS[kind], line.rstrip(" .:–—-"), offset, bool(title))
        elif (numbered := _NUMBERED.fullmatch(line)) and _is_title(numbered["title"], line):
            number = numbered["number"]
            yield _Candidate("", number, _NUMBERED_LEVEL + 1 + number.count("."), line, offset, True)


def _is_heading(word: str, title: str, line: str) -> bool:
    """A named line: "PART II" or "Item 7" alone, or with a title behind it."""
    if word[0].islower():
        return False
    return not title or _is_title(title, line)


def _is_title(title: str, line: str) -> bool:
    """Few words, begun in upper case, mostly capitalised, and no entry of a table of contents."""
    words = title.split()
    if not title[0].isupper() or len(words) > _MAX_WORDS or _CONTENTS.search(line) or title[-1] in ",;:":
        return False
    if title[-1] == "." and len(words) > 8:
        return False
    long = [word for word in words if len(word) > 3 and word[0].isalpha()]
    return sum(word[0].isupper() for word in long) >= 0.6 * len(long)


def _follows(number: str, open_numbers: list[str]) -> bool:
    """Whether `number` goes on from the open ones: 2 after 1, 2.1 within 2, or a count that begins anew."""
    *parents, last = number.split(".")
    if parents:
        return ".".join(parents) in open_numbers and (last == "1" or _previous(number) in open_numbers)
    return last == "1" or _previous(number) in open_numbers


def _previous(number: str) -> str:
    *parents, last = number.split(".")
    return ".".join([*parents, str(int(last) - 1)])
