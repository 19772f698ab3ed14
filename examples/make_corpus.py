"""Writes the PDF and Word files of examples/corpus from the texts in examples/sources; the other files have no source.

    make corpus

A source is Markdown of the simplest kind: `# title`, `## heading`, paragraphs, `- list`, `| table |`, and a line of
`---` where a page ends. The same source gives the same file, so that a difference in version control is a real one.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
WRITTEN = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
COMPANY = "Tarnbrook Outfitters Ltd"

Block = tuple[str, list[str]]
"""A kind (title, heading, text, list, table, break) and its lines."""


def main() -> None:
    """Write every document whose source is in `examples/sources`; handbook.docx.md gives handbook.docx."""
    for source in sorted((HERE / "sources").glob("*.md")):
        write(source, HERE / "corpus" / source.stem)


def write(source: Path, target: Path) -> None:
    """Write the document of `source` in the format that the name of `target` asks for."""
    make = {".pdf": pdf, ".docx": docx}[target.suffix]
    target.write_bytes(make(list(blocks(source.read_text(encoding="utf-8")))))


def blocks(text: str) -> Iterator[Block]:
    """The blocks of a source, in order."""
    for kind, lines in groupby(text.splitlines(), key=_kind):
        cleaned = [line.lstrip("#-").strip() for line in lines]
        if kind == "blank":
            continue
        if kind in {"table", "list"}:
            yield kind, cleaned
        else:
            yield from ((kind, [line]) for line in cleaned)


def _kind(line: str) -> str:
    if not line.strip():
        return "blank"
    starts = (("---", "break"), ("# ", "title"), ("## ", "heading"), ("- ", "list"), ("|", "table"))
    return next((kind for start, kind in starts if line.startswith(start)), "text")


def cells(row: str) -> list[str]:
    """The cells of a table row."""
    return [cell.strip() for cell in row.strip("|").split("|")]


def pdf(content: list[Block]) -> bytes:
    """A PDF on A4 with page numbers."""
    from fpdf import FPDF

    title = next(lines[0] for kind, lines in content if kind == "title")

    class Paged(FPDF):  # fpdf2 calls footer() at the end of every page
        def footer(self) -> None:
            self.set_y(-15)
            self.set_font("helvetica", size=8)
            self.cell(0, 8, f"{COMPANY} - {title} - {self.page_no()}", align="C")

    out = Paged()
    out.set_creation_date(WRITTEN)
    out.set_title(title)
    out.set_author(COMPANY)
    out.set_margin(22)
    out.add_page()
    for kind, lines in content:
        _PDF_BLOCKS[kind](out, lines)
    return bytes(out.output())


def _pdf_text(out: Any, text: str, size: int, style: str = "", after: int = 3) -> None:
    out.set_font("helvetica", style=style, size=size)
    out.multi_cell(0, size * 0.5, text, new_x="LMARGIN", new_y="NEXT")
    out.ln(after)


def _pdf_heading(out: Any, text: str, size: int, level: int) -> None:
    out.start_section(text, level)  # a bookmark, as office programs write them
    _pdf_text(out, text, size, "B")


def _pdf_list(out: Any, lines: list[str]) -> None:
    for line in lines:
        _pdf_text(out, f"- {line}", 11, after=1)
    out.ln(2)


def _pdf_table(out: Any, lines: list[str]) -> None:
    out.set_font("helvetica", size=10)
    with out.table(line_height=6, text_align="LEFT") as grid:
        for line in lines:
            grid.row(cells(line))
    out.ln(4)


_PDF_BLOCKS: dict[str, Any] = {
    "title": lambda out, lines: _pdf_heading(out, lines[0], 22, 0),
    "heading": lambda out, lines: _pdf_heading(out, lines[0], 15, 1),
    "text": lambda out, lines: _pdf_text(out, lines[0], 11),
    "list": _pdf_list,
    "table": _pdf_table,
    "break": lambda out, lines: out.add_page(),
}


def docx(content: list[Block]) -> bytes:
    """A Word file with heading styles and grid tables."""
    from docx import Document

    out: Any = Document()
    out.core_properties.author = COMPANY
    out.core_properties.created = out.core_properties.modified = WRITTEN.replace(tzinfo=None)
    for kind, lines in content:
        if kind in {"title", "heading"}:
            out.add_heading(lines[0], level=0 if kind == "title" else 1)
        elif kind == "table":
            _docx_table(out, lines)
        elif kind == "break":
            out.add_page_break()
        else:
            for line in lines:
                out.add_paragraph(line, style="List Bullet" if kind == "list" else None)
    buffer = io.BytesIO()
    out.save(buffer)
    return _without_clock(buffer.getvalue())


def _docx_table(out: Any, lines: list[str]) -> None:
    rows = [cells(line) for line in lines]
    grid = out.add_table(rows=0, cols=len(rows[0]), style="Light Grid Accent 1")
    for row in rows:
        for cell, text in zip(grid.add_row().cells, row, strict=True):
            cell.text = text


def _without_clock(data: bytes) -> bytes:
    """The same zip file with a fixed time at every entry."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            entry = zipfile.ZipInfo(name, WRITTEN.timetuple()[:6])
            entry.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(entry, old.read(name))
    return buffer.getvalue()


if __name__ == "__main__":
    main()
