"""Tables as text: each row of a data file becomes a line that can be read, found and cited by itself.

A row of a CSV file or a sheet reads "Product: Shoes; Days: 30": whoever cites it needs no header line above it. A
table inside a document keeps its shape, in Markdown.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from rag.ingest.load.text import decode
from rag.ingest.structure import Extracted, TextBuilder

_LONGEST_NAME = 200
"""A column's name stands before every cell of it: what is longer is no name."""
_MOST_PADDING = 10
"""A table is padded with at most as many times its cells."""
_DELIMITERS = ",;\t|"
_NUMBER = re.compile(r"[-+(]?[$€£¥]?\s?\d[\d.,\s%]*\)?$")


def read_csv(data: bytes, path: Path) -> Extracted:
    """A CSV or TSV file; the delimiter is the one that splits its first lines most evenly."""
    text, dropped = decode(data, path)
    delimiter = "\t" if path.suffix.lower() == ".tsv" else _delimiter(text)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error:
        # A field of more than 128 KB, most likely an unclosed quote: then the lines as they are.
        return Extracted(text, dropped=dropped, metadata={"rows": "unparsed"})
    builder = TextBuilder()
    add_records(builder, rows)
    return Extracted(builder.build()[0], dropped=dropped + builder.dropped)


def add_records(builder: TextBuilder, rows: Iterable[Sequence[str]]) -> None:
    """Add each row of a data table as a block of its own, under the names of its columns where it has any."""
    filled = [cells for row in rows if any(cells := [" ".join(cell.split()) for cell in row])]
    header = filled[0] if len(filled) > 1 and _is_header(filled[0]) else None
    for row in filled[1:] if header else filled:
        builder.block(record(header, row))


def record(header: Sequence[str] | None, row: Sequence[str]) -> str:
    """One row as "name: value; name: value"; empty cells are left out, cells without a name stand alone."""
    names = list(header or [])
    names += [""] * (len(row) - len(names))
    return "; ".join(f"{name}: {cell}" if name else cell for name, cell in zip(names, row, strict=False) if cell)


def table(rows: Iterable[Sequence[str]]) -> str:
    """A table inside a document, in Markdown: its first row names the columns.

    Without such a row (a single row, or figures in the first), or where one row is much longer than the others, it is
    a line per row, cells joined by " | ".
    """
    filled = [cells for row in rows if any(cells := [" ".join(cell.split()) for cell in row])]
    width = max(map(len, filled), default=0)
    ragged = width * len(filled) > _MOST_PADDING * sum(map(len, filled))
    if width < 2 or len(filled) < 2 or ragged or not _is_header(filled[0]):
        return "\n".join(" | ".join(cells) for cells in filled)
    padded = [[cell.replace("|", "\\|") for cell in cells] + [""] * (width - len(cells)) for cells in filled]
    lines = ["| " + " | ".join(cells) + " |" for cells in padded]
    return "\n".join([lines[0], "|" + " --- |" * width, *lines[1:]])


def _is_header(row: Sequence[str]) -> bool:
    """Names of columns: words, no figures, no two alike."""
    named = [cell for cell in row if cell]
    names = len(named) == len(set(named)) and 2 * len(named) > len(row) and not any(map(_NUMBER.match, named))
    return names and max(map(len, named), default=0) <= _LONGEST_NAME


def _delimiter(text: str) -> str:
    """The delimiter found in most of the first lines, in equal numbers."""
    lines = [line for line in text[:20_000].split("\n")[:20] if line.strip()]

    def evenness(mark: str) -> tuple[int, int]:
        counts = [line.count(mark) for line in lines]
        usual = max(set(counts), key=counts.count, default=0)
        return (counts.count(usual) if usual else 0), usual

    return max(_DELIMITERS, key=evenness)
