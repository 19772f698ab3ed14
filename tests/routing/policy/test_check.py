"""Rules and chains that cannot be meant are found before anything runs."""

from __future__ import annotations

import pytest

from plumbline.errors import ConfigError
from routing.models.catalog import DEFAULT_CATALOG
from routing.policy.build import build_routes, leaves
from routing.policy.check import check_chains, check_rules
from routing.settings import RoutingSettings, RuleSettings

LOCAL = "vllm/qwen@http://localhost:8000"


def check(*rules: dict[str, object]) -> None:
    read = [RuleSettings.model_validate({"use": [LOCAL], **rule}) for rule in rules]
    check_rules(read, DEFAULT_CATALOG.check_chat_model, leaves)


def test_rules_that_can_be_meant_pass() -> None:
    check(
        {"name": "a", "task": "sum*", "tenant": "x"},
        {"name": "b", "task": "sum*"},
        {"name": "c", "longer_than": 500},
        {"name": "d", "longer_than": 100, "shorter_than": 102},
        {"name": "e", "tenant": "*"},
        {"name": "f", "local": True},
        {"name": "g"},
    )


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ([{"name": "a", "use": ["opnai/gpt-5"]}], r"rule 'a': use: There is no provider 'opnai'.*Did you mean 'openai"),
        ([{"name": "a", "use": [LOCAL, LOCAL]}], r"rule 'a': use: 'vllm/qwen@.*' is named twice"),
        ([{"name": "a"}, {"name": "b", "task": "x"}], r"rule 'b': it can never decide: the rule 'a' before it"),
        ([{"name": "a", "task": "s*"}, {"name": "b", "task": "sum"}], r"rule 'b': it can never decide"),
        ([{"name": "a", "tenant": "*"}, {"name": "b", "tenant": "x*"}], r"rule 'b': it can never decide"),
        ([{"name": "a", "longer_than": 5}, {"name": "b", "longer_than": 9}], r"rule 'b': it can never decide"),
        ([{"name": "a", "shorter_than": 9}, {"name": "b", "shorter_than": 5}], r"rule 'b': it can never decide"),
        ([{"name": "a", "local": True}, {"name": "b", "local": True, "images": True}], r"rule 'b': it can never"),
        ([{"name": "a", "longer_than": 100, "shorter_than": 101}], r"no prompt has more than 100 .* at least 102"),
        ([{"name": "a", "task": "x"}, {"name": "a", "task": "y"}], r"two rules 'a'"),
        ([{"name": "a", "local": True, "use": ["openai/gpt-5"]}], r"'openai/gpt-5' can never answer what may not"),
    ],
)
def test_others_do_not(rules: list[dict[str, object]], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        check(*rules)


@pytest.mark.parametrize(
    ("chain", "says"),
    [
        (["extractive/default", "extractive/default"], "down: 'extractive/default' is named twice"),
        (["extractive/defalt"], "down: There is no model 'extractive/defalt'"),
        ([], "down: nobody is named"),
    ],
)
def test_chains_are_looked_at_too(chain: list[str], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        check_chains({"down": chain}, DEFAULT_CATALOG.check_chat_model)


def test_two_servers_with_a_model_of_one_name_are_told_apart_or_refused() -> None:
    settings = RoutingSettings.model_validate(
        {"rules": [{"name": "a", "use": ["vllm/qwen@http://localhost:1"]}], "fallback": "vllm/qwen@https://example.com"}
    )
    says = (
        r"routing\.rules \(a\) names 'vllm/qwen@http://localhost:1' and "
        r"routing\.fallback 'vllm/qwen@https://example\.com', which are both called 'vllm/qwen'"
    )
    with pytest.raises(ConfigError, match=says) as caught:
        build_routes(settings, "extractive/default")
    assert caught.value.key == "routing.fallback"


def test_routes_hold_every_model_as_it_was_written() -> None:
    settings = RoutingSettings.model_validate(
        {
            "rules": [{"name": "a", "use": [LOCAL]}],
            "fallbacks": {"too_long": ["openai/gpt-4.1"]},
            "fallback": "none",
        }
    )
    routes = build_routes(settings, "openai/gpt-5-mini")
    assert routes.configured == {
        "openai/gpt-5-mini": "openai/gpt-5-mini",
        "vllm/qwen": LOCAL,
        "openai/gpt-4.1": "openai/gpt-4.1",
    }
    assert routes.by_reason == {"too_long": ("openai/gpt-4.1",)}
