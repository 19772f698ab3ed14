"""Arrays in a file that processes map into memory and share: written whole or not at all, checked when opened.

Layout: a magic word, where a directory of JSON begins, its length and its CRC-32; the arrays, each at a multiple of 64
bytes; the directory, which has the CRC-32 of each array. Numbers are little-endian. The directory comes last, so that
an array can be written while it is made.
"""

from __future__ import annotations

import json
import mmap
import os
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from rag.index.blocks import Blocks, pieces
from rag.index.files import DRAFT_SUFFIX

MAGIC = b"PLUMBIX2"
ALIGNMENT = 64
BYTES_AT_ONCE = 1 << 22

_START = struct.Struct("<8sQQI")

Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """What a file is to hold: `facts` as JSON takes them, and arrays by name."""

    facts: Mapping[str, Any]
    arrays: Mapping[str, npt.NDArray[Any] | Blocks]


@dataclass(frozen=True, slots=True, eq=False)
class Mapped:
    """What a file holds; the arrays are read-only."""

    facts: Mapping[str, Any]
    arrays: Arrays


def write_arrays(content: Content, path: Path) -> None:
    """Write beside the target and put it in place at once; a reader sees the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}{DRAFT_SUFFIX}")
    try:
        with draft.open("wb") as file:
            file.write(bytes(_START.size))
            arrays = [(name, *_written(file, array)) for name, array in content.arrays.items()]
            directory = json.dumps({"facts": content.facts, "arrays": arrays}).encode()
            start = _START.pack(MAGIC, file.tell(), len(directory), zlib.crc32(directory))
            file.write(directory)
            file.seek(0)
            file.write(start)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def read_arrays(path: Path) -> Mapped:
    """Map a file. Raises `ValueError` for one that is damaged or of another kind, `OSError` for one not to be read.

    The checks read the file without mapping it, so that they leave no trace in the memory of the process.
    """
    with path.open("rb") as file:
        directory, offset, places = _directory(file), _START.size, {}
        for name, dtype, shape, crc in directory["arrays"]:
            offset += -offset % ALIGNMENT
            kind = np.dtype(dtype)
            size = int(np.prod(shape, dtype=np.int64)) * kind.itemsize
            if _crc(file, offset, size) != crc:
                raise ValueError(f"{name} is damaged")
            places[name] = (offset, size, kind, shape)
            offset += size
        memory = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    arrays = {name: _view(memory, *place) for name, place in places.items()}
    return Mapped(directory["facts"], arrays)


def _written(file: BinaryIO, array: npt.NDArray[Any] | Blocks) -> tuple[str, Sequence[int], int]:
    """Write an array; what the directory says of it: its type, its shape and its CRC-32."""
    file.write(b"\0" * (-file.tell() % ALIGNMENT))
    kind, crc, size = array.dtype.newbyteorder("<"), 0, 0
    for piece in pieces(array):
        content = np.ascontiguousarray(piece, kind)
        data = content.data.cast("B") if content.size else b""
        crc = zlib.crc32(data, crc)
        size += content.size
        file.write(data)
    if size != np.prod(array.shape, dtype=np.int64):
        raise ValueError(f"an array of shape {array.shape} came as {size} numbers")
    return kind.str, array.shape, crc


def _directory(file: BinaryIO) -> Any:
    start = file.read(_START.size)
    if len(start) != _START.size:
        raise ValueError("the file is too short")
    magic, offset, length, crc = _START.unpack(start)
    if magic != MAGIC or offset + length > os.fstat(file.fileno()).st_size:
        raise ValueError("it is not such a file")
    file.seek(offset)
    directory = file.read(length)
    if zlib.crc32(directory) != crc:
        raise ValueError("the directory is damaged")
    return json.loads(directory)


def _crc(file: BinaryIO, offset: int, size: int) -> int:
    file.seek(offset)
    crc = 0
    while size > 0 and (some := file.read(min(size, BYTES_AT_ONCE))):
        crc = zlib.crc32(some, crc)
        size -= len(some)
    return crc if size == 0 else -1


def _view(memory: memoryview, offset: int, size: int, kind: np.dtype[Any], shape: list[int]) -> npt.NDArray[Any]:
    if size == 0:
        return np.empty(shape, kind)
    return np.frombuffer(memory[offset : offset + size], kind).reshape(shape)
