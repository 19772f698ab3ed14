"""The components of a knowledge base's database, for `plumbline.database.open_database`."""

from __future__ import annotations

from plumbline.database import Component
from rag.index.migrations import CATALOGUE_MIGRATIONS, STORE_MIGRATIONS
from rag.index.tables import catalogue_tables, store_tables


def catalogue_component() -> Component:
    """The catalogue's tables."""
    return Component("catalogue", 3, catalogue_tables(), CATALOGUE_MIGRATIONS)


def embedded_store_component() -> Component:
    """The embedded store's tables."""
    return Component("embedded store", 3, store_tables(), STORE_MIGRATIONS)
