"""Finds the "[Source: document, page X]" markers in the text of a model.

A document may be named "a[1].txt" or "Q3; final.txt", so the names of the evidence are looked for first, the longest
first, and only what is none of them is cut at brackets and semicolons. Every pattern gives back nothing it has taken,
so the time grows with the length of the text alone.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass

_OPEN = re.compile(r"\[\s*+Sources?\s*+:\s*+", re.IGNORECASE)
_ANOTHER = re.compile(r"\s*+Sources?\s*+:\s*+|\s*+", re.IGNORECASE)
_JOINT = r"\s*+(?:,\s*+(?:and\b|&)?+|and\b|&|to\b|[-–—])\s*+"
_PAGE_WORD = r"(?:pages?+\b|pp?+\.|pp?+\b)"
_PAGES = rf"\s*+,?\s*+{_PAGE_WORD}\s*+(?P<pages>[0-9]{{1,9}}(?:{_JOINT}(?:{_PAGE_WORD}\s*+)?[0-9]{{1,9}})*)"
_END = r"\s*+(?:(?P<more>;|,(?=\s*+Sources?\s*+:))|(?P<close>\]))"
_UNKNOWN = re.compile(
    r"(?P<written>(?:[^\[\];,]|,(?!\s*+Sources?\s*+:)|\[(?!\s*+Sources?\s*+:)[^\[\]]*+\])*+)" + _END, re.IGNORECASE
)
_TO_THE_FIRST_BRACKET = re.compile(r"(?P<written>(?:[^\[\]]|\[(?!\s*+Sources?\s*+:))*+)\]", re.IGNORECASE)
_PAGES_AT_THE_END = re.compile(_PAGES + r"\s*+\Z", re.IGNORECASE)
_BEHIND_NAME = re.compile(rf"(?P<rest>[\"'`]?(?:{_PAGES})?){_END}", re.IGNORECASE)
_SPACE = re.compile(r"\s+")
_RANGE = re.compile(r"([0-9]+)(?:\s*+(?:[-–—]|to\b)\s*+([0-9]+))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Source:
    """One source of a marker: as it was written, the document's name in it, and the page ranges it gives, if any."""

    written: str
    name: str
    pages: tuple[range, ...] = ()


@dataclass(frozen=True, slots=True)
class Marker:
    """text[start:end] is a marker that names these sources."""

    start: int
    end: int
    sources: tuple[Source, ...]


def find_markers(text: str, names: Collection[str]) -> list[Marker]:
    """The markers in `text`, in order; `names` are the documents that it may cite.

    A marker that names none of them has one source, which is all that it says.
    """
    found: list[Marker] = []
    opening = _OPEN.search(text)
    if opening is None:
        return found
    known = sorted(filter(str.strip, names), key=lambda name: (-len(name), name))
    plain_names = {plain_name(name) for name in names}
    while opening is not None:
        marker = _read(text, opening, known, plain_names)
        if marker is not None:
            found.append(marker)
        opening = _OPEN.search(text, marker.end if marker is not None else opening.end())
    return found


def without_markers(text: str) -> str:
    """The text with a space for each marker."""
    parts, at = [], 0
    for marker in find_markers(text, ()):
        parts.append(text[at : marker.start])
        at = marker.end
    return " ".join([*parts, text[at:]])


def plain_name(name: str) -> str:
    """The name as it is compared: without case, quotation marks, wide space and ways of writing an accent."""
    return re.sub(r"\s+", " ", unicodedata.normalize("NFC", name).strip().strip("\"'`").casefold())


def _read(text: str, opening: re.Match[str], known: Sequence[str], names: set[str]) -> Marker | None:
    """The marker that begins here, or `None` when it has no end."""
    sources: list[Source] = []
    at = opening.end()
    while True:
        source, match = _named(text, at, known) or (None, _UNKNOWN.match(text, at))
        if match is None:
            return _whole(text, opening)
        if source is None and (written := match["written"].strip()):
            source = _written(written)
        if source is not None:
            sources.append(source)
        if match["close"]:
            break
        another = _ANOTHER.match(text, match.end())
        at = another.end() if another is not None else match.end()
    if not any(plain_name(source.name) in names for source in sources):
        written = text[opening.end() : match.end() - 1].strip()
        sources = [_written(written)] if written else []
    return Marker(opening.start(), match.end(), tuple(sources))


def _whole(text: str, opening: re.Match[str]) -> Marker | None:
    match = _TO_THE_FIRST_BRACKET.match(text, opening.end())
    if match is None:
        return None
    written = match["written"].strip()
    return Marker(opening.start(), match.end(), (_written(written),) if written else ())


def _named(text: str, at: int, known: Sequence[str]) -> tuple[Source, re.Match[str]] | None:
    """The source at text[at], when it is one of the documents, and what stands behind its name.

    No pattern of all names: making one for each answer takes longer than all the rest of its checks.
    """
    for begin in (at + 1, at) if text.startswith(('"', "'", "`"), at) else (at,):
        for name in known:
            end = _name_end(text, begin, name)
            match = None if end is None else _BEHIND_NAME.match(text, end)
            if match is not None:
                written = text[at : match.end("rest")].strip()
                return Source(written, text[begin:end], _ranges(match["pages"] or "")), match
    return None


def _name_end(text: str, at: int, name: str) -> int | None:
    """Where a name that begins at text[at] ends, however its letters and its spaces are written."""
    for number, word in enumerate(name.split()):
        if number:
            space = _SPACE.match(text, at)
            if space is None:
                return None
            at = space.end()
        if text[at : at + len(word)].casefold() != word.casefold():
            return None
        at += len(word)
    return at


def _written(written: str) -> Source:
    """What is none of the documents as it stands, yet may be one with its accents or capitals written otherwise."""
    # Page numbers stand in the last few words; a search through a long text from each of its spaces would be slow.
    tail = max(0, len(written) - 200)
    pages = _PAGES_AT_THE_END.search(written, tail)
    if pages is None:
        return Source(written, written)
    return Source(written, written[: pages.start()], _ranges(pages["pages"]))


def _ranges(pages: str) -> tuple[range, ...]:
    return tuple(range(int(first), int(last or first) + 1) for first, last in _RANGE.findall(pages))
