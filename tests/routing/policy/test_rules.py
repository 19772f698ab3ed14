"""The rules policy: which rule decides, who may answer, and that nothing local ever leaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from routing.chat import ChatOptions, ChatRequest, Image, Message, Tags, Tool, Wants
from routing.errors import ContextLengthError, UnknownModelError, UnsupportedError
from routing.models.facts import ModelFacts
from routing.policy.fitting import Candidate
from routing.policy.rules import RulesPolicy
from routing.settings import RuleSettings

BIG = Candidate("openai/big", "it is asked at openai", ModelFacts(context=200_000, images=True, tools=True))
SMALL = Candidate("openai/small", "it is asked at openai", ModelFacts(context=100, images=False, tools=False))
OWN = Candidate("vllm/own")
QUOTES = Candidate("extractive/default")
ALL = (BIG, SMALL, OWN, QUOTES)


def asked(text: str = "How long is the refund window?", **wants: object) -> ChatRequest:
    return ChatRequest((Message("user", text),), question=text, wants=Wants(**wants))  # type: ignore[arg-type]  # by name


def policy(*rules: RuleSettings, p50: Callable[[str], float | None] = lambda name: None) -> RulesPolicy:
    return RulesPolicy(
        rules,
        ALL,
        default="openai/big",
        fallback="extractive/default",
        by_reason={"too_long": ["vllm/own"], "down": ["openai/small", "vllm/own"]},
        p50=p50,
    )


def rule(name: str, use: str | list[str] = "vllm/own", **conditions: Any) -> RuleSettings:
    return RuleSettings.model_validate({"name": name, "use": [use] if isinstance(use, str) else use, **conditions})


def test_without_a_rule_the_configured_model_and_its_fallback_answer() -> None:
    plan = policy().plan(asked())
    assert (plan.models, plan.reason, plan.rule) == (("openai/big", "extractive/default"), "configured", None)


@pytest.mark.parametrize(
    ("conditions", "fitting", "other"),
    [
        ({"task": "sum*"}, asked(task="summary"), asked()),
        ({"purpose": "judge"}, replace(asked(), tags=Tags("judge")), asked()),
        ({"tenant": "*"}, replace(asked(), tags=Tags(tenant="acme")), asked()),
        ({"language": "de"}, asked("Wie lange kann ich das zurückgeben und wer zahlt?"), asked()),
        ({"language": "fr"}, asked(language="fr-CA"), asked(language="de")),
        ({"latency": "batch"}, asked(latency="batch"), asked()),
        ({"local": True}, asked(local=True), asked()),
        ({"local": False}, asked(), asked(local=True)),
        ({"longer_than": 100}, asked("word " * 400), asked("word " * 10)),
        ({"shorter_than": 100}, asked("word " * 10), asked("word " * 400)),
        ({"images": True}, ChatRequest((Message("user", "?", images=(Image(b"x"),)),)), asked()),
        ({"task": "a", "tenant": "b"}, replace(asked(task="a"), tags=Tags(tenant="b")), asked(task="a")),
    ],
)
def test_a_rule_fits_what_satisfies_all_it_says(
    conditions: dict[str, Any], fitting: ChatRequest, other: ChatRequest
) -> None:
    decided = policy(rule("mine", **conditions))
    plan = decided.plan(fitting)
    assert (plan.models[0], plan.rule, plan.reason) == ("vllm/own", "mine", "rule 'mine'")
    assert decided.plan(other).rule is None


def test_the_first_rule_that_fits_decides() -> None:
    decided = policy(rule("first", "openai/small", task="x"), rule("second", "vllm/own"))
    assert decided.plan(asked(task="x")).models[0] == "openai/small"
    assert decided.plan(asked(task="y")).models[0] == "vllm/own"


def test_the_language_is_not_looked_for_unless_a_rule_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    monkeypatch.setattr("routing.policy.fitting.detect_language", looked.append)
    policy(rule("other", task="x", language="de")).plan(asked())
    assert looked == []
    policy(rule("other", language="de")).plan(asked())
    assert looked == ["How long is the refund window?"]


def test_what_is_local_stays_in_the_plan_and_in_every_fallback() -> None:
    decided = policy(rule("leaves", ["openai/big", "openai/small", "vllm/own"]))
    plan = decided.plan(asked(local=True))
    assert plan.models == ("vllm/own", "extractive/default")
    assert set(plan.barred) == {"openai/big", "openai/small"}
    assert plan.barred["openai/big"] == "nothing may leave the machine, and it is asked at openai"
    assert decided.chains(plan) == dict.fromkeys(("too_long", "down"), ("extractive/default",))


def test_what_is_local_has_no_answer_where_nobody_may_give_one() -> None:
    alone = RulesPolicy((), (BIG, SMALL), default="openai/big", fallback="openai/small")
    with pytest.raises(UnsupportedError, match=r"openai/big: nothing may leave .*; openai/small: nothing may leave"):
        alone.plan(asked(local=True))
    with pytest.raises(UnsupportedError, match="openai/big: nothing may leave"):
        policy().plan(asked(local=True, model="openai/big"))


def test_the_model_asked_for_answers_whatever_the_rules_say() -> None:
    plan = policy(rule("all", "vllm/own")).plan(asked(model="openai/small"))
    assert (plan.models, plan.reason) == (("openai/small", "extractive/default"), "asked for by name")
    with pytest.raises(UnknownModelError, match=r"'openai/smal' is not among .* Did you mean 'openai/small'"):
        policy().plan(asked(model="openai/smal"))


def test_models_that_cannot_are_left_out_with_the_reason() -> None:
    first_small = policy(rule("small", ["openai/small", "openai/big"]))
    picture = ChatRequest((Message("user", "?", images=(Image(b"x"),)),))
    plan = first_small.plan(picture)
    assert plan.models[0] == "openai/big"
    assert plan.barred == {"openai/small": "reads no images"}
    tools = replace(asked(), tools=(Tool("t", "a tool", {}),))
    assert first_small.plan(tools).barred == {"openai/small": "calls no tools"}
    with pytest.raises(UnsupportedError, match="openai/small: reads no images"):
        first_small.plan(replace(picture, wants=Wants(model="openai/small")))


def test_a_schema_and_log_probabilities_are_abilities_too() -> None:
    plain = Candidate("openai/plain", "x", ModelFacts(schema=False, logprobs=False))
    decided = RulesPolicy((), (plain, QUOTES), default="openai/plain", fallback="extractive/default")
    assert decided.plan(replace(asked(), response_schema={"type": "object"})).models == ("extractive/default",)
    assert decided.plan(replace(asked(), options=ChatOptions(logprobs=1))).models == ("extractive/default",)


def test_a_prompt_that_is_too_long_for_certain_goes_the_way_of_long_ones() -> None:
    long = asked("word " * 400)
    plan = policy(rule("small", "openai/small")).plan(long)
    assert (plan.models, plan.reason) == (("vllm/own", "extractive/default"), "rule 'small', too long")
    assert plan.barred["openai/small"].startswith("reads 100 tokens, and the prompt has about 500")
    assert policy(rule("small", "openai/small")).plan(asked("word " * 100)).models[0] == "openai/small"
    alone = RulesPolicy((), (SMALL,), default="openai/small")
    with pytest.raises(ContextLengthError, match="too long for every model"):
        alone.plan(long)


def test_a_wish_for_speed_leaves_slow_models_out_unless_there_is_no_other() -> None:
    seen = {"openai/big": 2.0, "vllm/own": 0.05, "openai/small": 0.6}
    decided = policy(rule("quick", ["openai/big", "openai/small", "vllm/own"]), p50=seen.get)
    assert decided.plan(asked(latency="interactive")).models == ("openai/small", "vllm/own", "extractive/default")
    assert decided.plan(asked(latency="realtime")).models == ("vllm/own", "extractive/default")
    assert decided.plan(asked(latency="batch")).models[0] == "openai/big"
    alone = RulesPolicy((), (BIG,), default="openai/big", p50=seen.get)
    assert alone.plan(asked(latency="interactive")).models == ("openai/big",)
    assert policy().plan(asked(latency="realtime")).models == ("extractive/default",)


def test_an_explained_plan_has_every_model_and_its_price() -> None:
    costs = {"openai/big": Decimal("0.01"), "extractive/default": Decimal(0)}
    plan = policy().explained(asked(local=True), lambda model: (costs.get(model), None))
    assert plan.models == ("extractive/default",)
    assert [(each.model, each.eligible, each.most) for each in plan.considered] == [
        ("openai/big", False, Decimal("0.01")),
        ("openai/small", False, None),
        ("vllm/own", True, None),
        ("extractive/default", True, Decimal(0)),
    ]
    assert policy().plan(asked()).considered == ()
