"""Points as a file that any store can write and take back: gzipped lines of JSON, a header and then one point a line.

Vectors are float32, little-endian, in base64, and so come back bit for bit.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import zlib
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from plumbline.database import storage_errors
from plumbline.errors import CorruptStateError, InputError, StorageError
from rag.index.checks import plain
from rag.index.store import Point, Store

FORMAT = "plumbline-points"
VERSION = 1
AT_ONCE = 500


class PointsWriter:
    """Writes beside `target` and puts the file in place at the end; raises `StorageError`, also where one exists."""

    def __init__(self, target: Path, dim: int) -> None:
        refuse_existing(target)
        self._target = target
        self._draft = target.with_name(f"{target.name}.draft")
        with storage_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            self._file = gzip.open(self._draft, "wt", encoding="utf-8", compresslevel=1)  # noqa: SIM115 (closed in finish or abandon)
        self._write({"format": FORMAT, "version": VERSION, "dim": dim})
        self.count = 0

    def add(self, points: Iterable[Point]) -> None:
        """Write some more points."""
        for point in points:
            self._write(_to_line(point))
            self.count += 1

    def finish(self) -> None:
        """Put the file in place, with the number of points as its last line."""
        self._write({"points": self.count})
        with storage_errors(self._target):
            self._file.close()
            self._draft.replace(self._target)

    def abandon(self) -> None:
        """Leave nothing behind."""
        self._file.close()
        self._draft.unlink(missing_ok=True)

    def _write(self, line: dict[str, Any]) -> None:
        with storage_errors(self._target):
            self._file.write(json.dumps(line, ensure_ascii=False) + "\n")


def write_points(target: Path, points: Iterable[Point], dim: int) -> None:
    """Write all of `points`; see `PointsWriter`."""
    writer = PointsWriter(target, dim)
    try:
        writer.add(points)
        writer.finish()
    except BaseException:
        writer.abandon()
        raise


async def export_points(store: Store, target: Path, dim: int) -> None:
    """Write every point of a store; what changes meanwhile is written as it was or as it is."""
    writer = await asyncio.to_thread(PointsWriter, target, dim)
    try:
        async for some in in_batches(store, await store.ids()):
            await asyncio.to_thread(writer.add, some)
        await asyncio.to_thread(writer.finish)
    except BaseException:
        writer.abandon()
        raise


async def in_batches(store: Store, ids: Sequence[str], size: int = AT_ONCE) -> AsyncIterator[list[Point]]:
    """The points with these ids, some at a time."""
    for start in range(0, len(ids), size):
        yield await store.get(ids[start : start + size])


def read_points(source: Path) -> Iterator[Point]:
    """The points of a file; raises `InputError` where there is none, `CorruptStateError` when it is damaged or cut."""
    if not source.is_file():
        raise InputError(f"There is no snapshot at '{source}'.")
    try:
        with gzip.open(source, "rt", encoding="utf-8") as file:
            header = json.loads(file.readline())
            if header.get("format") != FORMAT or header.get("version") != VERSION:
                raise ValueError("it is of another format")
            dim = int(header["dim"])
            for count, line in enumerate(file):
                row = json.loads(line)
                if "points" in row:
                    if row["points"] != count:
                        raise ValueError(f"it says that it holds {row['points']} points and holds {count}")
                    return
                yield _to_point(row, dim)
            raise ValueError("it ends too early")
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorruptStateError(f"The snapshot '{source}' cannot be read: {error}.") from error


async def restore(store: Store, source: Path) -> int:
    """Put the points of a file into a store, which keeps what else it holds; returns how many there were."""
    points, count = read_points(source), 0
    while some := await asyncio.to_thread(lambda: list(islice(points, AT_ONCE))):
        await store.upsert(some)
        count += len(some)
    return count


def refuse_existing(target: Path) -> None:
    """Raise `StorageError` when there is something at `target`."""
    if target.exists():
        raise StorageError(f"{target} exists already.", hint="Choose a new path for the snapshot.")


def _to_line(point: Point) -> dict[str, Any]:
    return {
        "id": point.id,
        "vector": base64.b64encode(point.vector.astype("<f4").tobytes()).decode(),
        "text": point.text,
        "heading": point.heading,
        "title": point.title,
        "payload": plain(point.payload),
    }


def _to_point(row: dict[str, Any], dim: int) -> Point:
    import numpy as np

    vector = np.frombuffer(base64.b64decode(row["vector"], validate=True), "<f4").astype(np.float32)
    if vector.shape != (dim,):
        raise ValueError(f"point {row['id']} has a vector of {len(vector)} values, not of {dim}")
    return Point(row["id"], vector, row["text"], row["payload"], row["heading"], row["title"])
