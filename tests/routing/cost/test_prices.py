"""Prices: exact decimals, cache tiers, unknown is None."""

from __future__ import annotations

from decimal import Decimal

import pytest

from plumbline.errors import ConfigError
from routing.chat import Usage
from routing.cost.price_file import parse_price, shipped_prices
from routing.cost.prices import FREE, Price, PriceTable, total_cost

PRICE = Price(Decimal("2.50"), Decimal("10.00"), cached_input=Decimal("1.25"), cache_write=Decimal("3.125"))


def test_every_kind_of_token_has_its_price() -> None:
    usage = Usage(input_tokens=10_000, output_tokens=1_000, cached_input_tokens=6_000, cache_write_tokens=1_000)
    # 3,000 plain x 2.50 + 6,000 cached x 1.25 + 1,000 written x 3.125 + 1,000 out x 10.00, per million
    assert PRICE.of(usage) == Decimal("0.0075") + Decimal("0.0075") + Decimal("0.003125") + Decimal("0.01")


def test_without_cache_prices_the_input_price_counts() -> None:
    assert Price(Decimal(3)).of(Usage(input_tokens=1_000_000, cached_input_tokens=400_000)) == Decimal(3)


def test_a_long_prompt_makes_the_whole_call_dearer() -> None:
    price = Price(Decimal(1), Decimal(4), long_above=1000, long_context=Price(Decimal(2), Decimal(6)))
    assert price.of(Usage(1000, 100)) == Decimal("0.0014")
    assert price.of(Usage(1001, 100)) == Decimal("0.002602")
    assert any(shipped.long_context for shipped in shipped_prices().prices.values())


def test_no_rounding_of_tiny_amounts() -> None:
    assert PRICE.of(Usage(input_tokens=1)) == Decimal("0.0000025")


def test_unknown_models_have_no_price() -> None:
    table = PriceTable({"openai/known": PRICE})
    assert table.cost("openai/other", Usage(5)) is None
    assert table.cost("vllm/mine", Usage(5)) is None


def test_models_of_this_process_are_free() -> None:
    for name in ("extractive/default", "embedded/wordllama", "st/any"):
        assert PriceTable({}).cost(name, Usage(1_000_000)) == 0


def test_dated_names_have_the_price_of_the_undated() -> None:
    table = PriceTable({"openai/gpt-x": PRICE, "openai/gpt-x-mini": FREE})
    assert table.find("openai/gpt-x-2026-08-06") is PRICE
    assert table.find("openai/gpt-x-20260806") is PRICE
    assert table.find("openai/gpt-x-mini") is FREE
    assert table.find("openai/gpt-x-pro") is None


def test_ones_own_price_wins() -> None:
    table = PriceTable({"vllm/mine": PRICE}).with_prices({"vllm/mine": FREE})
    assert table.find("vllm/mine") is FREE


def test_the_shipped_table_can_be_read_and_is_dated() -> None:
    table = shipped_prices()
    assert table.date
    assert all(price.input >= 0 for price in table.prices.values())
    assert any(name.startswith("openai/") for name in table.prices)
    assert any(name.startswith("anthropic/") for name in table.prices)
    assert table.find("openai/text-embedding-3-large") is not None


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"inptu": "1"}, "no key 'inptu'"),
        ({"input": "cheap"}, "'cheap' is not a number"),
        ({"input": "-1"}, "not a price"),
        ({"input": "NaN"}, "not a price"),
        ({"output": "1"}, "'input' is missing"),
        ({"searches": "two"}, "'two' is not a number"),
    ],
)
def test_a_wrong_entry_names_model_key_and_value(entry: dict[str, str], reason: str) -> None:
    with pytest.raises(ConfigError, match="openai/x") as caught:
        parse_price("openai/x", entry)
    assert reason in str(caught.value)


def test_a_sum_with_an_unknown_part_is_unknown() -> None:
    assert total_cost([Decimal(1), Decimal(2)]) == 3
    assert total_cost([Decimal(1), None]) is None
    assert total_cost([]) == 0


def test_searches_are_priced_by_the_thousand() -> None:
    table = PriceTable({"cohere/rerank-x": parse_price("cohere/rerank-x", {"searches": "2"})})
    assert table.cost("cohere/rerank-x", Usage(searches=3)) == Decimal("0.006")
    assert table.cost("cohere/rerank-x-2026-01-01", Usage(5000, searches=1)) == Decimal("0.002")


def test_a_search_without_a_price_is_unknown_and_not_free() -> None:
    table = PriceTable({"acme/rerank": PRICE})
    assert table.cost("acme/rerank", Usage(10)) == Decimal("0.000025")
    assert table.cost("acme/rerank", Usage(10, searches=1)) is None
    assert table.cost("st/rerank", Usage(10, searches=1)) == 0


def test_what_is_free() -> None:
    assert FREE.is_free
    assert not PRICE.is_free
    assert not Price(Decimal(0), searches=Decimal(2)).is_free
    assert not Price(Decimal(0), long_context=PRICE).is_free
