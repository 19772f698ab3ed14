"""Price files: what they may say, and that every slip in one is named with its place and the nearest right word."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from plumbline.errors import ConfigError
from routing.chat import Usage
from routing.cost.price_file import parse_price, price_table, read_price_file, read_prices, shipped_prices
from routing.cost.prices import Price
from routing.settings import RoutingSettings

FILE = """
date: "2026-11-01"
tables:
  - provider: acme
    source: acme.example/prices
    date: "2026-10-30"
    models:
      big: {input: "2", cached_input: "0.2", output: 10}
      small: {input: 0.1}
  - provider: acme
    above: 1000
    models:
      big: {input: "4", output: "15"}
  - provider: acme
    tier: batch
    models:
      big: {input: "1", output: "5"}
      small: {input: "0.05"}
  - provider: acme
    tier: batch
    above: 1000
    models:
      big: {input: "2", output: "7.5"}
"""


def test_tables_of_tiers_and_lengths_make_one_price() -> None:
    table = read_prices(FILE, "own.yaml")
    big = table.find("acme/big")
    assert table.date == "2026-11-01"
    assert big == Price(
        Decimal(2),
        Decimal(10),
        Decimal("0.2"),
        long_above=1000,
        long_context=Price(Decimal(4), Decimal(15)),
        tiers={"batch": Price(Decimal(1), Decimal(5), long_above=1000, long_context=Price(Decimal(2), Decimal("7.5")))},
    )
    assert big.source == "acme.example/prices, 2026-10-30"


def test_long_prompts_in_a_tier_that_says_nothing_of_them_are_unknown() -> None:
    table = read_prices(FILE[: FILE.rindex("  - provider")], "own.yaml")
    assert table.cost("acme/big", Usage(1000), "batch") == Decimal("0.001")
    assert table.cost("acme/big", Usage(1001), "batch") is None
    assert table.cost("acme/small", Usage(1001), "batch") == Decimal("0.00005005")
    assert table.bound("acme/big", 1001, 0, "batch") is None


@pytest.mark.parametrize(
    ("right", "wrong", "says"),
    [
        ("input: 0.1", "inptu: 0.1", r"table 1 .*price of acme/small: there is no key 'inptu'.*Did you mean 'input'"),
        ("input: 0.1", "input: -0.1", "price of acme/small: input: -0.1 is not a price"),
        ("input: 0.1", "input: cheap", "price of acme/small: input: 'cheap' is not a number"),
        ("input: 0.1", "input: .nan", "price of acme/small: input: nan is not a price"),
        ("input: 0.1", "input: 0,1", r"own\.yaml:9: table 1 .*price of acme/small: there is no key '1'"),
        ("input: 0.1", "input: 1e+99", r"price of acme/small: input: .* is not a price"),
        ("input: 0.1", "input: '1e999999'", "price of acme/small: input: '1e999999' is not a price"),
        ("input: 0.1", "input: true", "price of acme/small: input: True is not a number"),
        ("input: 0.1", "output: 1", "price of acme/small: 'input' is missing"),
        ("{input: 0.1}", "0.1", r"price of acme/small: 0\.1 is no mapping"),
        ("tier: batch", "tier: bacth", "table 3: there is no tier 'bacth'.*Did you mean 'batch'"),
        ("above: 1000", "above: long", "long_context.above: 'long' is no number of tokens"),
        ("above: 1000", "abvoe: 1000", "table 2: there is no key 'abvoe'.*Did you mean 'above'"),
        ("    above: 1000\n", "", "table 2 .*acme/big has a price already"),
        ("      small: {input: 0.1}", "      big: {input: 0.1}", r"own\.yaml:9: 'big' stands here twice"),
        ("big: {input: \"1\"", "bigg: {input: \"1\"", "acme/bigg has no standard price.*Did you mean 'acme/big'"),
        ("tables:", "table:", "there is no key 'table'.*Did you mean 'tables'"),
        ("provider: acme\n    source", "source", "table 1: 'provider' is missing"),
        ("      small: {input: 0.1}", "      [small]: 1", r"own\.yaml:9: this is no name"),
        ("input: 0.1", "input: -0.1", r"own\.yaml:9: table 1 .*small: input: -0\.1"),
        ("tier: batch", "tier: bacth", r"own\.yaml:14: table 3: there is no tier"),
        ("date: \"2026-11-01\"", "date: [", r"own\.yaml:\d+: this is not valid YAML"),
    ],
)  # fmt: skip
def test_a_slip_is_named_with_its_place_and_the_nearest_right_word(right: str, wrong: str, says: str) -> None:
    assert right in FILE
    with pytest.raises(ConfigError, match=says) as caught:
        read_prices(FILE.replace(right, wrong, 1), "own.yaml")
    assert str(caught.value).startswith("own.yaml:")
    assert caught.value.source is not None


@pytest.mark.parametrize("text", ["", "[]", "date: x", "tables: []", "tables: [3]"])
def test_what_is_no_file_of_prices_is_said(text: str) -> None:
    with pytest.raises(ConfigError, match=r"own\.yaml"):
        read_prices(text, "own.yaml")


def test_a_price_for_long_prompts_is_given_once() -> None:
    twice = FILE + "  - provider: acme\n    above: 2000\n    models:\n      big: {input: 8}\n"
    with pytest.raises(ConfigError, match="acme/big: the price of long prompts has two"):
        read_prices(twice, "own.yaml")


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"inptu": "1"}, "no key 'inptu'"),
        ({"input": "cheap"}, "'cheap' is not a number"),
        ({"input": "-1"}, "not a price"),
        ({"input": "NaN"}, "not a price"),
        ({"output": "1"}, "'input' is missing"),
        ({"searches": "two"}, "'two' is not a number"),
        ({"input": "1", "tiers": {"slow": {"input": "1"}}}, "no tier 'slow'"),
        ({"input": "1", "tiers": {"flex": "1"}}, "tiers.flex: '1' is no mapping"),
        ({"input": "1", "long_context": {"input": "1"}}, "long_context.above: None is no number"),
    ],
)
def test_a_wrong_entry_names_model_key_and_value(entry: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigError, match="openai/x") as caught:
        parse_price("openai/x", entry)
    assert reason in str(caught.value)


def test_ones_own_prices_go_before_those_in_ones_file_and_these_before_the_shipped_ones(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(FILE.replace("acme", "openai").replace("big:", "gpt-5:"), encoding="utf-8")
    settings = RoutingSettings.model_validate(
        {
            "price_file": str(path),
            "prices": {"vllm/mine": {"gpu_hour": 2.5}, "openai/small": {"input": 7, "tiers": {"flex": {"input": 3}}}},
        }
    )
    table = price_table(settings)
    assert table.cost("openai/gpt-5", Usage(1_000)) == Decimal("0.002")
    assert table.cost("openai/small", Usage(1_000_000)) == 7
    assert table.cost("openai/small", Usage(1_000_000), "flex") == 3
    assert table.cost("openai/small", Usage(1_000_000), "batch") is None
    assert table.cost("vllm/mine", Usage(5), seconds=3600) == Decimal("2.5")
    assert table.find("openai/gpt-4o") == shipped_prices().find("openai/gpt-4o")


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match=r"price file nowhere\.yaml cannot be read"):
        read_price_file("nowhere.yaml")


def test_every_shipped_price_says_where_it_is_from() -> None:
    for model, price in shipped_prices().prices.items():
        for each in (price, *price.tiers.values()):
            assert each.source, model
            assert "2026-11" in each.source
