"""The conformance suite of stores: raises `AssertionError` for one that does not keep the contract.

Give it a function that makes an empty store of a dimension:

async def test_my_store(tmp_path):
    await check_store(lambda dim: MyStore(tmp_path, dim))
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from rag.index.store import Store
from rag.testing import store_completing as completing
from rag.testing import store_dense as dense
from rag.testing import store_lexical as lexical
from rag.testing import store_scores as scores
from rag.testing import store_writes as writes
from rag.testing.store_samples import DIM, FILTER_CASES, sample_points

__all__ = ["CHECKS", "DIM", "FILTER_CASES", "MakeStore", "check_store", "sample_points"]

MakeStore = Callable[[int], Awaitable[Store]]
Check = Callable[[Store], Awaitable[None]]

CHECKS: tuple[Check, ...] = (
    writes.check_empty,
    writes.check_round_trip,
    writes.check_odd_names,
    writes.check_replacement,
    writes.check_deletion,
    writes.check_clearing,
    writes.check_concurrency,
    writes.check_any_order,
    writes.check_compaction,
    writes.check_snapshot,
    dense.check_exact_search,
    dense.check_filters,
    dense.check_limits,
    dense.check_bad_vectors,
    dense.check_empty_vectors,
    lexical.check_lexical_search,
    lexical.check_weights,
    lexical.check_fields,
    lexical.check_languages,
    lexical.check_phrases,
    lexical.check_prefixes,
    lexical.check_postings,
    completing.check_completing,
    scores.check_scores,
)


async def check_store(make: MakeStore, *, recall: float = 1.0) -> None:
    """Run every check, each on a fresh store.

    `recall` is what a store that approximates promises of its dense side: the mean share of the ten nearest that it
    finds, under every filter. With `Search.exact` all of them must be found in any case.
    """
    promised: Check = partial(dense.check_recall, recall=recall)
    for check in (*CHECKS, promised):
        store = await make(DIM)
        try:
            await check(store)
        finally:
            await store.close()
