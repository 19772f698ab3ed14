"""How deep the XML inside an office file is nested: native parsers descend by recursion, and their stack ends.

A file that opens tags by the ten thousand and closes none crashes the process that reads it.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from xml.parsers import expat

from rag.errors import DamagedFileError
from rag.ingest.load.zip import DAMAGE

_DEEPEST = 2000
"""No office program writes more than some dozens; parsers crash somewhere beyond 8,000."""
_PIECE = 1 << 22
_MARKUP = (".xml", ".rels", ".opf", ".ncx", ".xhtml", ".html", ".htm")


def check_depth(data: bytes, path: Path) -> None:
    """Raise `DamagedFileError` when a part of the package `data` is nested too deeply; other damage is left alone."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            deep = any(_is_deep(package, name) for name in package.namelist() if name.lower().endswith(_MARKUP))
    except DAMAGE:
        return  # whoever reads the parts says so
    if deep:
        raise DamagedFileError(path, f"it is nested too deeply: more than {_DEEPEST:,} levels")


def _is_deep(package: zipfile.ZipFile, name: str) -> bool:
    """Whether the part is; looked at closely only where its tags, counted in passing, would allow it."""
    depth = 0
    with package.open(name) as part:
        before = b""
        while piece := part.read(_PIECE):
            depth, deepest = _counted(before + piece, depth)
            if deepest > _DEEPEST:
                return _is_proven(package, name)
            before = piece[-1:]
    return False


def _counted(piece: bytes, depth: int) -> tuple[int, int]:
    """The depth behind `piece` and the greatest inside it. Its first byte was the last of the piece before."""
    import numpy as np

    first, second = np.frombuffer(piece[:-1], np.uint8), np.frombuffer(piece[1:], np.uint8)
    opens = first == ord("<")
    closes = opens & (second == ord("/"))
    none = opens & ((second == ord("!")) | (second == ord("?")))
    ends = (first == ord("/")) & (second == ord(">"))
    steps = (opens & ~closes & ~none).astype(np.int8) - (closes | ends).astype(np.int8)
    depths = depth + np.cumsum(steps, dtype=np.int32)
    return (int(depths[-1]), int(depths.max())) if len(depths) else (depth, depth)


def _is_proven(package: zipfile.ZipFile, name: str) -> bool:
    """The same by a parser that needs no stack: tags in comments count not, nor those that are never closed in HTML."""
    depth = 0

    def opened(_tag: str, _attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:
            raise _TooDeepError

    def closed(_tag: str) -> None:
        nonlocal depth
        depth -= 1

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = opened, closed
    try:
        with package.open(name) as part:
            while piece := part.read(_PIECE):
                parser.Parse(piece)
    except _TooDeepError:
        return True
    except expat.ExpatError:
        return False
    return False


class _TooDeepError(Exception):
    """Ends the parsing."""
