"""Reads scanned pages: each is rendered, and RapidOCR (PP-OCR on onnxruntime, models in its wheel) finds the lines.

Nothing is fetched. The lines come with their places, so that tables are found on scanned pages too.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from plumbline.extras import require
from rag.ingest.load.pdf_lines import Cell, Font, Line
from rag.ingest.structure import clean

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

_DPI = 200
_POINTS = 72
_MAX_PIXELS = 4000
"""The longer side of a page is rendered with at most so many, whatever size the page says it has."""
_SCANNED = Font("", 0.0, 0)
"""A scan tells nothing about fonts, so that no line of it becomes a heading by its font."""
_GAP = 0.6


class _Found(NamedTuple):
    """A piece of text and where it stands, in points, `y` growing upwards."""

    text: str
    left: float
    right: float
    bottom: float
    top: float


class PageScanner:
    """Reads pages of one open document through OCR; raises `MissingExtraError` without the extra `ocr`."""

    def __init__(self, document: PdfDocument) -> None:
        require("onnxruntime", "ocr")
        self._document = document
        self._engine: Any = require("rapidocr", "ocr").RapidOCR(params={"Global.log_level": "error"})

    def lines(self, index: int) -> list[Line]:
        """The lines on the page at `index`, from zero, from top to bottom."""
        page = self._document[index]
        try:
            width, height = page.get_size()
            scale = min(_DPI / _POINTS, _MAX_PIXELS / max(width, height, 1.0))
            image = page.render(scale=scale).to_numpy()[:, :, :3]
            result = self._engine(image)
        finally:
            page.close()
        if result.txts is None:
            return []
        found = []
        for box, text in zip(result.boxes, result.txts, strict=True):
            (left, top), (right, bottom) = box.min(axis=0) / scale, box.max(axis=0) / scale
            found.append(_Found(clean(text)[0].strip(), left, right, height - bottom, height - top))
        return [_line(row) for row in _rows([each for each in found if each.text])]


def _rows(found: Sequence[_Found]) -> list[list[_Found]]:
    """What stands at one height, from left to right; rows from top to bottom."""
    rows: list[list[_Found]] = []
    for each in sorted(found, key=lambda each: -each.top):
        middle = (each.bottom + each.top) / 2
        if rows and rows[-1][0].bottom < middle < rows[-1][0].top:
            rows[-1].append(each)
        else:
            rows.append([each])
    return [sorted(row, key=lambda each: each.left) for row in rows]


def _line(row: Sequence[_Found]) -> Line:
    """One line from the pieces of a row, parted into cells by wide gaps."""
    height = row[0].top - row[0].bottom
    text = row[0].text
    cells = [Cell(0, len(text), row[0].left, row[0].right)]
    for before, each in pairwise(row):
        start = len(text) + 1
        text = f"{text} {each.text}"
        if each.left - before.right > _GAP * height:
            cells.append(Cell(start, len(text), each.left, each.right))
        else:
            cells[-1] = cells[-1]._replace(end=len(text), right=each.right)
    return Line(text, row[0].left, row[-1].right, row[0].bottom, height, _SCANNED, False, tuple(cells))
