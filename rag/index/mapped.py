"""Arrays in a file that processes map into memory and share: written whole or not at all, checked when opened.

Layout: a magic word, the length and the CRC-32 of a header of JSON, the header, then the arrays, each at a multiple
of 64 bytes and with a CRC-32 of its own in the header. Numbers are little-endian.
"""

from __future__ import annotations

import json
import mmap
import os
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from rag.index.files import DRAFT_SUFFIX

MAGIC = b"PLUMBIX1"
ALIGNMENT = 64
BYTES_AT_ONCE = 1 << 22

_START = struct.Struct("<8sQI")

Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """What a file holds: `facts` as JSON takes them, and arrays by name, read-only where they are mapped."""

    facts: Mapping[str, Any]
    arrays: Arrays


def write_arrays(content: Content, path: Path) -> None:
    """Write beside the target and put it in place at once; a reader sees the old file or the new one."""
    header = _header(content)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}{DRAFT_SUFFIX}")
    try:
        with draft.open("wb") as file:
            file.write(_START.pack(MAGIC, len(header), zlib.crc32(header)))
            file.write(header)
            for array in content.arrays.values():
                file.write(b"\0" * (-file.tell() % ALIGNMENT))
                file.write(_bytes_of(array))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def read_arrays(path: Path) -> Content:
    """Map a file. Raises `ValueError` for one that is damaged or of another kind, `OSError` for one not to be read.

    The checks read the file without mapping it, so that they leave no trace in the memory of the process.
    """
    with path.open("rb") as file:
        length, crc = _start(file)
        raw = file.read(length)
        if len(raw) != length or zlib.crc32(raw) != crc:
            raise ValueError("the header is damaged")
        header = json.loads(raw)
        offset, places = file.tell(), {}
        for name, dtype, shape, crc in header["arrays"]:
            offset += -offset % ALIGNMENT
            kind = np.dtype(dtype)
            size = int(np.prod(shape, dtype=np.int64)) * kind.itemsize
            if _crc(file, offset, size) != crc:
                raise ValueError(f"{name} is damaged")
            places[name] = (offset, size, kind, shape)
            offset += size
        memory = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    arrays = {name: _view(memory, *place) for name, place in places.items()}
    return Content(header["facts"], arrays)


def _header(content: Content) -> bytes:
    arrays = [
        (name, _little_endian(array).str, array.shape, zlib.crc32(_bytes_of(array)))
        for name, array in content.arrays.items()
    ]
    return json.dumps({"facts": content.facts, "arrays": arrays}).encode()


def _start(file: BinaryIO) -> tuple[int, int]:
    start = file.read(_START.size)
    if len(start) != _START.size:
        raise ValueError("the file is too short")
    magic, length, crc = _START.unpack(start)
    if magic != MAGIC or length > os.fstat(file.fileno()).st_size:
        raise ValueError("it is not such a file")
    return length, crc


def _crc(file: BinaryIO, offset: int, size: int) -> int:
    file.seek(offset)
    crc = 0
    while size > 0 and (some := file.read(min(size, BYTES_AT_ONCE))):
        crc = zlib.crc32(some, crc)
        size -= len(some)
    return crc if size == 0 else -1


def _bytes_of(array: npt.NDArray[Any]) -> memoryview | bytes:
    array = np.ascontiguousarray(array, _little_endian(array))
    return array.data.cast("B") if array.size else b""


def _little_endian(array: npt.NDArray[Any]) -> np.dtype[Any]:
    return array.dtype.newbyteorder("<")


def _view(memory: memoryview, offset: int, size: int, kind: np.dtype[Any], shape: list[int]) -> npt.NDArray[Any]:
    if size == 0:
        return np.empty(shape, kind)
    return np.frombuffer(memory[offset : offset + size], kind).reshape(shape)
