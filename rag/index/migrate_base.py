"""Moving a whole knowledge base: every generation, while nothing is ingested."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from plumbline.errors import InputError
from rag.index.build_store import build_store, store_named
from rag.index.migrate import Moved, OnProgress, migrate
from rag.index.publish import publish
from rag.index.settings import StoreSettings
from rag.ingest.locking import ingesting

if TYPE_CHECKING:
    from rag.config import Parts

KNOWLEDGE_FILE = "knowledge.db"


async def migrate_base(
    parts: Parts,
    target: StoreSettings,
    *,
    environ: Mapping[str, str] | None = None,
    on_progress: OnProgress | None = None,
) -> dict[int, Moved]:
    """Copy every generation of a knowledge base to the store that `target` names; what was moved, by generation.

    No ingestion runs meanwhile. What the knowledge base searches is left as it is: the configuration says that. Raises
    `InputError` when both are the same or the target is in memory, `ConfigError`, `StateError`.
    """
    place = (target.kind, target.url, target.collection)
    own = parts.settings.store
    if target.kind == "memory":
        raise InputError("What is in memory is gone with this process.", hint="Name a store that stays: --to.")
    if place == (own.kind, own.url, own.collection):
        raise InputError(
            f"The knowledge base is in that store already: {store_named(own)}.",
            hint="Name another with --to, or the configuration it is in with --config.",
        )
    dim = parts.live.wanted["dim"]
    file = parts.path / KNOWLEDGE_FILE
    make = build_store(target, dim=int(dim), engine=parts.engine, file=file, environ=environ)
    moved = {}
    async with ingesting(parts.path):
        parts.live.current()  # says so when it was built with another embedder
        for generation in await asyncio.to_thread(parts.live.generations.all):
            if generation.facts.get("dim") != dim:
                continue  # nobody's any more
            store = make(generation.number)
            try:
                source = parts.live.store(generation.number)
                moved[generation.number] = await migrate(source, store, on_progress=on_progress)
                if generation.active:
                    await publish(store)
            finally:
                await store.close()
    return moved
