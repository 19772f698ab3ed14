"""JSON as text that can be read and cited piece by piece, with every value in it.

A list of records becomes a block per record, "name: value; address.city: Berlin", as rows of a CSV file do; objects
become headings, so that the section of a value is its path. Numbers stay as they are written, and so do keys that
occur twice. JSON Lines (.jsonl, .ndjson) are a record per line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rag.errors import DamagedFileError
from rag.ingest.load.text import decode
from rag.ingest.structure import Extracted, TextBuilder
from rag.types import MetadataValue

_DEEPEST = 100
"""Objects within objects; more are damage, or made to exhaust the stack."""


class _Object(list[tuple[str, Any]]):
    """The members of an object, in order, those of equal names too."""


class _Number(str):
    """A number as it is written."""

    __slots__ = ()


_DECODER = json.JSONDecoder(object_pairs_hook=_Object, parse_float=_Number, parse_int=_Number, strict=False)


def read_json(data: bytes, path: Path) -> Extracted:
    """A JSON file; one that is no JSON is kept as text, and `metadata["json"]` says so."""
    text, dropped = decode(data, path)
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError:
        if _is_lines(text):
            return _lines(text, dropped, path)
        return Extracted(text, dropped=dropped, metadata={"json": "unparsed"})
    _check_depth(value, path)
    builder = TextBuilder()
    _add(builder, value, 1)
    return _extracted(builder, dropped, {})


def read_json_lines(data: bytes, path: Path) -> Extracted:
    """JSON Lines; lines that are no JSON are kept as they are and counted in `metadata["broken_lines"]`."""
    text, dropped = decode(data, path)
    return _lines(text, dropped, path)


def _is_lines(text: str) -> bool:
    """Whether the first line is a record by itself: JSON Lines under the name of JSON."""
    try:
        return isinstance(_DECODER.decode(text.lstrip().partition("\n")[0]), _Object)
    except json.JSONDecodeError:
        return False


def _lines(text: str, dropped: int, path: Path) -> Extracted:
    builder = TextBuilder()
    broken = 0
    for line in text.split("\n"):
        if not line.strip():
            continue
        try:
            value = _DECODER.decode(line)
        except json.JSONDecodeError:
            broken += 1
            builder.block(line)
            continue
        _check_depth(value, path)
        builder.block(_record(value))
    return _extracted(builder, dropped, {"broken_lines": broken} if broken else {})


def _extracted(builder: TextBuilder, dropped: int, metadata: dict[str, MetadataValue]) -> Extracted:
    text, _, sections = builder.build()
    return Extracted(text, sections=sections, dropped=dropped + builder.dropped, metadata=metadata)


def _add(builder: TextBuilder, value: Any, level: int) -> None:
    """Add `value` under the open heading; headings of its parts are of rank `level`."""
    if isinstance(value, _Object):
        _add_object(builder, value, level)
    elif isinstance(value, list):
        for item in value:
            if _is_scalar(item):
                builder.item(_scalar(item))
            else:
                builder.block(_record(item))
    else:
        builder.block(_scalar(value))


def _add_object(builder: TextBuilder, value: _Object, level: int) -> None:
    """Plain members first, as lines of one block, so that none of them stands under another's heading."""
    plain = [f"{key}: {_flat(member)}" for key, member in value if _is_plain(member)]
    builder.block("\n".join(plain))
    for key, member in value:
        if not _is_plain(member):
            builder.heading(level, key or '""')
            _add(builder, member, level + 1)


def _record(value: Any) -> str:
    """A value on one line: "name: value; address.city: Berlin; lines[0].item: Shoes"."""
    return "; ".join(f"{name}: {shown}" if name else shown for name, shown in _leaves("", value))


def _leaves(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if _is_plain(value):
        yield name, _flat(value)
    elif isinstance(value, _Object):
        for key, member in value:
            yield from _leaves(f"{name}.{key}" if name else key, member)
    else:
        for index, member in enumerate(value):
            yield from _leaves(f"{name}[{index}]", member)


def _is_plain(value: Any) -> bool:
    """What fits behind its name: a scalar, a list of scalars, an empty list or object."""
    return _is_scalar(value) or not value or (not isinstance(value, _Object) and all(map(_is_scalar, value)))


def _is_scalar(value: Any) -> bool:
    return not isinstance(value, list)


def _flat(value: Any) -> str:
    if isinstance(value, _Object):
        return "{}"
    if isinstance(value, list):
        return ", ".join(map(_scalar, value)) or "[]"
    return _scalar(value)


_WORDS: dict[Any, str] = {None: "null", True: "true", False: "false"}


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return value or '""'
    return _WORDS[value] if value in _WORDS else str(value)  # NaN and Infinity, which Python reads, are floats


def _members(value: list[Any]) -> list[Any]:
    return [member for _, member in value] if isinstance(value, _Object) else value


def _check_depth(value: Any, path: Path) -> None:
    level: list[Any] = [value]
    for _ in range(_DEEPEST):
        level = [member for each in level if isinstance(each, list) for member in _members(each)]
        if not level:
            return
    raise DamagedFileError(path, f"it is nested too deeply: more than {_DEEPEST} levels")
