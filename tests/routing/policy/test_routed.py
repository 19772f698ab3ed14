"""The policy inside the router: whatever goes wrong, nobody is asked twice, and what is local stays."""

from __future__ import annotations

import pytest

from routing.chat import ChatRequest, Message, Wants
from routing.errors import ConnectionFailedError, ModelError, OverloadedError
from routing.meter import Meter
from routing.policy.fitting import Candidate
from routing.policy.rules import RulesPolicy
from routing.router import Router
from routing.settings import RetrySettings, RuleSettings
from routing.testing.scripted import ScriptedChatModel

DOWN = ConnectionFailedError("gone", model="x")


def router(meter: Meter, *models: ScriptedChatModel, by_reason: list[str]) -> Router:
    candidates = [Candidate(model.name, None if "local" in model.name else "it is asked outside") for model in models]
    policy = RulesPolicy(
        [RuleSettings(name="all", use=[models[0].name])],
        candidates,
        default=models[0].name,
        fallback=models[-1].name,
        by_reason={"down": by_reason},
    )
    retry = RetrySettings(attempts=1)
    return Router(models, meter=meter, retry=retry, policy=policy, by_reason={"down": by_reason})


def request(*, local: bool = False) -> ChatRequest:
    return ChatRequest((Message("user", "Why?"),), wants=Wants(local=local))


async def test_nobody_is_asked_twice_when_all_of_a_chain_are_down(meter: Meter) -> None:
    models = [ScriptedChatModel(DOWN, name=f"scripted/{name}") for name in "abc"]
    routed = router(meter, *models, by_reason=["scripted/b", "scripted/a"])
    with pytest.raises(ConnectionFailedError):
        await routed.complete(request())
    assert [len(model.requests) for model in models] == [1, 1, 0], "the chain stands in place of the fallback"


async def test_what_is_local_never_leaves_also_when_all_that_is_local_is_down(meter: Meter) -> None:
    outside = ScriptedChatModel("secret", name="scripted/outside")
    local = ScriptedChatModel(OverloadedError("busy", model="x"), name="scripted/local")
    last = ScriptedChatModel(DOWN, name="scripted/local-last")
    routed = router(meter, local, outside, last, by_reason=["scripted/outside"])
    with pytest.raises(ModelError):
        await routed.complete(request(local=True))
    assert [len(model.requests) for model in (local, outside, last)] == [1, 0, 1]
    assert (await routed.complete(request())).text == "secret"


async def test_what_is_local_goes_past_the_models_of_its_rule_that_are_outside(meter: Meter) -> None:
    outside = ScriptedChatModel("secret", name="scripted/outside")
    last = ScriptedChatModel("here", name="scripted/local-last")
    routed = router(meter, outside, last, by_reason=["scripted/outside"])
    assert (await routed.complete(request(local=True))).text == "here"
    assert outside.requests == []
