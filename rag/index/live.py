"""The index that is searched now: the store of the active generation, whichever process made it active."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rag.errors import KnowledgeBaseMismatchError
from rag.index.generations import Generation, Generations
from rag.index.store import Store

FIRST = 1
MUST_FIT = ("embedder", "dim")
"""The facts without which a question cannot be compared with what is stored."""


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Live:
    """A generation's number and its store, which is closed once it is replaced and nobody holds this any more."""

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
        self._lives: dict[int, Live] = {}
        self._unclosed: list[Store] = []
        self._closing: set[asyncio.Task[None]] = set()
        self._lock = threading.Lock()

    def current(self) -> Live:
        """What is searched now; raises `KnowledgeBaseMismatchError` when the vectors are another embedder's."""
        active = self.generations.active()
        if active is None:
            return self._live(FIRST)
        if any(active.facts.get(name) != self.wanted[name] for name in MUST_FIT):
            raise self._mismatch(active)
        self._let_go(active.number)
        return self._live(active.number)

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
            self._lives.pop(generation, None)

    async def close(self) -> None:
        """Close every store."""
        self._lives.clear()
        here = asyncio.get_running_loop()
        await asyncio.gather(*(each for each in self._closing if each.get_loop() is here), return_exceptions=True)
        for store in (*self._stores.values(), *self._unclosed):
            await store.close()
        self._unclosed.clear()

    def _live(self, generation: int) -> Live:
        live = self._lives.get(generation)
        return self._lives.setdefault(generation, Live(generation, self.store(generation))) if live is None else live

    def _let_go(self, active: int) -> None:
        """Hold no store that another process has replaced: it is closed when the last search in it is over."""
        with self._lock:
            old = [each for each in self._stores if each < active]
            stores, lives = [self._stores.pop(each) for each in old], [self._lives.pop(each, None) for each in old]
        for store, live in zip(stores, lives, strict=True):
            if live is None:
                self._end(store)
            else:
                weakref.finalize(live, self._end, store).atexit = False

    def _end(self, store: Store) -> None:
        """Close a store on the loop that runs here; without one it waits for `close`."""
        try:
            task = asyncio.get_running_loop().create_task(store.close())
        except RuntimeError:
            self._unclosed.append(store)
            return
        self._closing.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, closing: asyncio.Task[None]) -> None:
        self._closing.discard(closing)
        if not closing.cancelled():
            closing.exception()  # what could not be closed is nobody's any more

    def _mismatch(self, active: Generation) -> KnowledgeBaseMismatchError:
        built, wanted = active.facts, self.wanted
        return KnowledgeBaseMismatchError(
            f"The knowledge base in {self._path} was built with {built.get('embedder')} "
            f"(dimension {built.get('dim')}), and the configuration asks for {wanted['embedder']} "
            f"(dimension {wanted['dim']}).",
            hint=f"Set embedding.model to {built.get('embedder')}, or ingest again to change over: rag ingest FOLDER.",
        )
