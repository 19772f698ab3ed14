"""Comparing prices: the shipped ones with genai-prices, and what is found when one is not the same."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from plumbline.errors import InputError
from routing.cost.check import Difference, compare
from routing.cost.check_sources import litellm_prices, read_source
from routing.cost.price_file import parse_price, shipped_prices
from routing.cost.prices import PriceTable

# The form of litellm's table, with the numbers of its rows for these models (November 2026).
LITELLM: dict[str, Any] = {
    "sample_spec": {"input_cost_per_token": "the cost"},
    "gpt-5.4": {
        "litellm_provider": "openai",
        "input_cost_per_token": 2.5e-06,
        "output_cost_per_token": 1.5e-05,
        "cache_read_input_token_cost": 2.5e-07,
        "input_cost_per_token_above_272k_tokens": 5e-06,
        "output_cost_per_token_above_272k_tokens": 2.25e-05,
        "cache_read_input_token_cost_above_272k_tokens": 5e-07,
        "input_cost_per_token_batches": 1.25e-06,
        "output_cost_per_token_batches": 7.5e-06,
        "input_cost_per_token_flex": 1.25e-06,
        "cache_read_input_token_cost_priority": 5e-07,
        "input_cost_per_token_priority": 5e-06,
        "supports_vision": True,
    },
    "claude-opus-4-5-20251101": {
        "input_cost_per_token": 5e-06,
        "output_cost_per_token": 2.5e-05,
        "cache_creation_input_token_cost": 6.25e-06,
        "cache_creation_input_token_cost_above_1hr": 1e-05,
        "cache_read_input_token_cost": 5e-07,
    },
    "cohere/embed-v5.0-pro": {"input_cost_per_token": 1.2e-07},
    "rerank-v3.5": {"input_cost_per_query": 0.002, "input_cost_per_token": 0.0},
}  # fmt: skip


def test_the_shipped_prices_are_those_of_genai_prices() -> None:
    ours = shipped_prices()
    source, theirs = read_source("genai-prices", ours.prices)
    result = compare(ours, theirs, source)
    assert not result.differences
    assert result.models >= 60
    assert result.rates >= 700
    assert {model.partition("/")[0] for model in result.missing} == {"cohere"}


def test_a_price_that_is_not_the_same_is_listed_with_its_ratio() -> None:
    entry = {
        "input": "2",
        "output": "10",
        "long_context": {"above": 1000, "input": "4"},
        "tiers": {"flex": {"input": 1}},
    }
    theirs = PriceTable({"a/x": parse_price("a/x", entry), "a/more": parse_price("a/more", {"input": 1})})
    entry = {"input": "3", "output": "10", "long_context": {"above": 2000, "input": "4"}}
    ours = PriceTable({"a/x": parse_price("a/x", entry), "b/own": parse_price("b/own", {"input": 1})})
    result = compare(ours, theirs, "theirs")
    assert result.differences == (
        Difference("a/x", "standard", None, "input", Decimal(3), Decimal(2)),
        Difference("a/x", "standard", None, "above", Decimal(2000), Decimal(1000)),
        Difference("a/x", "flex", None, "input", None, Decimal(1)),
    )
    assert [each.ratio for each in result.differences] == [Decimal("1.5"), Decimal(2), None]
    assert (result.models, result.rates, result.missing) == (1, 5, ("b/own",))


def test_a_table_of_litellm_is_read_to_the_last_digit(tmp_path: Path) -> None:
    path = tmp_path / "model_prices.json"
    path.write_text(json.dumps(LITELLM), encoding="utf-8")
    ours = shipped_prices()
    source, theirs = read_source(str(path), ours.prices)
    assert set(theirs.prices) == {
        "openai/gpt-5.4",
        "anthropic/claude-opus-4-5",
        "cohere/embed-v5.0-pro",
        "cohere/rerank-v3.5",
    }
    result = compare(ours, theirs, source)
    assert not result.differences
    assert result.rates == 12 + 5 + 1 + 1  # as many as rows above, and the length from which on they change
    LITELLM["gpt-5.4"]["input_cost_per_token_batches"] = 1.3e-06
    found = compare(ours, litellm_prices(LITELLM, ours.prices, "x"), "x").differences
    del LITELLM["gpt-5.4"]["input_cost_per_token_batches"]
    assert found == (Difference("openai/gpt-5.4", "batch", None, "input", Decimal("1.25"), Decimal("1.3")),)


def test_a_file_of_our_own_form_can_be_compared_with(tmp_path: Path) -> None:
    path = tmp_path / "new.yaml"
    path.write_text("tables: [{provider: openai, models: {gpt-4o: {input: 2, output: 10}}}]", encoding="utf-8")
    _, theirs = read_source(str(path), [])
    (found,) = compare(shipped_prices(), theirs, "new").differences
    assert (found.model, found.key, found.ratio) == ("openai/gpt-4o", "input", Decimal("1.25"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "cannot be read: No such file"),
        ("{", "is not JSON"),
        ("[]", "is not a table of litellm's"),
        ('{"gpt-4o": {"input_cost_per_token": "dear"}}', "openai/gpt-4o: input_cost_per_token: 'dear' is not a number"),
    ],
)
def test_a_source_that_cannot_be_read_is_named(tmp_path: Path, text: str | None, says: str) -> None:
    path = tmp_path / "prices.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=says):
        read_source(str(path), ["openai/gpt-4o"])
