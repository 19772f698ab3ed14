"""The simplest policy."""

from __future__ import annotations

import pytest

from routing.chat import ChatRequest, Message, Wants
from routing.errors import UnsupportedError
from routing.policy import InOrder, Plan


def test_in_order_names_the_same_models_whatever_is_asked() -> None:
    policy = InOrder(("openai/a", "extractive/default"))
    for question in ("", "Why?", "x" * 10_000):
        assert policy.plan(ChatRequest((Message("user", question),))) == Plan(policy.models, "configured")


def test_in_order_keeps_what_is_local_inside_this_process() -> None:
    local = ChatRequest((Message("user", "Why?"),), wants=Wants(local=True))
    plan = InOrder(("openai/a", "vllm/b", "extractive/default")).plan(local)
    assert plan.models == ("extractive/default",)
    assert set(plan.barred) == {"openai/a", "vllm/b"}
    with pytest.raises(UnsupportedError, match="and openai/a would: it is asked at openai"):
        InOrder(("openai/a", "vllm/b")).plan(local)


def test_in_order_asks_servers_of_this_machine_where_it_is_told_of_them() -> None:
    local = ChatRequest((Message("user", "Why?"),), wants=Wants(local=True))
    places = {"openai/a": "it is asked at openai", "vllm/b": None}
    plan = InOrder(("openai/a", "vllm/b"), places.get).plan(local)
    assert plan.models == ("vllm/b",)
    assert plan.barred == {"openai/a": "nothing may leave the machine, and it is asked at openai"}
