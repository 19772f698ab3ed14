"""Models of one's own, by name, in a knowledge base."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from plumbline.errors import ConfigError
from rag import RAG
from routing.chat import ChatResponse, Usage
from routing.cost.prices import Price
from routing.models.catalog import register_model
from routing.testing.fakes import ScriptedChatModel

TEXT = "The refund window is thirty days after delivery."


def ask(folder: Path, **settings: object) -> Decimal | None:
    """What the answer of a registered model costs."""
    response = ChatResponse(f"{TEXT} [1]", "myco/large", Usage(1000, 100))
    catalog = register_model(
        "myco/large",
        lambda model, options: ScriptedChatModel(response, name=model.full),
        price=Price(Decimal(3), Decimal(15)),
    )
    (folder / "docs").mkdir(exist_ok=True)
    (folder / "docs" / "terms.txt").write_text(TEXT)
    with RAG.open(
        folder / "kb", model="myco/large", home=folder / "home", settings=settings, catalog=catalog, environ={}
    ) as kb:
        kb.ingest(folder / "docs")
        answer = kb.ask("How long is the refund window?")
        assert answer.model == "myco/large"
        return answer.cost


def test_its_price_comes_along(tmp_path: Path) -> None:
    assert ask(tmp_path) == Decimal("0.0045")


def test_the_price_in_the_settings_wins(tmp_path: Path) -> None:
    assert ask(tmp_path, **{"routing.prices": {"myco/large": {"input": 1, "output": 0}}}) == Decimal("0.001")


def test_the_default_catalogue_does_not_know_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no provider 'myco'"):
        RAG.open(tmp_path / "kb", model="myco/large", home=tmp_path / "home", environ={})
