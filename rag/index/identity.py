"""Which knowledge base this is: a name that it gets once, by which others' collections on a server are told apart."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from plumbline.database import Component, writing
from rag.errors import StoreError

if TYPE_CHECKING:
    from sqlalchemy import Engine, MetaData, Table


@cache
def _tables() -> MetaData:
    from sqlalchemy import MetaData

    return MetaData()


@cache
def _identity() -> Table:
    from sqlalchemy import Column, String, Table

    return Table("identity", _tables(), Column("name", String, primary_key=True))


def identity_component() -> Component:
    """The table that holds the name."""
    _identity()
    return Component("identity", 1, _tables())


def identity(engine: Engine, path: Path) -> str:
    """The name of the knowledge base in the database at `path`, given now where it has none."""
    table = _identity()
    with writing(engine, path) as connection:
        known = connection.execute(table.select()).scalar()
        if known is None:
            known = uuid4().hex
            connection.execute(table.insert(), {"name": known})
        return str(known)


def refuse_others(held_by: str | None, owner: str | None, what: str) -> None:
    """Raise `StoreError` when `what`, a collection or a table, is held by another knowledge base than `owner`."""
    if held_by is not None and owner is not None and held_by != owner:
        raise StoreError(
            f"{what} belongs to another knowledge base.",
            hint="Name another collection in the setting store.collection, or remove it there if nobody needs it.",
        )
