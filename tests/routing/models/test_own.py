from __future__ import annotations

import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from plumbline.errors import ConfigError
from routing.chat import ChatModel, Usage
from routing.cost.prices import Price, PriceTable
from routing.errors import UnknownModelError
from routing.models.catalog import DEFAULT_CATALOG, register_model
from routing.models.facts import UNKNOWN, ModelFacts
from routing.models.own import OwnModel, OwnProvider, installed_provider, own_provider
from routing.models.providers import ModelName, ModelOptions
from routing.testing.chat import check_chat_model
from routing.testing.fakes import ScriptedChatModel, ScriptedReranker

PLUGIN = """
from decimal import Decimal
from routing.cost.prices import Price
from routing.models.own import OwnModel, own_provider
from routing.testing.fakes import ScriptedChatModel

provider = own_provider("myco", [
    OwnModel("large", "chat", lambda model, options: ScriptedChatModel("hello", name=model.full), Price(Decimal(3))),
])
nothing = 3
"""


def make(model: ModelName, options: ModelOptions) -> ChatModel:
    return ScriptedChatModel(f"{model.name} {options.effort}", name=model.full)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder of installed packages."""
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    installed_provider.cache_clear()
    sys.modules.pop("myco_models", None)


def install(site: Path, target: str, *, package: str = "myco-models") -> None:
    installed_provider.cache_clear()
    (site / "myco_models.py").write_text(PLUGIN)
    about = site / f"{package.replace('-', '_')}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[plumbline.models]\nmyco = {target}\n")


async def test_a_model_is_made_by_its_name() -> None:
    catalog = register_model("myco/large", make, price=Price(Decimal(3), Decimal(15)), facts=ModelFacts(context=9))
    catalog.check_chat_model("myco/large")
    model = catalog.chat_model("myco/large", environ={}, effort="low")
    await check_chat_model(model, local=True)
    prices = PriceTable({}).with_prices(catalog.prices(["myco/large", "openai/gpt-5", "nonsense"]))
    assert prices.cost("myco/large", Usage(1_000_000, 1_000_000)) == 18
    assert catalog.facts("myco/large").context == 9
    assert catalog.facts("anthropic/claude-haiku-4-5").context == 200_000
    assert catalog.facts("myco/small") == catalog.facts("nobody/knows") == catalog.facts("nonsense") == UNKNOWN


def test_nothing_is_remembered_elsewhere() -> None:
    register_model("myco/large", make)
    with pytest.raises(UnknownModelError, match="no provider 'myco'"):
        DEFAULT_CATALOG.chat_model("myco/large", environ={})


async def test_a_provider_may_have_many_models_of_each_kind() -> None:
    catalog = register_model("myco/large", make)
    catalog = register_model("myco/any-*", make, catalog=catalog)
    catalog = register_model(
        "myco/rank", lambda model, options: ScriptedReranker([1.0], name=model.full), kind="reranker", catalog=catalog
    )
    assert catalog.chat_model("myco/any-thing", environ={}).name == "myco/any-thing"
    assert (await catalog.reranker("myco/rank", environ={}).score("q", ["p"])).values.tolist() == [1.0]
    with pytest.raises(UnknownModelError, match="Did you mean 'myco/large'"):
        catalog.check_chat_model("myco/lagre")
    with pytest.raises(UnknownModelError, match="no embedders"):
        catalog.check_embedder("myco/large")
    with pytest.raises(UnknownModelError, match="'myco/rnk'"):
        catalog.check_reranker("myco/rnk")
    with pytest.raises(UnknownModelError, match=r"Did you mean 'myco/large'\?"):
        catalog.check_chat_model("mycoo/large")


async def test_the_same_name_again_takes_its_place() -> None:
    catalog = register_model("myco/large", make, price=Price(Decimal(1)))
    catalog = register_model("myco/large", lambda m, o: ScriptedChatModel("new", name=m.full), catalog=catalog)
    provider = catalog.providers["myco"]
    assert isinstance(provider, OwnProvider)
    assert len(provider.models) == 1
    assert catalog.prices(["myco/large"]) == {}


@pytest.mark.parametrize(
    ("name", "says"), [("large", "provider/name"), ("myco/x@http://h", "provider/name"), ("openai/mine", "'openai'")]
)
def test_names_that_cannot_be_registered(name: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        register_model(name, make)


def test_a_model_that_calls_itself_otherwise() -> None:
    catalog = register_model("myco/large", lambda model, options: ScriptedChatModel("x"))
    with pytest.raises(UnknownModelError, match="calls itself 'scripted/chat'"):
        catalog.chat_model("myco/large", environ={})


def test_no_models_at_all() -> None:
    assert own_provider("myco", []).example == ""
    assert own_provider("myco", [OwnModel("a", "embedder", make)]).price("b") is None


def test_an_installed_package_brings_models(site: Path) -> None:
    install(site, "myco_models:provider")
    assert "myco_models" not in sys.modules
    DEFAULT_CATALOG.check_chat_model("myco/large")
    assert DEFAULT_CATALOG.chat_model("myco/large", environ={}).name == "myco/large"
    assert DEFAULT_CATALOG.prices(["myco/large"]) == {"myco/large": Price(Decimal(3))}
    with pytest.raises(UnknownModelError, match="no rerankers"):
        DEFAULT_CATALOG.check_reranker("myco/large")


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("myco_models:missing", "cannot be loaded"),
        ("myco_missing:provider", "No module named 'myco_missing'"),
        ("myco_models:nothing", "is not the provider 'myco'"),
    ],
)
def test_a_package_that_is_broken(site: Path, target: str, says: str) -> None:
    install(site, target)
    with pytest.raises(ConfigError, match=says):
        DEFAULT_CATALOG.check_chat_model("myco/large")


def test_two_packages_offer_the_same(site: Path) -> None:
    install(site, "myco_models:provider")
    install(site, "myco_models:provider", package="other-models")
    with pytest.raises(ConfigError, match="myco-models and other-models is offered twice"):
        DEFAULT_CATALOG.check_chat_model("myco/large")
