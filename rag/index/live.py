"""The index that is searched now: the store of the active generation, whichever process made it active."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rag.errors import KnowledgeBaseMismatchError
from rag.index.generations import Generation, Generations
from rag.index.store import Store

FIRST = 1
MUST_FIT = ("embedder", "dim")
"""The facts without which a question cannot be compared with what is stored."""


@dataclass(frozen=True, slots=True)
class Live:
    """A generation's number and its store."""

    generation: int
    store: Store


class LiveIndex:
    """Finds and keeps the stores of a knowledge base. `wanted` are the facts that the configuration asks for."""

    def __init__(
        self, generations: Generations, make_store: Callable[[int], Store], wanted: Mapping[str, str], path: Path
    ) -> None:
        self.generations = generations
        self.wanted = dict(wanted)
        self._make_store = make_store
        self._path = path
        self._stores: dict[int, Store] = {}
        self._lock = threading.Lock()

    def current(self) -> Live:
        """What is searched now; raises `KnowledgeBaseMismatchError` when the vectors are another embedder's."""
        active = self.generations.active()
        if active is None:
            return Live(FIRST, self.store(FIRST))
        if any(active.facts.get(name) != self.wanted[name] for name in MUST_FIT):
            raise self._mismatch(active)
        self._let_go(active.number)
        return Live(active.number, self.store(active.number))

    def store(self, generation: int) -> Store:
        """The store of a generation, made when it is first asked for."""
        with self._lock:
            if generation not in self._stores:
                self._stores[generation] = self._make_store(generation)
            return self._stores[generation]

    async def forget(self, generation: int) -> None:
        """Remove everything that the store of a generation keeps."""
        store = self.store(generation)
        await store.clear()
        await store.close()
        with self._lock:
            self._stores.pop(generation, None)

    async def close(self) -> None:
        """Close every store."""
        for store in self._stores.values():
            await store.close()

    def _let_go(self, active: int) -> None:
        """Hold no store that another process has replaced: its memory goes with the last search in it."""
        with self._lock:
            for number in [each for each in self._stores if each < active]:
                del self._stores[number]

    def _mismatch(self, active: Generation) -> KnowledgeBaseMismatchError:
        built, wanted = active.facts, self.wanted
        return KnowledgeBaseMismatchError(
            f"The knowledge base in {self._path} was built with {built.get('embedder')} "
            f"(dimension {built.get('dim')}), and the configuration asks for {wanted['embedder']} "
            f"(dimension {wanted['dim']}).",
            hint=f"Set embedding.model to {built.get('embedder')}, or ingest again to change over: rag ingest FOLDER.",
        )
