"""Whatever is done to embedded stores in whichever order, they hold and find what the store in memory does."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from plumbline.database import open_database
from rag.index import components
from rag.index.embedded import EmbeddedStore
from rag.index.filters import Eq, Exists, Filter, In, Not, Or, Range
from rag.index.memory_store import MemoryStore
from rag.index.store import Found, Point, Search
from rag.index.tuning import Tuning

DIM = 70  # two words, the second with bits to spare
NAMES = st.lists(st.sampled_from([f"point-{number}" for number in range(40)]), min_size=1, max_size=12, unique=True)
FILTERS: tuple[Filter | None, ...] = (
    None,
    Eq("kind", "memo"),
    In("groups", ("staff",)),
    Range("page", gte=2, lt=9),
    Not(Exists("groups")),
    Or((Eq("page", 1), Eq("page", 4.0))),
)
WORDS = ("granite", "harbour", "lantern", "orchard", "copper")
TUNINGS = (
    Tuning(exact_rows=4, least=6, per_hit=1, bits=1, merge_from=5, merge_at=9, left_to_readers=0),
    Tuning(exact_rows=4, least=6, per_hit=1, bits=1, full_bytes=0, merge_from=15, left_to_readers=3),
    Tuning(),
)

Value = TypeVar("Value")


class AnyOrder(RuleBasedStateMachine):
    """A writer and a reader in one folder, and beside them the store they must agree with."""

    tuning = TUNINGS[0]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()  # one loop, whose threads stay
        self.folder = Path(tempfile.mkdtemp())
        self.file = self.folder / "knowledge.db"
        self.engine = open_database(
            self.file, [components.catalogue_component(), components.embedded_store_component()]
        )
        self.model = MemoryStore(DIM)
        self.rng = np.random.default_rng(1)
        self.writer, self.reader = self.opened(), self.opened()

    def run(self, call: Coroutine[Any, Any, Value]) -> Value:
        return self.runner.run(call)

    def opened(self) -> EmbeddedStore:
        return EmbeddedStore(self.engine, self.file, dim=DIM, tuning=self.tuning)

    def point(self, name: str) -> Point:
        vector = self.rng.normal(size=DIM).astype(np.float32)
        words = self.rng.choice(WORDS, self.rng.integers(1, 6)).tolist()
        payload: dict[str, object] = {"kind": ("memo", "report")[int(self.rng.integers(2))]}
        if self.rng.random() < 0.8:
            payload["page"] = int(self.rng.integers(12))
        if self.rng.random() < 0.5:
            payload["groups"] = self.rng.choice(["staff", "guests"], self.rng.integers(3), replace=False).tolist()
        return Point(name, vector / np.linalg.norm(vector), " ".join(words), payload)

    @initialize()
    def begin(self) -> None:
        self.upsert([f"point-{number}" for number in range(0, 40, 2)])

    @rule(names=NAMES)
    def upsert(self, names: list[str]) -> None:
        points = [self.point(name) for name in names]
        self.run(self.writer.upsert(points))
        self.run(self.model.upsert(points))

    @rule(names=NAMES)
    def delete(self, names: list[str]) -> None:
        self.run(self.writer.delete(names))
        self.run(self.model.delete(names))

    @rule()
    def compact(self) -> None:
        self.run(self.writer.compact())

    @rule()
    def open_another_reader(self) -> None:
        self.run(self.reader.close())
        self.reader = self.opened()

    @precondition(lambda self: self.run(self.model.count()))
    @rule(k=st.integers(1, 50), condition=st.sampled_from(FILTERS), words=st.lists(st.sampled_from(WORDS), max_size=3))
    def search(self, k: int, condition: Filter | None, words: list[str]) -> None:
        query = self.point("query").vector
        asked = Search(k, query, " ".join(words), condition, exact=True)
        expected = self.run(self.model.search(asked))
        for store in (self.writer, self.reader):
            found = self.run(store.search(asked))
            assert [name for name, _ in found.dense] == [name for name, _ in expected.dense]
            scores = [score for _, score in expected.dense]
            assert [score for _, score in found.dense] == pytest.approx(scores, abs=1e-6)
            assert [s for _, s in found.lexical] == pytest.approx([s for _, s in expected.lexical], rel=1e-5)
            self.check_approximation(store, asked)
            self.check_completion(store, asked, found)

    def check_approximation(self, store: EmbeddedStore, asked: Search) -> None:
        """What is found without comparing everything matches, has its true score, and as many are found."""
        everything = dict(self.run(self.model.search(Search(1000, asked.vector, None, asked.filter))).dense)
        found = self.run(store.search(Search(asked.k, asked.vector, None, asked.filter))).dense
        assert len(found) == min(asked.k, len(everything))
        assert [score for _, score in found] == pytest.approx([everything[name] for name, _ in found], abs=1e-6)

    def check_completion(self, store: EmbeddedStore, asked: Search, plain: Found) -> None:
        """Each side has the true score of what either found."""
        everything = self.run(self.model.search(replace(asked, k=1000)))
        near, said = dict(everything.dense), dict(everything.lexical)
        found = self.run(store.search(replace(asked, complete=True)))
        assert {name for name, _ in found.dense} == set(plain.ids)
        assert {name for name, _ in found.lexical} == set(plain.ids) & set(said)
        assert [score for _, score in found.dense] == pytest.approx([near[name] for name, _ in found.dense], abs=1e-6)
        assert [score for _, score in found.lexical] == pytest.approx([said[n] for n, _ in found.lexical], rel=1e-5)

    @invariant()
    def same_points(self) -> None:
        self.run(self.check_points())

    async def check_points(self) -> None:
        names = await self.model.ids()
        for store in (self.writer, self.reader):
            assert await store.ids() == names
            for condition in FILTERS:
                assert await store.count(condition) == await self.model.count(condition)
        assert await self.reader.postings(names) == await self.model.postings(names)

    def teardown(self) -> None:
        for store in (self.writer, self.reader):
            self.run(store.close())
        self.runner.close()
        self.engine.dispose()
        shutil.rmtree(self.folder)


@pytest.mark.parametrize("tuning", TUNINGS, ids=["codes", "rounded", "default"])
def test_any_order(tuning: Tuning) -> None:
    class Case(AnyOrder):
        pass

    Case.tuning = tuning
    chosen = settings(
        max_examples=6,
        stateful_step_count=20,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],  # shrinking takes minutes here, and tells little more than the steps do
    )
    run_state_machine_as_test(Case, settings=chosen)
