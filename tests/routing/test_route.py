"""Who is asked next, and how long each has."""

from __future__ import annotations

import time

import pytest

from routing.resilience.fallback import Reason
from routing.route import Route


def route(*models: str, **chains: list[str]) -> Route:
    first, *rest = models
    by_reason: dict[Reason, list[str]] = {"too_slow": chains["too_slow"]} if chains else {}
    return Route(first, rest, by_reason)


@pytest.mark.parametrize(
    ("way", "seconds"),
    [
        (route("openai/a"), None),
        (route("openai/a", "extractive/default"), None),
        (route("openai/a", "openai/b"), 30),
        (route("openai/a", "openai/b", "anthropic/c", "extractive/default"), 20),
        (route("openai/a", "openai/b", "anthropic/c", too_slow=["vllm/d"]), 30),
        (route("openai/a", "openai/b", too_slow=["extractive/default"]), None),
        (route("extractive/default", "openai/b"), None),
    ],
)
def test_each_that_is_asked_because_one_is_too_slow_has_the_same_time(way: Route, seconds: float | None) -> None:
    now = time.monotonic()
    share = way.first_word_by(now + 60)
    assert share == (None if seconds is None else pytest.approx(now + seconds, abs=1))
    assert way.first_word_by(None) is None


def test_who_comes_next_shares_what_is_left() -> None:
    way = route("openai/a", "openai/b", "openai/c")
    assert way.goes_on("too_slow")
    assert way.current == "openai/b"
    now = time.monotonic()
    assert way.first_word_by(now + 40) == pytest.approx(now + 20, abs=1)
    assert way.goes_on("down")
    assert way.first_word_by(now + 20) is None
    assert not way.goes_on("down")


def test_no_model_is_asked_twice() -> None:
    way = route("openai/a", "openai/b", too_slow=["openai/b", "openai/a"])
    assert way.goes_on("too_slow")
    assert way.current == "openai/b"
    assert not way.goes_on("too_slow")
    assert not route("openai/a", "openai/b").goes_on(None)
