"""The store in memory: the simplest reading of the contract, exact on both sides, for tests and small jobs.

Other stores are held against it. It is gone with its process; a snapshot keeps it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import heapq
import json
import math
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from rag.index.checks import check_points, check_search, payload_json
from rag.index.field_terms import FieldTerms
from rag.index.filters import Filter, matches
from rag.index.points_file import write_points
from rag.index.settings import LexicalSettings
from rag.index.store import Found, Point, Ranking, Search

if TYPE_CHECKING:
    from rag.index.store import Vector


class MemoryStore:
    """A `Store` of plain dictionaries. A search compares with every point: some 40 ms for 10,000."""

    name = "memory"
    lexical_scorer = "bm25f (Lucene idf)"

    def __init__(self, dim: int, lexical: LexicalSettings | None = None) -> None:
        self._dim = dim
        self._reading = FieldTerms(lexical or LexicalSettings())
        self._lock = threading.RLock()
        self._points: dict[str, Point] = {}
        self._postings: dict[str, dict[str, float]] = {}
        """By point id, the weighted frequency of each of its terms."""
        self._holders: dict[str, set[str]] = {}
        """By term, the ids of the points that hold it."""
        self._lengths: dict[str, float] = {}
        self._languages: Counter[str] = Counter()
        self._matrix: tuple[list[str], Vector] | None = None
        """Every id, sorted, with its vector in the row; made again after a write."""

    async def upsert(self, points: Sequence[Point]) -> None:
        """Add or replace points."""
        check_points(points, self._dim)
        read = {point.id: (_copied(point), self._reading.weighted(point)) for point in points}
        with self._lock:
            for point_id, (point, terms) in read.items():
                self._forget(point_id)
                self._points[point_id] = point
                self._postings[point_id] = terms
                self._lengths[point_id] = sum(terms.values())
                self._languages[self._reading.language(point)] += 1
                for term in terms:
                    self._holders.setdefault(term, set()).add(point_id)

    async def delete(self, ids: Sequence[str]) -> None:
        """Remove points."""
        with self._lock:
            for point_id in ids:
                self._forget(point_id)

    async def search(self, search: Search) -> Found:
        """Search, exactly on both sides; equal scores in order of id."""
        check_search(search, self._dim)
        with self._lock:
            allowed = {i: point for i, point in self._points.items() if _fits(point, search.filter)}
            found = Found(self._dense(search, allowed), self._lexical(search, allowed))
            return self._completed(search, allowed, found) if search.complete else found

    async def get(self, ids: Sequence[str]) -> list[Point]:
        """The points with these ids that exist, in the order of `ids`."""
        with self._lock:
            return [self._points[each] for each in ids if each in self._points]

    async def ids(self) -> list[str]:
        """Every id, sorted."""
        with self._lock:
            return sorted(self._points)

    def terms(self, text: str, language: str | None = None) -> list[str]:
        """What the lexical side reads of a text, in order."""
        return self._reading.read(text, language)

    def lexical_terms(self, point: Point) -> dict[str, float]:
        """What the lexical side holds of a point."""
        return self._reading.weighted(point)

    async def postings(self, ids: Sequence[str]) -> list[dict[str, float]]:
        """For each of these points that exists, in their order, what the lexical side holds of it."""
        with self._lock:
            return [dict(self._postings[each]) for each in ids if each in self._postings]

    async def clear(self) -> None:
        """Remove every point."""
        with self._lock:
            for point_id in list(self._points):
                self._forget(point_id)

    async def count(self, condition: Filter | None = None) -> int:
        """How many points there are, or match."""
        with self._lock:
            return sum(_fits(point, condition) for point in self._points.values())

    async def compact(self) -> None:
        """Nothing to do."""

    async def snapshot(self, target: Path) -> None:
        """Write every point to a file that `rag.index.points_file.restore` reads."""
        with self._lock:
            points = list(self._points.values())
        await asyncio.to_thread(write_points, target, points, self._dim)

    async def close(self) -> None:
        """Keep everything: who holds the store may go on with it."""

    def _forget(self, point_id: str) -> None:
        self._matrix = None
        point = self._points.pop(point_id, None)
        if point is None:
            return
        del self._lengths[point_id]
        self._languages[self._reading.language(point)] -= 1
        for term in self._postings.pop(point_id):
            holders = self._holders[term]
            holders.discard(point_id)
            if not holders:
                del self._holders[term]

    def _completed(self, search: Search, allowed: Mapping[str, Point], found: Found) -> Found:
        """Both sides over what either found, each with all of it."""
        either = {name: allowed[name] for name in found.ids}
        over = dataclasses.replace(search, k=max(1, len(either)))
        lexical = found.lexical if search.phrases else self._lexical(over, either)
        return Found(self._dense(over, either), lexical)

    def _dense(self, search: Search, allowed: Mapping[str, Point]) -> Ranking:
        import numpy as np

        if search.vector is None or not search.vector.any() or not allowed:
            return []
        if self._matrix is None:
            every = sorted(self._points)
            self._matrix = every, np.stack([self._points[each].vector for each in every])
        ids, vectors = self._matrix
        scores = vectors @ search.vector
        order = np.argsort(-scores, kind="stable").tolist()
        best = ((ids[at], float(scores[at])) for at in order)
        return list(islice((hit for hit in best if hit[0] in allowed), search.k))

    def _lexical(self, search: Search, allowed: Mapping[str, Point]) -> Ranking:
        if search.text is None:
            return []
        average = math.fsum(self._lengths.values()) / max(1, len(self._lengths))
        query = self._reading.query(search, [name for name, count in self._languages.items() if count])
        words = [({term}, times) for term, times in Counter(query.words).items()]
        for prefix in query.prefixes:
            beginning = {term for term in self._holders if term.startswith(prefix.start)}
            words.append((beginning | set(prefix.forms), 1))
        scores: dict[str, float] = {}
        for word, times in words:
            for point_id, score in self._scores(word, average).items():
                if point_id in allowed:
                    scores[point_id] = scores.get(point_id, 0.0) + times * score
        held = [(i, s) for i, s in scores.items() if self._reading.holds(allowed[i], query.phrases)]
        return heapq.nsmallest(search.k, held, key=lambda hit: (-hit[1], hit[0]))

    def _scores(self, word: set[str], average: float) -> dict[str, float]:
        """The score by BM25 of every point for one word: all terms in `word` count as the same."""
        holders: set[str] = set().union(*(self._holders.get(term, ()) for term in word))
        if not holders:
            return {}
        idf = math.log1p((len(self._points) - len(holders) + 0.5) / (len(holders) + 0.5))
        found = {}
        for point_id in holders:
            terms = self._postings[point_id]
            frequency = sum(terms.get(term, 0.0) for term in word)
            found[point_id] = idf * self._reading.saturate(frequency, self._lengths[point_id], average)
        return found


def _fits(point: Point, condition: Filter | None) -> bool:
    return condition is None or matches(condition, point.payload)


def _copied(point: Point) -> Point:
    """The point as it comes back from storage, whatever becomes of the objects that were handed in."""
    import numpy as np

    vector = np.array(point.vector, np.float32)
    return Point(point.id, vector, point.text, json.loads(payload_json(point)), point.heading, point.title)
