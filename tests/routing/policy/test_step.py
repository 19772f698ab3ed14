"""What works on a question beside the model that answers it."""

from __future__ import annotations

import pytest

from routing.chat import Wants
from routing.errors import UnsupportedError
from routing.policy.step import Step

HOSTED = Step("openai/a", "embedding.model", "it is asked at openai", {"openai/a": 0.5}.get)
INSIDE = Step("embedded/b", "embedding.model")


@pytest.mark.parametrize(
    ("step", "wants", "why_not"),
    [
        (HOSTED, Wants(), None),
        (HOSTED, Wants(latency="batch"), None),
        (HOSTED, Wants(latency="interactive"), None),
        (HOSTED, Wants(latency="realtime"), "openai/a: takes 0.5 s, and 0.1 s is wanted"),
        (HOSTED, Wants(local=True), "openai/a: nothing may leave the machine, and it is asked at openai"),
        (INSIDE, Wants("x", "realtime", True, "task", "de"), None),
    ],
)
def test_it_is_left_out_for_its_place_and_its_speed(step: Step, wants: Wants, why_not: str | None) -> None:
    assert step.why_not(wants) == why_not


def test_what_cannot_be_left_out_is_refused_for_its_place_alone() -> None:
    HOSTED.check(Wants(latency="realtime"), "…")
    INSIDE.check(Wants(local=True), "…")
    with pytest.raises(UnsupportedError, match=r"embedding\.model is 'openai/a': it is asked at openai") as caught:
        HOSTED.check(Wants(local=True), "Take another.")
    assert caught.value.hint == "Take another."
