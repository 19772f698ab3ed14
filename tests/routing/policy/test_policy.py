"""The simplest policy."""

from __future__ import annotations

from routing.chat import ChatRequest, Message
from routing.policy import InOrder, Plan


def test_in_order_names_the_same_models_whatever_is_asked() -> None:
    policy = InOrder(("openai/a", "extractive/default"))
    for question in ("", "Why?", "x" * 10_000):
        assert policy.plan(ChatRequest((Message("user", question),))) == Plan(policy.models, "configured")
