"""The conformance suite of stores: the scores of what only the other side found."""

from __future__ import annotations

import math
from dataclasses import replace

from rag.index.store import Found, Ranking, Search, Store
from rag.testing.store_samples import DIM, sample_points, unit_vectors

K = 4


async def check_completing(store: Store) -> None:
    """`complete` puts the scores of each side's hits behind the best of the other, and the best stay what they are."""
    points = sample_points()
    await store.upsert(points)
    everything = Search(len(points), unit_vectors(1, DIM, 11)[0], "saffron granite", exact=True)
    full, plain = await store.search(everything), await store.search(replace(everything, k=K))
    found = await store.search(replace(everything, k=K, complete=True))
    either = {name for side in (plain.dense, plain.lexical) for name, _ in side}
    for side, all_of, best in (
        (found.dense, full.dense, plain.dense),
        (found.lexical, full.lexical, plain.lexical),
    ):
        _same(side, [hit for hit in all_of if hit[0] in either])
        _close([score for _, score in side[: len(best)]], [score for _, score in best])
    assert len(found.dense) > K, "the sample must have hits by words alone"
    await _check_one_side(store, everything)
    held = await store.search(replace(everything, k=K, complete=True, phrases=("saffron",)))
    with_it = await store.search(replace(everything, k=K, phrases=("saffron",)))
    _same(held.lexical, with_it.lexical)


async def _check_one_side(store: Store, search: Search) -> None:
    """A search of one side alone has nothing to complete."""
    for alone in (replace(search, k=K, text=None), replace(search, k=K, vector=None)):
        plain, complete = await store.search(alone), await store.search(replace(alone, complete=True))
        _same_found(complete, plain)


def _same_found(found: Found, wanted: Found) -> None:
    _same(found.dense, wanted.dense)
    _same(found.lexical, wanted.lexical)


def _same(found: Ranking, wanted: Ranking) -> None:
    """The same points, each once, best first; those of equal scores in any order."""
    assert sorted(name for name, _ in found) == sorted(name for name, _ in wanted), "each point once, and no other"
    scores = dict(wanted)
    _close([score for _, score in found], [scores[name] for name, _ in found])
    assert [score for _, score in found] == sorted((score for _, score in found), reverse=True), "best first"


def _close(found: list[float], wanted: list[float]) -> None:
    for one, other in zip(found, wanted, strict=True):
        assert math.isclose(one, other, rel_tol=1e-4, abs_tol=1e-5), "a score must be the true one"
