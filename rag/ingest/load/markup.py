"""reStructuredText and LaTeX as they are written, their headings as offsets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from rag.ingest.load.text import decode, iso_date
from rag.ingest.structure import Extracted, Heading, sections_from

_ADORNMENT = re.compile(r"([=\-~^\"'`#*+.:_<>])\1*[ \t]*$")
_LINE = re.compile(r"[^\n]*\n?")
_RST_DATE = re.compile(r"^:date:[ \t]*(.+)$", re.MULTILINE | re.IGNORECASE)
_LEVELS = ("part", "chapter", "section", "subsection", "subsubsection", "paragraph", "subparagraph")
_COMMAND = re.compile(
    r"^[ \t]*\\(part|chapter|(?:sub){0,2}section|(?:sub)?paragraph)\*?\s*(?:\[[^\]\n]*\]\s*)?\{", re.MULTILINE
)
_TITLE = re.compile(r"\\title\s*\{")
_TEX_DATE = re.compile(r"\\date\s*\{([^}\n]*)\}")
_TEX_COMMAND = re.compile(r"\\[A-Za-z]+\*?\s*|[{}$~]")
_LONGEST_TITLE = 500


def read_rst(data: bytes, path: Path) -> Extracted:
    """reStructuredText; a style of underline (with or without overline) takes its rank from where it first occurs."""
    text, dropped = decode(data, path)
    headings = list(_rst_headings(text))
    dated = _RST_DATE.search(text[:4000])
    return Extracted(
        text,
        sections=sections_from(headings, len(text)),
        title=headings[0].title if headings else None,
        created=iso_date(dated.group(1)) if dated else None,
        dropped=dropped,
    )


def _rst_headings(text: str) -> Iterator[Heading]:
    ranks: dict[tuple[str, bool], int] = {}
    before, before_at = "", 0  # the line before the title: blank, or its overline
    title, title_at = "", 0
    for match in _LINE.finditer(text):
        line = match.group().rstrip()
        mark = _ADORNMENT.match(line)
        over = _ADORNMENT.match(before) if before else None
        if mark and title and not _ADORNMENT.match(title) and len(line) >= min(len(title.strip()), 3):
            overlined = over is not None and over.group(1) == mark.group(1)
            if (overlined or not before.strip()) and (overlined or not title[0].isspace()):
                rank = ranks.setdefault((mark.group(1), overlined), len(ranks) + 1)
                yield Heading(rank, " ".join(title.split()), before_at if overlined else title_at)
                before, title = "", ""
                continue
        before, before_at, title, title_at = title, title_at, line, match.start()


def read_tex(data: bytes, path: Path) -> Extracted:
    """LaTeX source; \\part, \\chapter, \\section … make the sections."""
    text, dropped = decode(data, path)
    headings = [
        Heading(_LEVELS.index(match.group(1)) + 1, title, match.start())
        for match in _COMMAND.finditer(text)
        if (title := _braced(text, match.end()))
    ]
    titled, dated = _TITLE.search(text), _TEX_DATE.search(text)
    return Extracted(
        text,
        sections=sections_from(headings, len(text)),
        title=(_braced(text, titled.end()) if titled else None) or None,
        created=iso_date(dated.group(1)) if dated else None,
        dropped=dropped,
    )


def _braced(text: str, start: int) -> str:
    """What stands from `start` to the brace that closes there, without commands."""
    depth = 1
    for at in range(start, min(len(text), start + _LONGEST_TITLE)):
        depth += (text[at] == "{") - (text[at] == "}")
        if depth == 0:
            return " ".join(_TEX_COMMAND.sub(" ", text[start:at]).split())
    return ""
