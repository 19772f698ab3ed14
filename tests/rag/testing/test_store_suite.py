"""The suite finds the mistakes that stores make."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from rag.index.filters import Filter
from rag.index.memory_store import MemoryStore
from rag.index.store import Found, Point, Search
from rag.testing.store import check_store


class Forgetful(MemoryStore):
    async def delete(self, ids: Sequence[str]) -> None:
        await super().delete(ids[1:])


class FiltersAfterK(MemoryStore):
    async def search(self, search: Search) -> Found:
        every = await super().search(Search(search.k, search.vector, search.text, exact=search.exact))
        allowed = await super().search(Search(10**6, search.vector, search.text, search.filter))
        dense, lexical = ({name for name, _ in ranking} for ranking in (allowed.dense, allowed.lexical))
        return Found(
            [hit for hit in every.dense if hit[0] in dense], [hit for hit in every.lexical if hit[0] in lexical]
        )


class IgnoresPhrases(MemoryStore):
    async def search(self, search: Search) -> Found:
        words = " ".join([search.text or "", *search.phrases])
        text = None if search.text is None else words
        return await super().search(Search(search.k, search.vector, text, search.filter, (), search.prefixes))


class IgnoresTitles(MemoryStore):
    async def upsert(self, points: Sequence[Point]) -> None:
        await super().upsert([Point(p.id, p.vector, p.text, p.payload, p.heading) for p in points])


class CountsEverything(MemoryStore):
    async def count(self, condition: Filter | None = None) -> int:
        return await super().count()


class Approximates(MemoryStore):
    """Misses the nearest, unless it is asked to be exact."""

    async def search(self, search: Search) -> Found:
        found = await super().search(search)
        enough = len(found.dense) < 10 or search.exact
        return found if enough else Found([*found.dense[1:], found.dense[0]][: search.k - 1], found.lexical)


@pytest.mark.parametrize(
    ("store", "said"),
    [
        (Forgetful, "delet|gone"),
        (FiltersAfterK, "before k|dense search is wrong"),
        (IgnoresPhrases, "phrase"),
        (IgnoresTitles, "titles?|fields? |as they were"),
        (CountsEverything, "field may be called|count"),
        (Approximates, "as many must be found|must give everything"),
    ],
)
async def test_it_finds(store: type[MemoryStore], said: str) -> None:
    async def make(dim: int) -> MemoryStore:
        return store(dim)

    with pytest.raises(AssertionError, match=said):
        await check_store(make)


async def test_a_promise_of_recall_is_held_against_the_store() -> None:
    class Swaps(MemoryStore):
        """Gives the eleventh in the place of the tenth."""

        async def search(self, search: Search) -> Found:
            if search.exact or search.k != 10:
                return await super().search(search)
            more = await super().search(Search(11, search.vector, search.text, search.filter))
            dense = [*more.dense[:9], more.dense[10]] if len(more.dense) == 11 else more.dense
            return Found(dense, more.lexical)

    async def make(dim: int) -> MemoryStore:
        return Swaps(dim)

    await check_store(make, recall=0.9)
    with pytest.raises(AssertionError, match=r"0\.95 was promised"):
        await check_store(make, recall=0.95)
