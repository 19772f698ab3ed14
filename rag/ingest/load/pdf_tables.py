"""Tables on a PDF page, found by the places of their cells and written in Markdown.

A table is a run of lines parted by wide gaps whose parts stand in the same columns. Its characters stay the same and
in the same order: only bars and blanks come between them, and a run in which that cannot be done is left as text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

from rag.ingest.load.pdf_lines import Line

_FIGURE = re.compile(r"[-–—(]*[$€£¥]?\s*[-–—(]*(?:\d[\d.,]*|[-–—])\s*\)?\s*%?\)?(?:\s?\([a-z0-9]{1,2}\))*")
_YEAR = re.compile(r"(?:19|20)\d\d(?:\s?\([a-z0-9]\))?")
_SIGN = re.compile(r"[$€£¥(]+")
_CLOSING = re.compile(r"\)?\s?%?\)?|(?:\([a-z0-9]{1,2}\))+|pts?\.?")
_WITHOUT_MARKS = str.maketrans("", "", " |\\")
_MIN_ROWS = 2
_MAX_BETWEEN = 3
"""Lines without gaps that may stand between two rows: a label that wraps, a heading inside the table."""
_MAX_LEADING = 4.0
"""Rows further apart than this many times their height are two tables."""
_MAX_LEADING_BETWEEN = 2.2
"""A line without gaps that stands further below the row above it begins something else."""
_MAX_CELL_CHARS = 60
"""Columns of more characters than that, in the median, are columns of prose."""


@dataclass(frozen=True, slots=True)
class Table:
    """The lines `first` to `last` of a page (inclusive) as `rows` of Markdown; `offsets` has each line's row."""

    first: int
    last: int
    rows: tuple[str, ...]
    row_of_line: tuple[int, ...]


class _Part(NamedTuple):
    """What stands in one column of a line."""

    text: str
    left: float
    right: float


def tables(lines: Sequence[Line]) -> Iterator[Table]:
    """The tables among the lines of one page, in order."""
    for first, last in _runs(lines):
        run = lines[first : last + 1]
        parts = [_parts(line) for line in run]
        if _is_table(parts) and (grid := _grid(parts)) is not None:
            table = _written(first, last, grid)
            if _kept(run, table.rows):
                yield table


def _written(first: int, last: int, grid: Sequence[Sequence[str]]) -> Table:
    """The grid in Markdown; a label that wraps is one cell. Where no row names the columns, their names are empty."""
    width = len(grid[0])
    rows: list[list[str]] = []
    row_of_line = []
    for cells in grid:
        if rows and cells[0][:1].islower() and not any(rows[-1][1:]) and not rows[-1][0].endswith((":", ".")):
            rows[-1] = [f"{rows[-1][0]} {cells[0]}", *cells[1:]]
        else:
            rows.append(list(cells))
        row_of_line.append(len(rows) - 1)
    named = _is_header(rows[0])
    if not named:
        rows.insert(0, [""] * width)
    shown = ["| " + " | ".join(cells) + " |" for cells in rows]
    shown.insert(1, "|" + "---|" * width)
    return Table(first, last, tuple(shown), tuple(row + (row > 0 if named else 2) for row in row_of_line))


def _runs(lines: Sequence[Line]) -> Iterator[tuple[int, int]]:
    """First and last index of lines that may be one table: they begin and end with rows, and go down the page."""
    first = last = -1
    second = 0.0  # where the second column begins, at the leftmost
    for index, line in enumerate(lines):
        row = len(line.cells) > 1
        if first >= 0 and not _goes_on(lines[index - 1], line, second, index - last):
            if last > first:
                yield first, last
            first = -1
        if row:
            second = min(second, line.cells[1].left) if first >= 0 else line.cells[1].left
            first, last = (first if first >= 0 else index), index
    if first >= 0 and last > first:
        yield first, last


def _goes_on(above: Line, line: Line, second: float, since_row: int) -> bool:
    """Whether `line` can belong to the table that `above` is part of."""
    down = above.bottom - line.bottom
    if not 0.3 * line.height < down < _MAX_LEADING * max(line.height, above.height):
        return False
    if len(line.cells) > 1:
        return True
    crosses = line.left < second - line.height and line.right > second + 2 * line.height
    return since_row <= _MAX_BETWEEN and not crosses and down < _MAX_LEADING_BETWEEN * line.height


def _parts(line: Line) -> list[_Part]:
    """The cells of a line; currency signs, percent signs and closing brackets go with their figures."""
    parts: list[_Part] = []
    for start, end, left, right in line.cells:
        text = line.text[start:end]
        if parts and (_SIGN.fullmatch(parts[-1].text) or (len(text) <= 5 and _closes(parts[-1], text, line, left))):
            before = parts.pop()
            parts.append(_Part(f"{before.text} {text}", before.left, right))
        else:
            parts.append(_Part(text, left, right))
    return parts


def _closes(before: _Part, text: str, line: Line, left: float) -> bool:
    return bool(_CLOSING.fullmatch(text)) and left - before.right < 2 * line.height


def _is_table(rows: Sequence[Sequence[_Part]]) -> bool:
    """Enough rows of several cells, with figures in them or cells short enough to be no columns of prose."""
    full = [row for row in rows if len(row) > 1]
    if len(full) < _MIN_ROWS or 2 * len(full) < len(rows):
        return False
    cells = [part.text for row in full for part in row[1:]]
    figures = sum(_FIGURE.fullmatch(text) is not None for text in cells)
    if 3 * figures >= len(cells):
        return True
    return len(full) > _MIN_ROWS and median(map(len, cells)) <= _MAX_CELL_CHARS and _aligned(full)


def _aligned(rows: Sequence[Sequence[_Part]]) -> bool:
    """Whether most rows begin their second cell at the same place."""
    lefts = sorted(row[1].left for row in rows)
    return sum(abs(left - lefts[len(lefts) // 2]) < 4 for left in lefts) >= 0.6 * len(lefts)


def _grid(rows: Sequence[Sequence[_Part]]) -> list[list[str]] | None:
    """The rows as cells of equal number, or `None` where two cells of a row claim one column."""
    columns = _columns(rows)
    grid = []
    for row in rows:
        cells = [""] * len(columns)
        least = 0
        for part in row:
            column = _column(columns, part, least)
            if column is None:
                return None
            cells[column] = part.text.replace("|", "\\|")
            least = column + 1
        grid.append(cells)
    return grid


def _columns(rows: Sequence[Sequence[_Part]]) -> list[tuple[float, float]]:
    """Left and right of each column: what the fullest rows agree on, and what stands beside it in the others."""
    most = max(map(len, rows))
    columns: list[tuple[float, float]] = []
    for row in sorted(rows, key=lambda row: -len(row)):
        if len(row) == 1 and most > 1:
            continue
        for part in row:
            touched = [index for index, (left, right) in enumerate(columns) if part.left < right and part.right > left]
            if not touched:
                columns.append((part.left, part.right))
            elif len(touched) == 1:
                left, right = columns[touched[0]]
                columns[touched[0]] = (min(left, part.left), max(right, part.right))
        columns.sort()
    return columns


def _column(columns: Sequence[tuple[float, float]], part: _Part, least: int) -> int | None:
    """The leftmost column from `least` on that the part stands over; else the first that begins after it does."""
    for index in range(least, len(columns)):
        left, right = columns[index]
        if part.left < right and part.right > left:
            return index
    return next((index for index in range(least, len(columns)) if columns[index][0] >= part.left), None)


def _is_header(cells: Sequence[str]) -> bool:
    """Names or years over the columns: no figures."""
    named = [cell for cell in cells[1:] if cell]
    return bool(named) and all(_YEAR.fullmatch(cell) or not _FIGURE.fullmatch(cell) for cell in named)


def _kept(run: Sequence[Line], rows: Sequence[str]) -> bool:
    """Whether every character of the lines is in the rows, in order."""
    before = "".join(line.text for line in run).translate(_WITHOUT_MARKS)
    after = "".join((rows[0], *rows[2:])).translate(_WITHOUT_MARKS)
    return "".join(before.split()) == "".join(after.split())
