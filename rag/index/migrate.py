"""Moving points from one store to another, and proving that they arrived.

A migration that was interrupted goes on when it is run again; one that is run once more finds nothing to do.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rag.index.checks import plain
from rag.index.points_file import in_batches
from rag.index.store import Point, Ranking, Search, Store

POINTS_AT_ONCE = 500
SAMPLE = 50
NEAREST = 10
SAME_SCORE = 1e-4
"""Cosines that differ by less are equal: servers add up in another order."""

OnProgress = Callable[[int, int], None]
"""Told how many points are there, and how many there will be."""


@dataclass(frozen=True, slots=True)
class Moved:
    """What became of the points of one generation.

    `copied` were missing or different, `kept` were there already, `removed` belonged to no point of the source. The
    proof: `same_count`, `same_ids`, and of `searches` exact searches for the ten nearest of a random point, how many
    gave `equal` rankings. `lexical_overlap` is the mean share of the ten best by words that both name: no proof, since
    scorers may differ; `None` when no sample had words.
    """

    points: int
    copied: int
    kept: int
    removed: int
    same_count: bool
    same_ids: bool
    searches: int
    equal: int
    lexical_overlap: float | None

    @property
    def proven(self) -> bool:
        """Whether count, ids and all searches are equal."""
        return self.same_count and self.same_ids and self.searches == self.equal


async def migrate(
    source: Store, target: Store, *, seed: int = 0, sample: int = SAMPLE, on_progress: OnProgress | None = None
) -> Moved:
    """Make `target` hold what `source` holds, and nothing else; nobody may write to either meanwhile.

    Holds the ids of both in memory. Raises `StateError` when either fails; run again, it goes on.
    """
    ids = await source.ids()
    copied = kept = 0
    async for points in in_batches(source, ids, POINTS_AT_ONCE):
        there = {point.id: point for point in await target.get([point.id for point in points])}
        missing = [point for point in points if point.id not in there or not _same(point, there[point.id])]
        if missing:
            await target.upsert(missing)
        copied += len(missing)
        kept += len(points) - len(missing)
        if on_progress is not None:
            on_progress(copied + kept, len(ids))
    strays = sorted({*await target.ids()} - {*ids})
    await target.delete(strays)
    await target.compact()
    return await _proof(source, target, ids, (copied, kept, len(strays)), random.Random(seed), sample)  # noqa: S311 (a sample, no secret)


async def _proof(
    source: Store, target: Store, ids: Sequence[str], done: tuple[int, int, int], rng: random.Random, sample: int
) -> Moved:
    asked = await source.get(rng.sample(ids, min(sample, len(ids))))
    equal = 0
    overlaps = []
    for point in asked:
        search = Search(NEAREST, point.vector, point.text[:200], exact=True)
        here, there = await source.search(search), await target.search(search)
        equal += same_ranking(here.dense, there.dense)
        if here.lexical:
            best, also = ({name for name, _ in found.lexical} for found in (here, there))
            overlaps.append(len(best & also) / len(best))
    copied, kept, removed = done
    return Moved(
        points=len(ids),
        copied=copied,
        kept=kept,
        removed=removed,
        same_count=await source.count() == await target.count(),
        same_ids=list(ids) == await target.ids(),
        searches=len(asked),
        equal=equal,
        lexical_overlap=sum(overlaps) / len(overlaps) if overlaps else None,
    )


def same_ranking(one: Ranking, other: Ranking) -> bool:
    """Whether two rankings have the same scores, and the same points but for those that score as the last one."""
    if len(one) != len(other):
        return False
    if any(abs(a - b) > SAME_SCORE for (_, a), (_, b) in zip(one, other, strict=True)):
        return False
    last = one[-1][1] if one else 0.0
    named, also = ({name for name, score in ranking if score > last + SAME_SCORE} for ranking in (one, other))
    every, all_also = ({name for name, _ in ranking} for ranking in (one, other))
    return named <= all_also and also <= every


def _same(one: Point, other: Point) -> bool:
    texts = (one.text, one.heading, one.title) == (other.text, other.heading, other.title)
    return texts and bool((one.vector == other.vector).all()) and plain(one.payload) == plain(other.payload)
