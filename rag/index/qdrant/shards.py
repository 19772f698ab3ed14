"""User-defined sharding: every value of one field, such as the tenant, has shards of its own.

A search whose filter names the values asks their shards alone. Points without the field, or with a list in it, share
one key, which every search asks too. Needs a server that lists its shard keys (1.16 or later).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from qdrant_client import models

from plumbline.errors import StateError
from rag.index.filters import And, Eq, Exists, Filter, In, Not, Or
from rag.index.qdrant.calls import Calls

SHARED = "-"


class Shards:
    """The shard keys of the collection `name` by the payload's `field`; with `None` there are none, and no cost."""

    def __init__(self, calls: Calls, name: str, field: str | None) -> None:
        self._calls = calls
        self._name = name
        self._field = field
        self._known: set[str] = set()

    async def put(self, rows: Sequence[models.PointStruct]) -> None:
        """Write points, each to its shards; a point that changed its key leaves the old one."""
        if self._field is None:
            await self._calls.make(lambda client: client.upsert(self._name, list(rows), wait=True))
            return
        groups: dict[str, list[models.PointStruct]] = {}
        for row in rows:
            groups.setdefault(self._key(row), []).append(row)
        for key in groups:
            await self._ensure(key)
        known = await self.all()
        for key, some in groups.items():
            await self._put(key, some, [other for other in known if other != key])

    async def all(self) -> list[str]:
        """Every key there is now, [] without user-defined sharding; deletes name them."""
        if self._field is None:
            return []
        found = await self._calls.make(lambda client: client.list_shard_keys(self._name))
        self._known = {str(each.key) for each in found.shard_keys or []}
        return sorted(self._known)

    async def asked(self, condition: Filter | None) -> list[str] | None:
        """The keys that a search with this filter needs; `None`: all."""
        if self._field is None:
            return None
        values = named(condition, self._field)
        if values is None:
            return None
        wanted = {*values, SHARED}
        if not wanted <= self._known:
            await self.all()
        return sorted(wanted & self._known) or None

    def _key(self, row: models.PointStruct) -> str:
        value = (row.payload or {})["payload"].get(self._field)
        return value if isinstance(value, str) and value else SHARED

    async def _ensure(self, key: str) -> None:
        if key in self._known or key in await self.all():
            return
        try:
            await self._calls.make(lambda client: client.create_shard_key(self._name, key))
        except StateError:
            if key not in await self.all():  # another process may have been quicker
                raise

    async def _put(self, key: str, rows: list[models.PointStruct], others: list[str]) -> None:
        await self._calls.make(lambda client: client.upsert(self._name, rows, wait=True, shard_key_selector=key))
        if others:
            ids: list[Any] = [row.id for row in rows]
            selector = models.PointIdsList(points=ids)
            await self._calls.make(
                lambda client: client.delete(self._name, selector, wait=True, shard_key_selector=list(others))
            )


def named(condition: Filter | None, field: str) -> set[str] | None:
    """The texts that `field` may have where the filter matches, besides none at all; `None`: any."""
    match condition:
        case Eq(name, str() as value) if name == field:
            return {value}
        case In(name, values) if name == field and all(isinstance(value, str) for value in values):
            return {str(value) for value in values}
        case Not(Exists(name)) if name == field:
            return set()
        case And(parts):
            return _narrowest(named(part, field) for part in parts)
        case Or(parts):
            found = [named(part, field) for part in parts]
            known = [each for each in found if each is not None]
            return set().union(*known) if len(known) == len(found) else None
        case _:
            return None


def _narrowest(parts: Iterable[set[str] | None]) -> set[str] | None:
    known = [part for part in parts if part is not None]
    return set.intersection(*known) if known else None
