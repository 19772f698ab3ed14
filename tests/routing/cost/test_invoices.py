"""Invoices computed by hand from what providers and users published, exact to the last digit.

Each case gives its source and its arithmetic in micro-dollars: tokens times dollars per million.
"""

from __future__ import annotations

from decimal import Decimal

import pytest

from routing.chat import Tier, Usage
from routing.cost.price_file import shipped_prices
from routing.cost.prices import Price, PriceTable

# Claude 3.7 Sonnet, Claude 3.5 Haiku and Claude Opus 5 as platform.claude.com/docs/en/about-claude/pricing has them.
SONNET_37 = Price(Decimal(3), Decimal(15), Decimal("0.3"), Decimal("3.75"), cache_write_1h=Decimal(6))
HAIKU_35 = Price(Decimal("0.8"), Decimal(4), Decimal("0.08"), Decimal(1), cache_write_1h=Decimal("1.6"))
# gpt-5.6-sol as developers.openai.com/api/docs/pricing had it in July 2026.
SOL_IN_JULY = Price(Decimal(5), Decimal(30), Decimal("0.5"), Decimal("6.25"))
FIREWORKS = Price(Decimal("1.4"), Decimal("4.4"), Decimal("0.26"))
OLD = PriceTable(
    {"anthropic/sonnet": SONNET_37, "anthropic/haiku": HAIKU_35, "openai/sol": SOL_IN_JULY, "f/x": FIREWORKS}
)


@pytest.mark.parametrize(
    ("model", "usage", "dollars"),
    [
        # github.com/BerriAI/litellm/issues/9812: Anthropic's console billed $0.05439, LiteLLM counted $0.091311, the
        # 12,304 written tokens twice. 3 x 3 + 12,304 x 3.75 + 550 x 15 = 9 + 46,140 + 8,250 = 54,399.
        pytest.param("anthropic/sonnet", Usage(12_307, 550, 0, 12_304), "0.054399", id="litellm-9812"),
        # github.com/BerriAI/litellm/issues/11789: "the true cost should be $0.000292"; LiteLLM counted $0.002059, what
        # was read from the cache as if it were not. 4 x 0.8 + 2,455 x 0.08 + 23 x 4 = 3.2 + 196.4 + 92 = 291.6.
        pytest.param("anthropic/haiku", Usage(2_459, 23, 2_455), "0.0002916", id="litellm-11789"),
        # github.com/BerriAI/litellm/issues/35127: "the expected input cost is $0.166250".
        # 14,000 x 5 + 155,000 x 0.5 + 3,000 x 6.25 = 70,000 + 77,500 + 18,750 = 166,250.
        pytest.param("openai/sol", Usage(172_000, 0, 155_000, 3_000), "0.16625", id="litellm-35127"),
        # github.com/BerriAI/litellm/issues/31714: "Expected total cost is 0.00860376".
        # 1 x 1.4 + 27,146 x 0.26 + 351 x 4.4 = 1.4 + 7,057.96 + 1,544.4 = 8,603.76.
        pytest.param("f/x", Usage(27_147, 351, 27_146), "0.00860376", id="litellm-31714"),
    ],
)
def test_what_others_counted_wrong(model: str, usage: Usage, dollars: str) -> None:
    assert OLD.cost(model, usage) == Decimal(dollars)


@pytest.mark.parametrize(
    ("model", "usage", "tier", "dollars"),
    [
        # OpenAI, developers.openai.com/api/docs/pricing and /guides/prompt-caching: cached tokens are part of the
        # prompt. github.com/BerriAI/litellm/issues/15945 has this usage of gpt-5 with "cost_usd": 0.0379055.
        # 4,262 x 1.25 + 4,864 x 0.125 + 3,197 x 10 = 5,327.5 + 608 + 31,970 = 37,905.5.
        pytest.param("openai/gpt-5", Usage(9_126, 3_197, 4_864), "standard", "0.0379055", id="gpt-5-cached"),
        # The usage that github.com/BerriAI/litellm/issues/6215 has from the guide: 2,006 prompt tokens, 1,920 of them
        # cached, 300 completion tokens; at gpt-4o's prices.
        # 86 x 2.5 + 1,920 x 1.25 + 300 x 10 = 215 + 2,400 + 3,000 = 5,615.
        pytest.param("openai/gpt-4o", Usage(2_006, 300, 1_920), "standard", "0.005615", id="openai-guide"),
        # Reasoning is output: 1,000 tokens of which 800 were thought. 100 x 1.1 + 1,000 x 4.4 = 4,510.
        pytest.param("openai/o4-mini", Usage(100, 1_000, reasoning_tokens=800), "standard", "0.00451", id="reasoning"),
        # genai-prices 0.2.3 on developers.openai.com: "Prompts with more than 272K input tokens cost 2x for input and
        # cache tokens and 1.5x for output", the whole call.
        # 272,000 x 2 + 1,000 x 10 = 554,000; one token more: 272,001 x 4 + 1,000 x 15 = 1,103,004.
        pytest.param("openai/gpt-6.1-sol", Usage(272_000, 1_000), "standard", "0.554", id="at-272k"),
        pytest.param("openai/gpt-6.1-sol", Usage(272_001, 1_000), "standard", "1.103004", id="above-272k"),
        # With cache: 100,000 x 4 + 200,000 x 0.2 + 1,000 x 5 + 2,000 x 15 = 400,000 + 40,000 + 5,000 + 30,000.
        pytest.param(
            "openai/gpt-6.1-sol", Usage(301_000, 2_000, 200_000, 1_000), "standard", "0.475", id="long-cached"
        ),
        # Batch and flex are half of standard, priority twice: 10,000 x 2 + 5,000 x 0.1 + 1,000 x 10 = 30,500.
        pytest.param("openai/gpt-6.1-sol", Usage(15_000, 1_000, 5_000), "standard", "0.0305", id="standard"),
        pytest.param("openai/gpt-6.1-sol", Usage(15_000, 1_000, 5_000), "batch", "0.01525", id="batch"),
        pytest.param("openai/gpt-6.1-sol", Usage(15_000, 1_000, 5_000), "flex", "0.01525", id="flex"),
        pytest.param("openai/gpt-6.1-sol", Usage(15_000, 1_000, 5_000), "priority", "0.061", id="priority"),
        # They are not always: gpt-4o-mini's priority is $0.25, $0.125, $1. 1,000 x 0.25 + 1,000 x 0.125 + 1,000 x 1.
        pytest.param(
            "openai/gpt-4o-mini", Usage(2_000, 1_000, 1_000), "priority", "0.001375", id="priority-of-4o-mini"
        ),
        # Long and in a batch: 300,000 x 2 + 1,000 x 7.5 = 607,500.
        pytest.param("openai/gpt-6.1-sol", Usage(300_000, 1_000), "batch", "0.6075", id="long-batch"),
        # What the provider does not publish is unknown: priority for long prompts of gpt-5.4, cached in o3's batches,
        # priority of gpt-5-nano.
        pytest.param("openai/gpt-5.4", Usage(300_000, 1_000), "priority", None, id="long-priority"),
        pytest.param("openai/o3", Usage(1_000, 10, 500), "batch", None, id="cached-batch-of-o3"),
        pytest.param("openai/o3", Usage(1_000, 10), "batch", "0.00104", id="batch-of-o3"),
        pytest.param("openai/gpt-5-nano", Usage(1_000, 10), "priority", None, id="no-priority"),
        # Embeddings: 1,000,000 tokens of text-embedding-3-small are $0.02.
        pytest.param("openai/text-embedding-3-small", Usage(1_000_000), "standard", "0.02", id="embedding"),
        # Anthropic, platform.claude.com/docs/en/build-with-claude/prompt-caching: 5-minute writes 1.25 times the input,
        # 1-hour writes 2 times, reads 0.1 times. Both times in one usage: 2,048 input, 1,800 read, 248 written (148 for
        # an hour, 100 for five minutes), 503 output; of Claude Opus 4.5 at $5 and $25.
        # 2,048 x 5 + 1,800 x 0.5 + 148 x 10 + 100 x 6.25 + 503 x 25 = 10,240 + 900 + 1,480 + 625 + 12,575 = 25,820.
        pytest.param(
            "anthropic/claude-opus-4-5",
            Usage(2_048 + 1_800 + 248, 503, 1_800, 248, cache_write_1h_tokens=148),
            "standard",
            "0.02582",
            id="anthropic-both-times",
        ),
        # The same page: the multipliers multiply with the batch discount. Half of that.
        pytest.param(
            "anthropic/claude-opus-4-5",
            Usage(2_048 + 1_800 + 248, 503, 1_800, 248, cache_write_1h_tokens=148),
            "batch",
            "0.01291",
            id="anthropic-batch",
        ),
        # A whole prompt above 100,000 tokens of Claude Haiku 5.5 at five times the price, cache included.
        # 1,000 x 0.5 + 99,001 x 0.05 + 0 = 500 + 4,950.05, and 200 x 2.5 = 500.
        pytest.param(
            "anthropic/claude-haiku-5-5", Usage(100_001, 200, 99_001), "standard", "0.00595005", id="haiku-long"
        ),
        # Sonnet 5.5 reads its cache at 0.05 of the input. 1,000 x 2 + 9,000 x 0.1 + 100 x 10 = 3,900.
        pytest.param("anthropic/claude-sonnet-5-5", Usage(10_000, 100, 9_000), "standard", "0.0039", id="sonnet-5-5"),
        # Anthropic's priority tier is a contract.
        pytest.param("anthropic/claude-opus-5", Usage(10, 10), "priority", None, id="anthropic-priority"),
        # Cohere, cohere.com/pricing: "A single search unit is defined as one query with up to 100 documents": 250
        # documents are 3 searches at $2 a thousand.
        pytest.param("cohere/rerank-v3.5", Usage(searches=3), "standard", "0.006", id="rerank"),
        # Billed units are the tokens that count: 1,201 x 0.15 + 77 x 0.6 = 180.15 + 46.2.
        pytest.param("cohere/command-r-08-2024", Usage(1_201, 77), "standard", "0.00022635", id="command-r"),
        pytest.param("cohere/command-a-reasoning-08-2025", Usage(1, 1), "standard", None, id="no-price"),
    ],
)
def test_what_the_price_pages_say(model: str, usage: Usage, tier: Tier, dollars: str | None) -> None:
    assert shipped_prices().cost(model, usage, tier) == (None if dollars is None else Decimal(dollars))


def test_an_invoice_is_the_exact_sum_of_its_calls() -> None:
    """10,000 calls of an odd number of tokens, added in any order: no cent is lost between the rows and the bill."""
    usage = Usage(1_333, 7, 1_001)  # 332 x 0.15 + 1,001 x 0.075 + 7 x 0.6 = 49.8 + 75.075 + 4.2 = 129.075
    one = shipped_prices().cost("openai/gpt-4o-mini", usage)
    assert one == Decimal("0.000129075")
    assert sum([one] * 10_000, Decimal(0)) == Decimal("1.29075")
