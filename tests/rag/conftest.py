"""A small folder of documents and a knowledge base over it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rag import RAG

RETURNS = """# Returns policy

## Refund window

Unopened goods may be returned within 30 days of delivery. The customer pays for the parcel.

## Payment

Refunds are paid within 5 working days to the card that was used. Gift cards cannot be returned.
"""
SHIPPING = """# Shipping

Parcels to Norway take 4 days. Parcels to Iceland take 9 days and cost 12 euros.
"""
SHOPS = "shop,city,opens\nLund Central,Lund,9:00\nHarbour,Malmö,10:00\n"


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    (folder / "more").mkdir(parents=True)
    (folder / "returns.md").write_text(RETURNS, encoding="utf-8")
    (folder / "more" / "shipping 🙂.md").write_text(SHIPPING, encoding="utf-8")
    (folder / "shops.csv").write_text(SHOPS, encoding="utf-8")
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def kb(tmp_path: Path, home: Path) -> Iterator[RAG]:
    with RAG.open(tmp_path / "kb", home=home, environ={}) as base:
        yield base
