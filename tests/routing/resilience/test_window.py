"""The sliding minute."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from routing.resilience.window import Window


def test_room_returns_a_minute_after_it_was_taken() -> None:
    window = Window(10)
    window.take(7, 100.0)
    window.take(3, 130.5)
    assert window.wait(0, 131.0) == 0
    assert window.wait(1, 131.0) == 161 - 131.0
    assert window.wait(8, 131.0) == 191 - 131.0
    assert window.wait(7, 161.0) == 0
    assert window.wait(8, 161.0) == 30.0


def test_more_than_the_limit_takes_several_minutes() -> None:
    window = Window(10)
    assert window.wait(10, 0.0) == 0
    assert window.wait(11, 0.0) == 60
    assert window.wait(35, 0.0) == 180
    window.take(10, 0.0)
    assert window.wait(11, 0.0) == 121


def test_what_was_not_used_returns_at_once_or_not_at_all() -> None:
    window = Window(10)
    window.take(10, 100.0)
    window.give_back(4, 100.0, 110.0)
    assert window.wait(4, 110.0) == 0
    window.take(4, 110.0)
    window.give_back(6, 100.0, 170.0)
    assert window.wait(6, 170.5) == 0
    assert window.wait(7, 170.5) > 0


def test_an_old_window_is_empty() -> None:
    window = Window(10)
    window.take(10, 100.0)
    assert not window.is_empty(160.9)
    assert window.is_empty(161.0)
    window.take(10, 1e9)
    assert not window.is_empty(1e9)


@given(
    st.integers(1, 20),
    st.lists(st.tuples(st.floats(0, 90, allow_nan=False), st.integers(0, 20)), max_size=60),
)
def test_no_minute_ever_holds_more_and_the_wait_is_right(limit: int, wanted: list[tuple[float, int]]) -> None:
    window = Window(limit)
    now = 7.3
    taken: list[tuple[float, int]] = []
    for pause, amount in wanted:
        now += pause
        amount = min(amount, limit)
        wait = window.wait(amount, now)
        assert 0 <= wait <= 61
        if wait:
            assert sum(many for at, many in taken if at > now - 61) + amount > limit
            now += wait + 1e-9
            assert window.wait(amount, now) == 0
        window.take(amount, now)
        taken.append((now, amount))
        assert sum(many for at, many in taken if at > now - 60) <= limit
