"""API keys of the endpoint: made once, shown once, stored as hashes.

A key is "plk_ID_SECRET"; the secret is 256 random bits, so that a plain SHA-256 keeps it. The id finds the row, and the
hashes are compared in constant time.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plumbline.database import Component, open_database, storage_errors, writing
from plumbline.errors import InputError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, Table

PREFIX = "plk_"
SECRET_BYTES = 32
LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class Key:
    """A key without its secret; days are ISO 8601 dates (UTC), `revoked` is the day it was, or `None`.

    `tenant` and `groups` say what is seen with it (`rag.retrieve.access`).
    """

    id: str
    name: str
    tenant: str | None
    groups: tuple[str, ...]
    created: str
    last_used: str | None
    revoked: str | None


@cache
def _keys_table() -> Table:
    from sqlalchemy import Column, MetaData, String, Table

    return Table(
        "keys",
        MetaData(),
        Column("id", String, primary_key=True),
        Column("name", String, nullable=False),
        Column("hash", String, nullable=False),
        Column("tenant", String),
        Column("created", String, nullable=False),
        Column("last_used", String),
        Column("revoked", String),
        Column("groups", String, nullable=False, server_default="[]"),
    )


def component() -> Component:
    """The table of keys, for `open_database`."""
    return Component("keys", 2, _keys_table().metadata, migrations=[_keys_2])


def _keys_2(connection: Connection) -> None:
    """Groups."""
    connection.exec_driver_sql("ALTER TABLE keys ADD COLUMN groups VARCHAR DEFAULT '[]' NOT NULL")


class KeyRing:
    """The keys in the home's database at `file`; safe to use from several threads and processes."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._engine: Engine = open_database(file, [component()])
        self._made = False

    def add(self, name: str, tenant: str | None = None, groups: Sequence[str] = ()) -> str:
        """Make a key and return it, for the only time.

        Raises `InputError` for a name that is in use, and for names, tenants and groups that are empty, too long or
        hold what cannot be seen.
        """
        name = _checked("A key's name", name)
        tenant = None if tenant is None else _checked("A tenant's name", tenant)
        groups = sorted({_checked("A group's name", group) for group in groups})
        keys = _keys_table()
        secret = secrets.token_urlsafe(SECRET_BYTES)
        with writing(self._engine, self._file) as connection:
            rows = connection.execute(keys.select()).all()
            if any(row.name == name and row.revoked is None for row in rows):
                raise InputError(
                    f"There is a key '{name}' already.", hint=f"Choose another name, or: rag keys revoke {name}"
                )
            key_id = _fresh_id({row.id for row in rows} | {row.name for row in rows})
            row = {"id": key_id, "name": name, "hash": _hash(secret), "tenant": tenant, "created": _today()}
            row["groups"] = json.dumps(groups, ensure_ascii=False)
            connection.execute(keys.insert(), row)
        return f"{PREFIX}{key_id}_{secret}"

    def all(self) -> list[Key]:
        """Every key ever made, oldest first."""
        with storage_errors(self._file), self._engine.connect() as connection:
            rows = connection.exec_driver_sql("SELECT * FROM keys ORDER BY rowid").mappings()
            return [_key(row) for row in rows]

    def revoke(self, name_or_id: str) -> Key:
        """Revoke a key from now on; raises `InputError` when there is none that is valid."""
        keys = _keys_table()
        found = [key for key in self.all() if name_or_id in (key.name, key.id)]
        valid = [key for key in found if key.revoked is None]
        if not valid:
            known = ", ".join(key.name for key in self.all() if key.revoked is None) or "none"
            state = "is revoked already" if found else "does not exist"
            raise InputError(f"The key '{name_or_id}' {state}.", hint=f"Valid keys: {known}.")
        with writing(self._engine, self._file) as connection:
            connection.execute(keys.update().where(keys.c.id == valid[0].id).values(revoked=_today()))
        return valid[0]

    def any(self) -> bool:
        """Whether a key was ever made. Revoking the last one must not open the door, so revoked ones count.

        Once that is so it stays so, and every request asks: it is looked up until then.
        """
        if not self._made:
            with storage_errors(self._file), self._engine.connect() as connection:
                self._made = connection.exec_driver_sql("SELECT 1 FROM keys LIMIT 1").first() is not None
        return self._made

    def check(self, token: str) -> Key | None:
        """The key that `token` is, or `None` when it is none, unknown or revoked."""
        key_id, _, secret = token.removeprefix(PREFIX).partition("_")
        if not token.startswith(PREFIX) or not secret:
            return None
        keys = _keys_table()
        with storage_errors(self._file), self._engine.connect() as connection:
            row = connection.execute(keys.select().where(keys.c.id == key_id)).mappings().first()
        if row is None or not hmac.compare_digest(row["hash"], _hash(secret)) or row["revoked"] is not None:
            return None
        return _key(row)

    async def note_use(self, key: Key) -> None:
        """Remember that `key` was used today; another process that holds the database holds up nobody but the key."""
        if key.last_used != _today():
            await asyncio.to_thread(self._mark_used, key.id)

    def _mark_used(self, key_id: str) -> None:
        keys = _keys_table()
        with writing(self._engine, self._file) as connection:
            connection.execute(keys.update().where(keys.c.id == key_id).values(last_used=_today()))

    def close(self) -> None:
        """Close the database."""
        self._engine.dispose()


def _key(row: Mapping[Any, Any]) -> Key:
    fields = {name: row[name] for name in Key.__slots__}
    return Key(**{**fields, "groups": tuple(json.loads(row["groups"]))})


def _checked(what: str, given: str) -> str:
    """The name without blanks around it."""
    name = given.strip()
    if not name or len(name) > LONGEST_NAME:
        raise InputError(f"{what} has 1 to {LONGEST_NAME} characters, not {len(name)}.")
    if not name.isprintable():
        raise InputError(f"{what} holds what cannot be seen: {name!a}.")
    return name


def _fresh_id(taken: set[str]) -> str:
    while (key_id := secrets.token_hex(4)) in taken:
        continue
    return key_id


def _hash(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()


def _today() -> str:
    return datetime.now(UTC).date().isoformat()
