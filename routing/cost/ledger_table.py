"""The table behind the ledger, and how it came to be what it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

from plumbline.database import Component
from routing.call import Kind
from routing.chat import Tags, Tier, Usage

if TYPE_CHECKING:
    from sqlalchemy import Connection, RowMapping, Table


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One call to a model: `cost` in US dollars, `None` when unknown; `error` names the class if it failed.

    `tier` is what the provider charged by. `at` is stored as UTC.
    """

    kind: Kind
    model: str
    usage: Usage
    cost: Decimal | None
    seconds: float
    trace_id: str | None = None
    span_id: str | None = None
    tags: Tags = Tags()
    error: str | None = None
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    tier: Tier = "standard"


@cache
def ledger_table() -> Table:
    """The table, one row per entry; money is text, because SQLite has no exact decimals."""
    from sqlalchemy import Boolean, Column, Float, Index, Integer, MetaData, String, Table

    def count(name: str) -> Column[int]:
        return Column(name, Integer, nullable=False, server_default="0")

    return Table(
        "ledger",
        MetaData(),
        Column("id", Integer, primary_key=True),
        Column("at", String, nullable=False),
        Column("kind", String, nullable=False),
        Column("model", String, nullable=False),
        Column("purpose", String, nullable=False),
        Column("tenant", String),
        Column("release", String),
        Column("session", String),
        Column("key", String),
        Column("trace_id", String),
        Column("span_id", String),
        Column("input_tokens", Integer, nullable=False),
        Column("cached_input_tokens", Integer, nullable=False),
        Column("cache_write_tokens", Integer, nullable=False),
        count("cache_write_1h_tokens"),
        Column("output_tokens", Integer, nullable=False),
        count("reasoning_tokens"),
        Column("estimated", Boolean, nullable=False),
        count("searches"),
        count("images"),
        Column("tier", String, nullable=False, server_default="standard"),
        Column("cost", String),
        Column("seconds", Float, nullable=False),
        Column("error", String),
        Index("ledger_by_trace", "trace_id"),
        Index("ledger_by_time", "at"),
    )


def component() -> Component:
    """The tables of the ledger, for `open_database`."""
    return Component("ledger", 3, ledger_table().metadata, [_count_searches, _say_who_and_how])


def _count_searches(connection: Connection) -> None:
    connection.exec_driver_sql("ALTER TABLE ledger ADD COLUMN searches INTEGER NOT NULL DEFAULT 0")


def _say_who_and_how(connection: Connection) -> None:
    for name in ("session", "key"):
        connection.exec_driver_sql(f"ALTER TABLE ledger ADD COLUMN {name} VARCHAR")
    for name in ("cache_write_1h_tokens", "reasoning_tokens", "images"):
        connection.exec_driver_sql(f"ALTER TABLE ledger ADD COLUMN {name} INTEGER NOT NULL DEFAULT 0")
    connection.exec_driver_sql("ALTER TABLE ledger ADD COLUMN tier VARCHAR NOT NULL DEFAULT 'standard'")


def to_row(entry: LedgerEntry) -> dict[str, Any]:
    """The row of an entry."""
    usage, tags = entry.usage, entry.tags
    return {
        "at": entry.at.astimezone(UTC).isoformat(),
        "kind": entry.kind,
        "model": entry.model,
        "purpose": tags.purpose,
        "tenant": tags.tenant,
        "release": tags.release,
        "session": tags.session,
        "key": tags.key,
        "trace_id": entry.trace_id,
        "span_id": entry.span_id,
        "input_tokens": usage.input_tokens,
        "cached_input_tokens": usage.cached_input_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "cache_write_1h_tokens": usage.cache_write_1h_tokens,
        "output_tokens": usage.output_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
        "estimated": usage.estimated,
        "searches": usage.searches,
        "images": usage.images,
        "tier": entry.tier,
        "cost": None if entry.cost is None else str(entry.cost),
        "seconds": entry.seconds,
        "error": entry.error,
    }


def from_row(row: RowMapping) -> LedgerEntry:
    """The entry of a row."""
    return LedgerEntry(
        kind=row["kind"],
        model=row["model"],
        usage=Usage(
            row["input_tokens"],
            row["output_tokens"],
            row["cached_input_tokens"],
            row["cache_write_tokens"],
            bool(row["estimated"]),
            row["searches"],
            row["cache_write_1h_tokens"],
            row["reasoning_tokens"],
            row["images"],
        ),
        cost=None if row["cost"] is None else Decimal(row["cost"]),
        seconds=row["seconds"],
        trace_id=row["trace_id"],
        span_id=row["span_id"],
        tags=Tags(row["purpose"], row["tenant"], row["release"], row["session"], row["key"]),
        error=row["error"],
        at=datetime.fromisoformat(row["at"]),
        tier=row["tier"],
    )
