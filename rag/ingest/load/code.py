"""Source code as it is written; classes, functions and their like make the sections, found by Pygments' lexers.

A definition is a keyword (class, def, func …) with the name after it, or a name that the lexer itself calls one. It
ends with the braces that it opened, or, in languages that indent, before the first line that stands as far left. The
comments and decorators right above belong to it.
"""

from __future__ import annotations

import re
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rag.ingest.load.code_rules import BEGINNINGS, INDENTED, KEYWORDS, LINES, PLAIN
from rag.ingest.load.text import decode
from rag.ingest.structure import Extracted, Heading, sections_from
from rag.types import Section

_MAX_LEXED = 500_000
"""Longer files are generated, most likely; their text is kept without sections."""
_MAX_LINE = 1000
"""Nobody wrote what stands behind: lexers see it not, as some take time that grows with its square."""
_SECONDS, _SECONDS_A_CHARACTER = 2.0, 16e-6
"""Of CPU, five times what source code takes: a text that takes longer is made to, and is kept without sections."""
_MAX_DEPTH = 20
_MAX_RULED = 400
_ABOVE = re.compile(r"[ \t]*(?:@(?!end\b)|#(?!include|define|if|end|el|pragma|import|!)|//|/?\*|--|;|%|\[)")
_TAIL = re.compile(rf"[^\n]{{{_MAX_LINE}}}([^\n]+)")
_NOWHERE = -1
_NAME = re.compile(r"[\w.:?!$]+")


@dataclass(slots=True)
class _Definition:
    """A definition whose line begins at `start` and whose end is not known yet (0)."""

    name: str
    start: int
    depth: int
    end: int = 0


_Event = tuple[int, str, str]
"""A mark ("{", "}", ";") and its offset; or "", where the line begins, and the name that is defined on it."""


def read_code(data: bytes, path: Path, *, media_type: str) -> Extracted:
    """Source code or configuration in the language of `media_type`, "text/x-python" for one."""
    text, dropped = decode(data, path)
    language = media_type.removeprefix("text/x-")
    if language in LINES:
        headings = [Heading(1, match.group(1).strip(), match.start()) for match in LINES[language].finditer(text)]
        return Extracted(text, sections=sections_from(headings, len(text)), dropped=dropped)
    if language in PLAIN or len(text) > _MAX_LEXED:
        return Extracted(text, dropped=dropped)
    return Extracted(text, sections=_nested(_definitions(text, language), text), dropped=dropped)


def _definitions(text: str, language: str) -> list[_Definition]:
    """The definitions in `text`, in order, with their ends."""
    names = _events(text, language)
    try:
        found = _indented(text, names) if language in INDENTED else _braced(text, names)
    except TimeoutError:
        return []
    for each in found:
        each.start = _with_comments(text, each.start)
    return found


def _indented(text: str, events: Iterator[_Event]) -> list[_Definition]:
    found: list[_Definition] = []
    for start, _, name in events:
        if name and (not found or found[-1].start != start):
            found.append(_Definition(name, start, _indent(text, start)))
    for each in found:
        each.end = _dedent(text, each)
    return found


def _braced(text: str, events: Iterator[_Event]) -> list[_Definition]:
    found: list[_Definition] = []
    opened: list[_Definition] = []  # whose end is not seen yet
    depth = 0
    for at, mark, name in events:
        if mark == "{":
            depth += 1
        elif mark:
            depth = max(depth - (mark == "}"), 0)
            while opened and opened[-1].depth >= depth:
                # Before a semicolon it was declared only, and is defined elsewhere.
                opened.pop().end = at + 1 if mark == "}" else _NOWHERE
        elif not found or found[-1].start != at:
            opened.append(_Definition(name, at, depth))
            found.append(opened[-1])
    for each in opened:
        each.end = len(text)
    return [each for each in found if each.end != _NOWHERE]


def _events(text: str, language: str) -> Iterator[_Event]:
    """Braces and semicolons outside of strings and comments, and names that are defined.

    Raises `TimeoutError` when the lexer is kept busy.
    """
    from pygments.lexers import get_lexer_by_name
    from pygments.token import Comment, Keyword, Name, Punctuation, String, Text

    rule = BEGINNINGS.get(language)
    keyword, start, ruled = False, 0, -1
    ends = time.thread_time() + _SECONDS + _SECONDS_A_CHARACTER * len(text)
    seen, shift = _without_tails(text)
    for place, kind, value in get_lexer_by_name(language).get_tokens_unprocessed(seen):
        if time.thread_time() > ends:
            raise TimeoutError
        at = place + shift(place)
        lead = len(value) - len(value.lstrip())
        marks = kind in Punctuation or (value in "{};" and kind not in String)
        start = _line_start(start, at, value[:lead])
        if lead == len(value) or kind in Comment:
            pass
        elif rule is not None and start != ruled and (match := rule.match(text, at + lead, at + _MAX_RULED)):
            yield start, "", next(filter(None, match.groups()))
            keyword = False
        elif marks:
            keyword = False
        elif rule is None and kind not in Text:
            defines = kind in Name.Class or kind in Name.Function
            name = _NAME.match(value) if kind in Name else None
            if name and (keyword or (defines and _begins_line(text, start, at, language))):
                yield start, "", name.group()
            keyword = (kind in Keyword or kind in Name) and value.strip().lower() in KEYWORDS
        if marks:
            yield from ((at + offset, mark, "") for offset, mark in enumerate(value) if mark in "{};")
        if lead < len(value):
            ruled = start
        start = _line_start(start, at, value)


def _without_tails(text: str) -> tuple[str, Callable[[int], int]]:
    """`text` without the tails of its longest lines, and what to add to an offset in it."""
    places, shifts, kept, lost, end = [0], [0], [], 0, 0
    for tail in _TAIL.finditer(text):
        kept.append(text[end : tail.start(1)])
        places.append(tail.start(1) - lost)
        end = tail.end()
        lost += end - tail.start(1)
        shifts.append(lost)
    kept.append(text[end:])
    return "".join(kept), lambda place: shifts[bisect_right(places, place) - 1]


def _line_start(start: int, at: int, value: str) -> int:
    """Where the line begins after `value` at offset `at`; before, it began at `start`."""
    found = value.rfind("\n")
    return start if found < 0 else at + found + 1


def _begins_line(text: str, start: int, at: int, language: str) -> bool:
    """Lexers of C, Java and the like call what is called a function too; only a definition begins with its type."""
    before = text[max(start, at - 300) : at]
    return language not in INDENTED and not re.search(r"[=.(,]|\b(?:return|new|throw|import|use|using)\b|->", before)


def _indent(text: str, start: int) -> int:
    line = text[start : start + 200]
    return len(line) - len(line.lstrip(" \t"))


def _dedent(text: str, definition: _Definition) -> int:
    """Where the block under an indented definition ends: after its last line that stands further right."""
    at = text.find("\n", definition.start) + 1
    end = at or len(text)
    while 0 < at < len(text):
        following = text.find("\n", at)
        following = len(text) if following < 0 else following + 1
        line = text[at:following]
        if line.strip():
            if _indent(text, at) <= definition.depth:
                closes = line.strip()[0] in ")]}" or re.match(r"\s*(?:end|done|fi|esac)\b", line, re.IGNORECASE)
                return following if closes else end
            end = following
        at = following
    return end


def _with_comments(text: str, start: int) -> int:
    while start > 0:
        above = text.rfind("\n", 0, start - 1) + 1
        if not _ABOVE.match(text, above, start):
            break
        start = above
    return start


def _nested(found: list[_Definition], text: str) -> tuple[Section, ...]:
    """Sections from definitions: what begins inside another is cut to it."""
    sections: list[Section] = []
    open_: list[tuple[tuple[str, ...], int]] = []
    for each in sorted(found, key=lambda each: each.start):
        while open_ and open_[-1][1] <= each.start:
            open_.pop()
        path, limit = open_[-1] if open_ else ((), len(text))
        end = min(each.end, limit)
        if each.start < end:
            sections.append(Section((*path, each.name), each.start, end))
            if len(path) < _MAX_DEPTH:
                open_.append(((*path, each.name), end))
    return tuple(sections)
