"""When an answer counts as a refusal."""

from __future__ import annotations

import pytest

from rag.answer.abstain import is_refusal


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I don't have enough information.",
        "**I don't have enough information.**",
        "I do not have enough information to answer the question [Source: returns.md].",
        "I don't have enough information about returns, refunds and gift cards.",
        "I don't have enough information on version 1.2 of returns.md.",
        "I don't have enough information. The provided documents do not mention Iceland.",
    ],
)
def test_refusals(text: str) -> None:
    assert is_refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "I don't have enough information on shipping, but the refund window is 45 days [Source: returns.md].",
        "I don't have enough information on shipping. The refund window is 45 days [Source: returns.md].",
        "I don't have enough information on shipping; refunds take 45 days.",
        "I don't have enough information on shipping, the refund window is 45 days.",
        "I don't have enough information on shipping\n\nRefunds: 45 days",
        "I don't have enough information. The documents do not mention Iceland, but Norway takes 3 days.",
        "I don't have enough information. The documents do not allow returns after 45 days.",
        "45 days.",
    ],
)
def test_answers(text: str) -> None:
    assert not is_refusal(text)
