"""What a text consists of where nobody marked it: paragraphs, tables, code, as spans in order."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from plumbline.text.graphemes import not_space, trimmed_end

Kind = Literal["prose", "table", "code"]

_LINE = re.compile(r"[^\n]*\n?")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_ROW = re.compile(r"\s*\|.*\|\s*$|.*\S(?: \| | ?\|\s*$).*|.*\S\t+\S.*")
_RULE = re.compile(r"[\s|:+=]*-[\s|:+=-]*$")
_MAX_HEADER_CHARS = 500


@dataclass(frozen=True, slots=True)
class Block:
    """text[start:end], without white space around. A table has at least two rows, each a line."""

    start: int
    end: int
    kind: Kind


def blocks(text: str, start: int, end: int, *, code: bool = False) -> list[Block]:
    """The blocks of text[start:end], in order; all of it is one block of code with `code`."""
    found = []
    for begun, stop, kind in [(start, end, "code")] if code else _runs(text, start, end):
        begin = not_space(text, begun)
        last = trimmed_end(text, begin, stop)
        if begin < last:
            found.append(Block(begin, last, _kind(kind, text[begin:last])))
    return found


def header(text: str, table: Block) -> str:
    """The first row of `table`, and the rule below it where there is one; at most 500 characters."""
    first, _, rest = text[table.start : table.end].partition("\n")
    second = rest.partition("\n")[0]
    return (f"{first}\n{second}" if _RULE.match(second) else first)[:_MAX_HEADER_CHARS]


def _kind(kind: str, text: str) -> Kind:
    if kind == "table" and "\n" in text:
        return "table"
    return "code" if kind == "code" else "prose"


def _runs(text: str, start: int, end: int) -> Iterator[tuple[int, int, str]]:
    """Runs of lines of one kind; white space may stand around them."""
    begun, kind, fence = start, "", ""
    for match in _LINE.finditer(text, start, end):
        line = match.group()
        if fence:
            if line.strip().startswith(fence) and not line.strip().strip(fence[0]):
                fence = ""
            continue
        opening = _FENCE.match(line)
        here = "code" if opening else "" if not line.strip() else "table" if _ROW.match(line) else "prose"
        if opening or here != kind:
            if kind:
                yield begun, match.start(), kind
            begun, kind = match.start(), here
        fence = opening.group(1) if opening else ""
    if kind:
        yield begun, end, kind
