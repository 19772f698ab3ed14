"""Prices: exact decimals, cache tiers, unknown is None."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.chat import Tier, Usage
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
    assert table.find("openai/gpt-x-0613") is PRICE
    assert table.find("openai/gpt-x-08-2026") is PRICE
    assert table.find("openai/gpt-x-pro") is None


@pytest.mark.parametrize("name", ["gpt-x-13", "gpt-x-10", "gpt-x-1332", "gpt-x-20261340", "gpt-x-2026", "gpt-x-08-06"])
def test_what_ends_in_another_number_is_another_model(name: str) -> None:
    assert PriceTable({"openai/gpt-x": PRICE}).find(f"openai/{name}") is None


def test_a_snapshot_with_a_price_of_its_own_keeps_it() -> None:
    usage = Usage(1_000, 1_000)
    costs = [shipped_prices().cost(f"openai/gpt-3.5-turbo-{date}", usage) for date in ("0125", "1106", "0613")]
    assert costs == [Decimal("0.002"), Decimal("0.003"), Decimal("0.0035")]


def test_what_is_written_has_no_price_where_only_reading_has_one() -> None:
    table = PriceTable({"acme/embed": Price(Decimal(1)), "acme/free": Price(Decimal(0))})
    assert table.cost("acme/embed", Usage(1_000)) == Decimal("0.001")
    assert table.cost("acme/embed", Usage(1_000, 1)) is None
    assert table.bound("acme/embed", 1_000, 1) is None
    assert table.cost("acme/free", Usage(1_000, 1)) == 0


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


def test_time_on_a_machine_of_ones_own_is_priced_by_the_hour() -> None:
    table = PriceTable({"vllm/mine": Price(Decimal(0), gpu_hour=Decimal("2.5")), "st/mine": Price(Decimal(0))})
    assert table.cost("vllm/mine", Usage(10_000, 500), seconds=1.44) == Decimal("0.001")
    assert table.cost("vllm/mine", Usage(1), seconds=1) == Decimal("0.000694444444")
    assert table.cost("st/mine", Usage(1), seconds=100) == 0
    price = table.find("vllm/mine")
    assert price is not None
    assert price.by_time
    assert not PRICE.by_time
    assert not FREE.by_time


def test_requests_and_pictures_are_priced_by_the_thousand() -> None:
    price = Price(Decimal(1), requests=Decimal(5), images=Decimal(3))
    assert price.of(Usage(1000, images=2)) == Decimal("0.001") + Decimal("0.005") + Decimal("0.006")


def test_what_was_thought_may_cost_something_else() -> None:
    price = Price(Decimal(1), Decimal(4), reasoning=Decimal(6))
    assert price.of(Usage(0, 100, reasoning_tokens=60)) == Decimal("0.00052")


def test_a_tier_without_a_price_is_unknown_and_not_standard() -> None:
    table = PriceTable({"a/x": Price(Decimal(2), tiers={"batch": Price(Decimal(1))}), "a/free": FREE})
    assert table.cost("a/x", Usage(1_000_000), "batch") == 1
    assert table.cost("a/x", Usage(1_000_000), "priority") is None
    assert table.bound("a/x", 10, 10, "priority") is None
    assert table.cost("a/free", Usage(1_000_000), "priority") == 0
    assert table.cost("extractive/default", Usage(1), "flex") == 0


def test_writing_for_an_hour_is_unknown_where_only_shorter_ones_have_a_price() -> None:
    short = Price(Decimal(2), cache_write=Decimal("2.5"))
    table = PriceTable({"a/short": short, "a/plain": Price(Decimal(2))})
    hour = Usage(1_000_000, 0, 0, 1_000_000, cache_write_1h_tokens=1_000_000)
    assert table.cost("a/short", hour) is None
    assert table.cost("a/plain", hour) == 2


@given(
    st.sampled_from(["openai/gpt-6.1-sol", "anthropic/claude-haiku-5-5", "anthropic/claude-opus-5", "a/by-time"]),
    st.integers(0, 400_000),
    st.integers(0, 10_000),
    st.data(),
)
def test_no_call_costs_more_than_its_bound(model: str, read: int, written: int, data: st.DataObject) -> None:
    table = shipped_prices().with_prices({"a/by-time": Price(Decimal(0), reasoning=Decimal(9), gpu_hour=Decimal(3))})
    tier: Tier = "batch" if model.startswith("openai") and data.draw(st.booleans()) else "standard"
    tokens = data.draw(st.integers(0, read))
    cached = data.draw(st.integers(0, tokens))
    stored = data.draw(st.integers(0, tokens - cached))
    hour = data.draw(st.integers(0, stored)) if model.startswith("anthropic") else 0
    usage = Usage(
        tokens,
        data.draw(st.integers(0, written)),
        cached,
        stored,
        cache_write_1h_tokens=hour,
        reasoning_tokens=0,
    )
    cost, bound = table.cost(model, usage, tier, seconds=7), table.bound(model, read, written, tier, seconds=7)
    assert cost is not None
    assert bound is not None
    assert cost <= bound


def test_a_bound_needs_to_know_what_is_paid_for() -> None:
    table = PriceTable({"vllm/mine": Price(Decimal(0), gpu_hour=Decimal(36)), "a/rerank": Price(Decimal(0))})
    assert table.bound("vllm/mine", 10, 10) is None
    assert table.bound("vllm/mine", 10, 10, seconds=10) == Decimal("0.1")
    assert table.bound("a/rerank", 10, 0, searches=1) is None
    assert table.bound("a/unknown", 10, 0) is None


@pytest.mark.parametrize("usage", [Usage(2000, 0, 1000), Usage(2000, 0, 0, 1000)])
def test_what_a_tier_or_a_long_prompt_says_nothing_of_is_unknown_where_the_standard_does(usage: Usage) -> None:
    bare = Price(Decimal(1))
    full = Price(Decimal(2), Decimal(0), Decimal("0.2"), Decimal("2.5"), tiers={"batch": bare})
    table = PriceTable({"a/x": full, "a/long": replace(full, long_above=1500, long_context=bare), "a/bare": bare})
    assert table.cost("a/x", usage) is not None
    assert table.cost("a/x", usage, "batch") is None
    assert table.cost("a/long", usage) is None
    assert table.cost("a/bare", usage) == Decimal("0.002")
    assert table.cost("a/x", Usage(2000), "batch") == Decimal("0.002")
