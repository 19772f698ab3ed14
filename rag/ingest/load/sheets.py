"""How many cells the sheets of a workbook span, known before another library makes room for all of them.

Two filled cells in opposite corners span a sheet of 17 billion, and a cell that repeats itself is written once.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.parsers import expat

from rag.errors import DamagedFileError, OverLimitError
from rag.ingest.load.zip import DAMAGE

_CELL_BYTES = 128
"""What a cell counts against `loading.max_unpacked_bytes`."""
_CELL = re.compile(rb'<(?:\w{1,20}:)?c\s(?:[^<>]*?\s)?r="([A-Z]{1,3})([0-9]{1,7})"[^<>]*(?<!/)>')
_ODS_TAG = re.compile(rb"<(/?)table:table-(row|cell)\b([^<>]*)(?<!/)>")
_REPEATED = re.compile(rb'number-(?:columns|rows)-repeated="(\d{1,9})"')


def check_sheets(data: bytes, path: Path, limit: int) -> None:
    """Prove that the filled cells of every sheet span no more than `limit` bytes have room for.

    Raises `OverLimitError`, and `DamagedFileError` for an OpenDocument sheet that is no XML.
    """
    for span in _spans(data, path):
        if span * _CELL_BYTES > limit:
            reason = f"a sheet in it spans {span:,} cells from its first filled cell to its last"
            raise OverLimitError(path, reason, "loading.max_unpacked_bytes")


def _spans(data: bytes, path: Path) -> Iterator[int]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            for name in package.namelist():
                if name.startswith("xl/worksheets/"):
                    yield _span(package.read(name))
                elif name == "content.xml":
                    yield _repeated_span(_whole(package.read(name), path))
    except DAMAGE:
        return  # whoever reads the sheets says so


def _whole(content: bytes, path: Path) -> bytes:
    """`content`, proven to be well formed: kreuzberg waits forever for a cell that never ends."""
    try:
        expat.ParserCreate().Parse(content, True)
    except expat.ExpatError as error:
        raise DamagedFileError(path, f"its content.xml is damaged: {error}") from error
    return content


def _span(sheet: bytes) -> int:
    columns, rows = set(), set()
    for match in _CELL.finditer(sheet):
        columns.add(match.group(1))
        rows.add(match.group(2))
    if not rows:
        return 0
    numbers = {int(row) for row in rows}
    letters = {_number(column) for column in columns}
    return (max(numbers) - min(numbers) + 1) * (max(letters) - min(letters) + 1)


def _number(column: bytes) -> int:
    number = 0
    for letter in column:
        number = number * 26 + letter - 64
    return number


def _repeated_span(content: bytes) -> int:
    total, times = 0, 1
    for tag in _ODS_TAG.finditer(content):
        closing, kind, attributes = tag.groups()
        if kind == b"row":
            times = 1 if closing else _times(attributes)
        elif not closing:
            total += times * _times(attributes)
    return total


def _times(attributes: bytes) -> int:
    found = _REPEATED.search(attributes)
    return int(found.group(1)) if found else 1
