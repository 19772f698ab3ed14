"""Headings in text that has lost its fonts: lines that number themselves, as reports, papers and contracts do.

PDF gives text without styles, so only lines of an unmistakable form count: "PART II", "Item 7A. Risk Factors",
"Note 5 – Leases", "Chapter 3", "2.3 Results". References in running text, rows of tables, lists, entries of a table
of contents and page heads that repeat the open heading are told apart. What has no number is not found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from rag.ingest.structure import Heading

_LINE = re.compile(r"[^\n]+")
_NAMED = re.compile(
    r"(?P<kind>PART|ITEM|NOTE|CHAPTER|SECTION|ARTICLE|APPENDIX|ANNEX)\s+"
    r"(?P<number>[IVXLC]+|\d{1,3}[A-Z]?|[A-Z])(?:(?P<mark>\s*[.:–—-]+)\s*|\s+|$)(?P<title>.*)",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"(?P<number>\d{1,2}(?:\.\d{1,2}){0,3})\.?\s+(?P<title>[^\W\d_].*)")
_CONTENTS = re.compile(r"(?:\.\s?){3,}|(?:^|\s)(?:\d{1,3}(?:\s+Part\s+[IVX]+)?|[ivx]+|Page)$|[a-z]\d{1,3}$")
_LEVELS = {"part": 1, "chapter": 1, "appendix": 1, "annex": 1, "article": 1, "item": 2, "section": 2, "note": 3}
_NUMBERED_LEVEL = 4
_MAX_CHARS = 130
_MAX_WORDS = 18
_SHORTEST_SECTION = 150
"""Lines that follow each other within fewer characters are a list or a table, no headings."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """`kind` is "note", "item" …, or empty for a line with nothing but its number; `contents` tells an entry of a
    table of contents.
    """

    kind: str
    number: str
    level: int
    line: str
    offset: int
    titled: bool = True
    contents: bool = False


def numbered_headings(text: str) -> list[Heading]:
    """The headings of `text` that number themselves, in order. Time is linear in its length."""
    return headings_in(((match.start(), match.group()) for match in _LINE.finditer(text)), len(text))


def headings_in(lines: Iterable[tuple[int, str]], length: int) -> list[Heading]:
    """As `numbered_headings`, from lines and their offsets in a text of `length`."""
    found = _without_lists(_in_sequence(_candidates(lines)), length)
    return [Heading(each.level, each.line, each.offset) for each in found]


def _candidates(lines: Iterable[tuple[int, str]]) -> Iterator[_Candidate]:
    for start, text in lines:
        line = text.strip()
        if not 4 <= len(line) <= _MAX_CHARS or not (line[0].isdigit() or line[0] in "PINCSA"):
            continue
        offset = start + text.index(line)
        if named := _NAMED.fullmatch(line):
            kind, title = named["kind"].lower(), named["title"].strip()
            contents = _CONTENTS.search(title) is not None
            if not title or contents or _is_title(title, marked=named["mark"] is not None):
                number, shown = named["number"].upper(), line.rstrip(" .:–—-")
                yield _Candidate(kind, number, _LEVELS[kind], shown, offset, bool(title), contents)
        elif (numbered := _NUMBERED.fullmatch(line)) and _is_title(numbered["title"], marked=False):
            number = numbered["number"]
            yield _Candidate("", number, _NUMBERED_LEVEL + number.count("."), line, offset)


def _is_title(title: str, *, marked: bool) -> bool:
    """Few words, begun in upper case; mostly capitalised, unless a mark sets them apart from the number."""
    words = title.split()
    if not title[0].isupper() or _CONTENTS.search(title) or len(words) > _MAX_WORDS or title[-1] in ',;:”"':
        return False
    if title[-1] == "." and len(words) > 8:
        return False
    if marked and len(words) <= 10:
        return True
    long = [word for word in words if len(word) > 3 and word[0].isalpha()]
    return sum(word[0].isupper() for word in long) >= 0.6 * len(long)


def _in_sequence(candidates: Iterator[_Candidate]) -> list[_Candidate]:
    """Without contents, page heads that repeat the open heading, and numbers that go on from nothing."""
    kept: list[_Candidate] = []
    open_: dict[int, int] = {}  # level to index into kept
    for found in candidates:
        if found.contents:
            if kept and found.offset - kept[-1].offset < _SHORTEST_SECTION:
                kept.pop()
                open_ = {level: i for level, i in open_.items() if i < len(kept)}
            continue
        index = open_.get(found.level)
        if index is not None and (kept[index].kind, kept[index].number) == (found.kind, found.number):
            if found.titled and not kept[index].titled:  # the page's head came before the heading itself
                kept[index] = replace(found, offset=kept[index].offset)
            continue
        if not found.kind and not _follows(found.number, {kept[i].number for i in open_.values() if not kept[i].kind}):
            continue
        open_ = {level: i for level, i in open_.items() if level < found.level}
        open_[found.level] = len(kept)
        kept.append(found)
    return kept


def _follows(number: str, open_numbers: set[str]) -> bool:
    """Whether `number` goes on from the open ones: 2 after 1, 2.1 within 2, or a count that begins anew."""
    *parents, last = number.split(".")
    if parents and ".".join(parents) not in open_numbers:
        return False
    return last == "1" or ".".join([*parents, str(int(last) - 1)]) in open_numbers


def _without_lists(found: list[_Candidate], length: int) -> list[_Candidate]:
    """Without counts of only one, and without lines that have next to no text below them."""
    kept: list[_Candidate] = []
    for index, each in enumerate(found):
        following = found[index + 1] if index + 1 < len(found) else None
        end = following.offset if following else length
        opens_deeper = following is not None and following.level > each.level
        if opens_deeper or end - each.offset >= _SHORTEST_SECTION:
            kept.append(each)
    counts = sum(not each.kind and each.level == _NUMBERED_LEVEL for each in kept)
    return [each for each in kept if each.kind or counts > 1]
