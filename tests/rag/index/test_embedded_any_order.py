"""Whatever is done to embedded stores in whichever order, they hold and find what the store in memory does."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from plumbline.database import open_database
from rag.index import components
from rag.index.embedded import EmbeddedStore
from rag.index.filters import Eq, Exists, Filter, In, Not, Or, Range
from rag.index.memory_store import MemoryStore
from rag.index.store import Point, Search
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


def run(call: Coroutine[Any, Any, Value]) -> Value:
    return asyncio.run(call)


class AnyOrder(RuleBasedStateMachine):
    """A writer and a reader in one folder, and beside them the store they must agree with."""

    tuning = TUNINGS[0]

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.model = MemoryStore(DIM)
        self.rng = np.random.default_rng(1)
        self.writer, self.reader = self.opened(), self.opened()

    def opened(self) -> EmbeddedStore:
        file = self.folder / "knowledge.db"
        self.engine = open_database(file, [components.catalogue_component(), components.embedded_store_component()])
        return EmbeddedStore(self.engine, file, dim=DIM, tuning=self.tuning)

    def point(self, name: str) -> Point:
        vector = self.rng.normal(size=DIM).astype(np.float32)
        words = self.rng.choice(WORDS, self.rng.integers(1, 6)).tolist()
        payload: dict[str, object] = {"kind": ("memo", "report")[int(self.rng.integers(2))]}
        if self.rng.random() < 0.8:
            payload["page"] = int(self.rng.integers(12))
        if self.rng.random() < 0.5:
            payload["groups"] = self.rng.choice(["staff", "guests"], self.rng.integers(3), replace=False).tolist()
        return Point(name, vector / np.linalg.norm(vector), " ".join(words), payload)

    @rule(names=NAMES)
    def upsert(self, names: list[str]) -> None:
        points = [self.point(name) for name in names]
        run(self.writer.upsert(points))
        run(self.model.upsert(points))

    @rule(names=NAMES)
    def delete(self, names: list[str]) -> None:
        run(self.writer.delete(names))
        run(self.model.delete(names))

    @rule()
    def compact(self) -> None:
        run(self.writer.compact())

    @rule()
    def open_another_reader(self) -> None:
        run(self.reader.close())
        self.reader = self.opened()

    @precondition(lambda self: run(self.model.count()))
    @rule(k=st.integers(1, 50), condition=st.sampled_from(FILTERS), words=st.lists(st.sampled_from(WORDS), max_size=3))
    def search(self, k: int, condition: Filter | None, words: list[str]) -> None:
        query = self.point("query").vector
        asked = Search(k, query, " ".join(words), condition, exact=True)
        expected = run(self.model.search(asked))
        for store in (self.writer, self.reader):
            found = run(store.search(asked))
            assert [name for name, _ in found.dense] == [name for name, _ in expected.dense]
            scores = [score for _, score in expected.dense]
            assert [score for _, score in found.dense] == pytest.approx(scores, abs=1e-6)
            assert [s for _, s in found.lexical] == pytest.approx([s for _, s in expected.lexical], rel=1e-5)
            self.check_approximation(store, asked)

    def check_approximation(self, store: EmbeddedStore, asked: Search) -> None:
        """What is found without comparing everything matches, has its true score, and as many are found."""
        everything = dict(run(self.model.search(Search(1000, asked.vector, None, asked.filter))).dense)
        found = run(store.search(Search(asked.k, asked.vector, None, asked.filter))).dense
        assert len(found) == min(asked.k, len(everything))
        assert [score for _, score in found] == pytest.approx([everything[name] for name, _ in found], abs=1e-6)

    @invariant()
    def same_points(self) -> None:
        names = run(self.model.ids())
        for store in (self.writer, self.reader):
            assert run(store.ids()) == names
            for condition in FILTERS:
                assert run(store.count(condition)) == run(self.model.count(condition))
        assert run(self.reader.postings(names)) == run(self.model.postings(names))

    def teardown(self) -> None:
        for store in (self.writer, self.reader):
            run(store.close())
        self.engine.dispose()
        shutil.rmtree(self.folder)


@pytest.mark.parametrize("tuning", TUNINGS, ids=["codes", "rounded", "default"])
def test_any_order(tuning: Tuning) -> None:
    class Case(AnyOrder):
        pass

    Case.tuning = tuning
    chosen = settings(
        max_examples=6,
        stateful_step_count=15,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],  # shrinking takes minutes here, and tells little more than the steps do
    )
    run_state_machine_as_test(Case, settings=chosen)
