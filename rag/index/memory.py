"""The derived index of the embedded store: vectors, postings and payloads as arrays in memory, and their file on disk.

Imported only when a store is opened; numpy is its whole point. The file is never the only copy of anything: it is
checked when it is read, and what is missing or wrong is built again from the points in the database.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rag.index.files import DRAFT_SUFFIX
from rag.index.filters import Filter, matches
from rag.index.lexical import LexicalIndex
from rag.index.store import Ranking

FORMAT = 1
FILTERS_REMEMBERED = 64

Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """A point as it is stored: `seq` grows with every write."""

    seq: int
    id: str
    vector: Floats
    terms: list[str]
    payload: Mapping[str, Any]


@dataclass(slots=True, eq=False)
class MemoryIndex:
    """Points in the order of `seqs` (ascending); position i is row i everywhere. Removed rows stay, not `alive`."""

    lexical: LexicalIndex
    ids: list[str] = field(default_factory=list)
    payloads: list[Mapping[str, Any]] = field(default_factory=list)
    seqs: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    vectors: Floats = field(default_factory=lambda: np.empty((0, 0), np.float32))
    alive: Flags = field(default_factory=lambda: np.empty(0, np.bool_))
    last_removal: int = 0
    # By the filter's repr: as keys, Eq("x", True) and Eq("x", 1) would be equal, and as filters they are not.
    _masks: dict[str, Flags] = field(default_factory=dict)
    _places: dict[str, int] = field(default_factory=dict)

    @property
    def last_seq(self) -> int:
        """The highest `seq` that is here, 0 when there is none."""
        return int(self.seqs[-1]) if len(self.seqs) else 0

    @property
    def totals(self) -> tuple[int, int]:
        """How many rows are alive, and the sum of their `seq`."""
        return int(self.alive.sum()), int(self.seqs[self.alive].sum())

    def append(self, rows: Sequence[Row]) -> None:
        """Add rows whose `seq` is above `last_seq`, ascending."""
        if not rows:
            return
        self._masks.clear()
        self._places.clear()
        self.ids.extend(row.id for row in rows)
        self.payloads.extend(row.payload for row in rows)
        self.seqs = np.concatenate([self.seqs, np.fromiter((row.seq for row in rows), np.int64, len(rows))])
        block = np.stack([row.vector for row in rows])
        self.vectors = np.concatenate([self.vectors, block]) if len(self.vectors) else block
        self.alive = np.concatenate([self.alive, np.ones(len(rows), np.bool_)])
        self.lexical.append([row.terms for row in rows])

    def remove(self, seqs: Sequence[int], last_removal: int) -> None:
        """Mark rows as gone; numbers that are not here are ignored."""
        self.last_removal = last_removal
        if len(seqs) == 0 or len(self.seqs) == 0:
            return
        wanted = np.asarray(seqs, np.int64)
        positions = np.searchsorted(self.seqs, wanted)
        inside = positions < len(self.seqs)
        positions, wanted = positions[inside], wanted[inside]
        gone = positions[self.seqs[positions] == wanted]
        gone = gone[self.alive[gone]]
        self.alive[gone] = False
        self.lexical.remove(gone.tolist())
        self._masks.clear()
        self._places.clear()

    def dense(self, query: Floats, k: int, condition: Filter | None) -> Ranking:
        """The `k` nearest by cosine, exactly; equal scores in order of position."""
        if len(self.vectors) == 0 or not query.any():
            return []
        scores = self.vectors @ query
        mask = self.mask(condition)
        if not mask.all():
            scores = np.where(mask, scores, -np.inf)
        return self._ranking(_best(scores, k, int(mask.sum())), scores)

    def lexical_search(self, terms: list[str], k: int, condition: Filter | None) -> Ranking:
        """The `k` best by BM25 among those that share a term with the query."""
        mask = self.mask(condition)
        positions, scores = self.lexical.search(terms, k, None if mask.all() else mask)
        return [(self.ids[p], float(s)) for p, s in zip(positions.tolist(), scores.tolist(), strict=True)]

    def postings(self, ids: Sequence[str]) -> list[dict[str, float]]:
        """For each of these points that is alive, in their order: its terms, with counts."""
        if not self._places:
            self._places = {self.ids[at]: at for at in np.flatnonzero(self.alive).tolist()}
        return self.lexical.postings_of([self._places[each] for each in ids if each in self._places])

    def mask(self, condition: Filter | None) -> Flags:
        """Which positions are alive and match."""
        if condition is None:
            return self.alive
        key = repr(condition)
        known = self._masks.get(key)
        if known is None:
            if len(self._masks) >= FILTERS_REMEMBERED:
                self._masks.clear()
            known = np.fromiter(
                (matches(condition, payload) for payload in self.payloads), np.bool_, len(self.payloads)
            )
            known &= self.alive
            self._masks[key] = known
        return known

    def _ranking(self, positions: npt.NDArray[np.intp], scores: Floats) -> Ranking:
        return [(self.ids[p], float(scores[p])) for p in positions.tolist()]


def _best(scores: Floats, k: int, available: int) -> npt.NDArray[np.intp]:
    k = min(k, available)
    if k <= 0:
        return np.empty(0, np.intp)
    if k < len(scores):
        threshold = np.partition(scores, len(scores) - k)[len(scores) - k]
        candidates = np.flatnonzero(scores >= threshold)
    else:
        candidates = np.arange(len(scores))
    order = np.lexsort((candidates, -scores[candidates]))
    return candidates[order[:k]]


@dataclass(frozen=True, slots=True, eq=False)
class Frozen:
    """What an index was at one moment, whatever becomes of it: `header` as JSON takes it, and the arrays."""

    header: Mapping[str, Any]
    arrays: Mapping[str, npt.NDArray[Any]]


def frozen(index: MemoryIndex) -> Frozen:
    """The index as it is now. Cheap: copied is what changes in place, all else is replaced when it changes."""
    ids, payloads = list(index.ids), list(index.payloads)
    header = {"format": FORMAT, "last_removal": index.last_removal, "ids": ids, "payloads": payloads}
    arrays = {f"lexical_{name}": array for name, array in index.lexical.to_arrays().items()}
    own: dict[str, npt.NDArray[Any]] = {"seqs": index.seqs, "vectors": index.vectors, "alive": index.alive.copy()}
    return Frozen(header, {**arrays, **own})


def save(content: Frozen, path: Path) -> None:
    """Write the index beside its target and put it in place at once; a reader sees the old file or the new one."""
    header = np.frombuffer(json.dumps(content.header, ensure_ascii=False).encode(), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}{DRAFT_SUFFIX}")
    try:
        with draft.open("wb") as file:
            np.savez(file, header=header, **content.arrays)  # type: ignore[arg-type]  # numpy's stub takes keywords for its own flag
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def load(path: Path) -> MemoryIndex | None:
    """The index in the file; `None` when it is missing, of another format, or damaged in any way.

    Zip checks each member's CRC; arrays that do not fit together are damage too.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as content:
            arrays = {name: content[name] for name in content.files}
        header = json.loads(arrays.pop("header").tobytes())
        if header["format"] != FORMAT:
            return None
        lexical = LexicalIndex.from_arrays(
            {n.removeprefix("lexical_"): a for n, a in arrays.items() if n.startswith("lexical_")}
        )
        index = MemoryIndex(
            lexical=lexical,
            ids=header["ids"],
            payloads=header["payloads"],
            seqs=np.asarray(arrays["seqs"], np.int64),
            vectors=np.asarray(arrays["vectors"], np.float32),
            alive=np.array(arrays["alive"], np.bool_),
            last_removal=int(header["last_removal"]),
        )
        return index if _is_whole(index) else None
    except Exception:  # noqa: BLE001 (zipfile, numpy and json raise a dozen kinds)
        return None


def _is_whole(index: MemoryIndex) -> bool:
    """Whether the parts have the same length and shapes that fit, and `seqs` ascend."""
    n = len(index.ids)
    parts = (index.payloads, index.seqs, index.vectors, index.alive, index.lexical)
    return (
        all(len(part) == n for part in parts)
        and (index.seqs.ndim, index.vectors.ndim, index.alive.ndim) == (1, 2, 1)
        and bool(np.all(np.diff(index.seqs) > 0))
        and index.lexical.count == int(index.alive.sum())
    )
