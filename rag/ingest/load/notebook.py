"""Jupyter notebooks (nbformat 4): the cells as one Markdown text, code and its output fenced, pictures left out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rag.errors import DamagedFileError
from rag.ingest.load.text import decode, markdown_headings
from rag.ingest.structure import Extracted, clean, sections_from


def read_notebook(data: bytes, path: Path) -> Extracted:
    """A notebook; the headings of its Markdown cells make the sections. Raises `DamagedFileError`."""
    text, dropped = decode(data, path)
    try:
        found = json.loads(text)
    except ValueError as error:
        raise DamagedFileError(path, "it is truncated or damaged, or no Jupyter notebook") from error
    cells = found.get("cells") if isinstance(found, dict) else None
    if not isinstance(cells, list):
        raise DamagedFileError(path, "it is no Jupyter notebook of format 4: there is no list 'cells' in it")
    kernel = _at(found, "metadata", "language_info", "name") or _at(found, "metadata", "kernelspec", "language") or ""
    blocks = [block for cell in cells if isinstance(cell, dict) for block in _blocks(cell, str(kernel))]
    text, lost = clean("\n\n".join(block for block in blocks if block.strip()))
    headings = list(markdown_headings(text))
    title = next((heading.title for heading in headings if heading.level == 1), None)
    return Extracted(text, sections=sections_from(headings, len(text)), title=title, dropped=dropped + lost)


def _blocks(cell: dict[str, Any], kernel: str) -> Iterator[str]:
    source = _joined(cell.get("source"))
    if cell.get("cell_type") != "code":
        yield source.strip("\n")
        return
    if source.strip():
        yield _fenced(source, kernel)
    outputs = cell.get("outputs")
    for output in outputs if isinstance(outputs, list) else []:
        if isinstance(output, dict) and (shown := _shown(output)).strip():
            yield _fenced(shown, "output")


def _shown(output: dict[str, Any]) -> str:
    """What a reader sees of an output: printed text, the text of a result, or an error."""
    if output.get("output_type") == "error":
        return f"{output.get('ename')}: {output.get('evalue')}"
    return _joined(output.get("text")) or _joined(_at(output, "data", "text/plain"))


def _fenced(text: str, kind: str) -> str:
    mark = "```"
    while mark in text:
        mark += "`"
    return f"{mark}{kind}\n{text.strip(chr(10))}\n{mark}"


def _joined(source: Any) -> str:
    return "".join(map(str, source)) if isinstance(source, list) else str(source or "")


def _at(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value
