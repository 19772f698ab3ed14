"""A piece of a document with what stands around it."""

from __future__ import annotations

from dataclasses import dataclass

from rag.index.catalogue import Catalogue

_LONGEST_BROKEN = 200


@dataclass(frozen=True, slots=True)
class Passage:
    """`quote` with what stands before and after it; page and heading path are those of its start."""

    before: str
    quote: str
    after: str
    page: int | None
    section: str | None


def passage_of(catalogue: Catalogue, document_id: str, start: int, end: int, around: int) -> Passage:
    """The text [start, end) of a stored document and up to `around` characters on each side."""
    first = max(0, start - around)
    found = catalogue.span(document_id, first, end + around + 1)
    text = "" if found is None else found.text
    before, quote, after = text[: start - first], text[start - first : end - first], text[end - first :]
    page, section = catalogue.locate(document_id, start)
    return Passage(before if first == 0 else _from_break(before), quote, _to_break(after, around), page, section)


def _from_break(text: str) -> str:
    """Without the broken line, or else word, at its beginning, when that is short."""
    reach = _reach(len(text))
    line = text.find("\n", 0, reach) + 1
    return text[line or text.find(" ", 0, reach) + 1 :]


def _to_break(text: str, longest: int) -> str:
    """At most `longest` characters, without the broken line, or else word, at the end, when that is short."""
    if len(text) <= longest:
        return text
    text, least = text[:longest], longest - _reach(longest)
    line = text.rfind("\n", least)
    at = line if line >= 0 else text.rfind(" ", least)
    return text[:at] if at >= 0 else text


def _reach(length: int) -> int:
    """How many characters of so many may be given up for a good break."""
    return min(_LONGEST_BROKEN, length // 3)
