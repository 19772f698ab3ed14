"""From settings, or an address, to stores: one for each generation of a knowledge base."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from plumbline.errors import ConfigError, InputError
from plumbline.extras import require
from rag.index.identity import identity
from rag.index.settings import StoreSettings
from rag.index.store import Store
from rag.index.store_urls import parsed, without_password, wrong_part

if TYPE_CHECKING:
    from sqlalchemy import Engine

KEY_VARIABLE = "PLUMBLINE_STORE_KEY"
SERVERS = {
    "qdrant": (("http", "https"), "http://host:6333 or https://host:6333/prefix, and its name in store.collection"),
    "pgvector": (("postgresql", "postgres"), "postgresql://user@host:5432/database, and its name in store.collection"),
}
"""By kind, how the URLs of servers begin, and what they look like."""
TARGETS = ("qdrant", "qdrants", "postgresql", "postgres")
MakeStore = Callable[[int], Store]


def build_store(
    settings: StoreSettings, *, dim: int, engine: Engine, file: Path, environ: Mapping[str, str] | None = None
) -> MakeStore:
    """What makes the store of a generation, for vectors of `dim`; `engine` and `file` are the knowledge base's.

    Asks no server. Raises `ConfigError` for settings that do not go together, `MissingExtraError`.
    """
    environ = os.environ if environ is None else environ
    if settings.kind in {"qdrant", "pgvector"}:
        return _on_server(settings, dim, environ, lambda: identity(engine, file))
    if settings.url is not None:
        raise _wrong("url", settings.url, f"a store of kind '{settings.kind}' has none.")
    if settings.kind == "memory":
        from rag.index.memory_store import MemoryStore

        _only_bm25(settings)
        return lambda generation: MemoryStore(dim, settings.lexical)
    from rag.index.embedded import EmbeddedStore

    return lambda generation: EmbeddedStore(engine, file, dim=dim, generation=generation, lexical=settings.lexical)


def settings_of(address: str, base: StoreSettings, collection: str | None = None) -> StoreSettings:
    """The settings of a store at an address, all else as in `base`.

    `qdrant://HOST:6333/COLLECTION` (`qdrants://` by TLS), `postgresql://…` with the name in `collection`, and
    `embedded:`. Raises `InputError`.
    """
    if address in {"embedded:", "embedded"}:
        return base.model_copy(update={"kind": "embedded", "url": None, "collection": None})
    parts = parsed(address)
    if (wrong := wrong_part(address, TARGETS)) is not None:
        forms = "Write qdrant://HOST:6333/COLLECTION (qdrants:// by TLS), postgresql://USER@HOST/DATABASE or embedded:."
        raise InputError(f"'{without_password(address)}' is no address of a store: {wrong}.", hint=forms)
    if parts.scheme in {"postgresql", "postgres"}:
        return base.model_copy(update={"kind": "pgvector", "url": address, "collection": collection})
    *prefix, named = parts.path.strip("/").split("/")
    scheme = "https" if parts.scheme == "qdrants" else "http"
    url = "/".join([f"{scheme}://{parts.netloc}", *prefix])
    return base.model_copy(update={"kind": "qdrant", "url": url, "collection": collection or named or None})


def store_named(settings: StoreSettings) -> str:
    """Which store the settings name, for people, without a password."""
    named = (settings.kind, settings.collection, without_password(settings.url))
    return " ".join(each for each in named if each)


def _on_server(settings: StoreSettings, dim: int, environ: Mapping[str, str], owner: Callable[[], str]) -> MakeStore:
    schemes, forms = SERVERS[settings.kind]
    if settings.url is None:
        raise _wrong("url", None, f"a store of kind '{settings.kind}' needs one.", forms)
    if (wrong := wrong_part(settings.url, schemes)) is not None:
        raise _wrong("url", settings.url, f"{wrong}.", forms)
    if not settings.collection or "/" in settings.collection:
        raise _wrong(
            "collection",
            settings.collection,
            "the index needs a name on the server, which no other knowledge base there has.",
            "handbook",
        )
    _only_bm25(settings)
    key = environ.get(KEY_VARIABLE) or None
    return (_qdrant if settings.kind == "qdrant" else _pgvector)(settings, dim, key, owner)


def _qdrant(settings: StoreSettings, dim: int, key: str | None, owner: Callable[[], str]) -> MakeStore:
    require("qdrant_client", "qdrant")
    from rag.index.qdrant.connect import clients_of, server_at
    from rag.index.qdrant.options import QdrantOptions
    from rag.index.qdrant.store import QdrantStore

    server = server_at(settings.url or "", key)
    options = QdrantOptions(shards=settings.shards, replicas=settings.replicas, lexical=settings.lexical)
    return lambda generation: QdrantStore(
        clients_of(server),
        dim=dim,
        collection=settings.collection or "",
        generation=generation,
        options=options,
        server=server,
        owner=owner,
    )


def _pgvector(settings: StoreSettings, dim: int, key: str | None, owner: Callable[[], str]) -> MakeStore:
    require("psycopg", "pgvector")
    require("pgvector", "pgvector")
    from rag.index.pgvector.connections import Connections
    from rag.index.pgvector.store import PgVectorStore

    url = settings.url or ""
    try:
        connections = Connections(url, password=key)
    except InputError as error:
        raise _wrong("url", "…", error.message, SERVERS["pgvector"][1]) from error
    return lambda generation: PgVectorStore(
        connections,
        dim=dim,
        collection=settings.collection or "",
        generation=generation,
        lexical=settings.lexical,
        owner=owner,
    )


def _only_bm25(settings: StoreSettings) -> None:
    if settings.lexical.scorer != "bm25":
        raise _wrong("lexical.scorer", settings.lexical.scorer, "only the embedded store has others.", "bm25")


def _wrong(key: str, value: str | None, why: str, example: str | None = None) -> ConfigError:
    shown = without_password(value)
    return ConfigError(
        f"The setting store.{key} is {shown!r}: {why}",
        key=f"store.{key}",
        value=shown,
        hint=f"For example: {example}" if example else None,
    )
