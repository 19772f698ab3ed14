import asyncio

from rag.index.filters import And, Eq
from rag.retrieve.plan import Asked, PlainPlanner, QueryPlan, both

OURS, DRAWN, OWN = Eq("tenant", "a"), Eq("source_document", "b.pdf"), Eq("language", "en")


def test_both_holds_where_each_holds() -> None:
    assert both(None, None) is None
    assert both(OURS, None) == both(None, OURS) == OURS
    assert both(OURS, DRAWN) == And((OURS, DRAWN))


def test_what_the_caller_asks_for_always_holds_and_what_was_drawn_is_given_up() -> None:
    plan = QueryPlan("q", (Asked("q"), Asked("q", condition=OWN)), OURS, DRAWN, ("Searched only b.pdf.",))
    assert plan.filter(plan.searches[0]) == And((OURS, DRAWN))
    assert plan.filter(plan.searches[1]) == And((And((OURS, OWN)), DRAWN))
    assert plan.widened() == QueryPlan("q", (Asked("q"),), OURS, None, ("Searched only b.pdf.",))
    assert plan.widened().filter(plan.searches[0]) == OURS


def test_the_plain_planner_searches_for_the_question() -> None:
    plan = asyncio.run(PlainPlanner().plan("When?", condition=OURS))
    assert plan == QueryPlan("When?", (Asked("When?"),), OURS)
