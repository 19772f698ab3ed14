"""What cannot work from the beginning, or stops to in the middle of a call, through the whole path of a call."""

from __future__ import annotations

import time
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from plumbline.errors import InputError
from routing.chat import ChatOptions, ChatRequest, ChatResponse, Interrupted, Message, Tags, TextDelta
from routing.errors import BudgetError, DeadlineError
from routing.resilience.hedge import Hedges
from routing.router import Router
from routing.settings import BudgetSettings, HedgeSettings, LimitSettings, RetrySettings, RoutingSettings
from routing.testing.fakes import ScriptedChatModel
from tests.routing.redis_guard import RedisServer
from tests.routing.test_protection import guarded

REQUEST = ChatRequest((Message("user", "Hello?"),), ChatOptions(max_tokens=10), tags=Tags("answer", "acme"))
ONCE = RetrySettings(attempts=1)
PRICED = "openai/priced"


async def test_a_budget_of_nothing_refuses_what_costs_something_and_says_what_was_asked_for(tmp_path: Path) -> None:
    nothing = RoutingSettings(budgets=[BudgetSettings(name="none", per="tenant", limit=Decimal(0), period="total")])
    meter, protection = guarded(tmp_path / "home.db", nothing)
    model = ScriptedChatModel("Hello.", name=PRICED)
    with pytest.raises(BudgetError) as refused:
        await Router([model], meter=meter, retry=ONCE).complete(REQUEST)
    said = str(refused.value)
    assert said.startswith("The budget 'none' of tenant 'acme' has no room for a call of openai/priced: of $0")
    assert refused.value.hint == "Ask for fewer tokens or a cheaper model, or raise its limit in routing.budgets."
    assert refused.value.refusal is not None
    assert refused.value.refusal.bound > 0
    free = ScriptedChatModel("For nothing.", name="extractive/other")
    assert (await Router([model, free], meter=meter, retry=ONCE).complete(REQUEST)).text == "For nothing."
    assert (model.requests, meter.ledger.totals().cost) == ([], Decimal(0))
    meter.tracing.close()
    await protection.close()


@pytest.mark.parametrize("hedged", [False, True])
async def test_a_deadline_in_the_past_is_said_and_nothing_is_sent(tmp_path: Path, hedged: bool) -> None:
    everything = RoutingSettings(
        budgets=[BudgetSettings(name="all", limit=Decimal(1))], limits=[LimitSettings(requests_per_minute=5)]
    )
    meter, protection = guarded(tmp_path / "home.db", everything)
    models = [ScriptedChatModel("Hello.", name=name) for name in (PRICED, "openai/other")]
    hedges = Hedges(HedgeSettings(after=0.01, share=1.0)) if hedged else None
    router = Router(models, meter=meter, retry=ONCE, hedges=hedges)
    late = replace(REQUEST, deadline=time.monotonic() - 1)
    with pytest.raises(DeadlineError, match=r"^The time allowed was over before openai/other was asked"):
        await router.complete(late)
    with pytest.raises(DeadlineError, match="The time allowed was over before openai/other was asked"):
        assert not [event async for event in router.stream(late) if isinstance(event, TextDelta | Interrupted)]
    assert [model.requests for model in models] == [[], []]
    assert meter.ledger.totals().calls == 0
    (state,) = (await protection.standing()).budgets or (None,)
    assert state is None or state.spent + state.reserved == 0
    meter.tracing.close()
    await protection.close()


class Stopping(ScriptedChatModel):
    """Answers, while the shared server goes away."""

    def __init__(self, server: RedisServer) -> None:
        super().__init__("Hello.", "Hello again.", name=PRICED)
        self.server: RedisServer | None = server

    async def complete(self, request: ChatRequest) -> ChatResponse:
        if self.server is not None:
            self.server.stop()
            self.server = None
        return await super().complete(request)


async def test_when_redis_goes_in_the_middle_of_a_call_its_answer_comes_and_is_in_the_ledger(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    shared = RoutingSettings(
        shared=redis_server.url,
        budgets=[BudgetSettings(name="all", limit=Decimal(1))],
        limits=[LimitSettings(requests_per_minute=5, concurrent=1)],
    )
    meter, protection = guarded(tmp_path / "home.db", shared)
    router = Router([Stopping(redis_server)], meter=meter, retry=ONCE)
    response = await router.complete(REQUEST)
    assert (response.text, response.cost is not None) == ("Hello.", True)
    assert meter.ledger.totals().calls == 1
    with pytest.raises(BudgetError, match="Redis is away"):
        await router.complete(REQUEST)
    assert meter.ledger.totals().calls == 1, "what is refused is not made, and holds no slot"
    free = ScriptedChatModel("For nothing.", name="extractive/other")
    assert (await Router([free], meter=meter, retry=ONCE).complete(REQUEST)).text == "For nothing."
    meter.tracing.close()
    await protection.close()


@pytest.mark.parametrize("name", ["purpose", "tenant", "release", "session", "key"])
def test_a_name_that_no_row_can_be_written_with_is_refused_before_anything_is_paid(name: str) -> None:
    with pytest.raises(InputError, match=r"'caf\\udce9' is not a name: the character at 4 is half of one"):
        Tags(**{name: "caf\udce9"})
    assert getattr(Tags(**{name: "café 🙂"}), name) == "café 🙂"
