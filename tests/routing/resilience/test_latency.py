"""How long models took lately."""

from __future__ import annotations

from routing.resilience.latency import Latencies


def test_the_percentile_is_exact_and_needs_enough_times() -> None:
    latencies = Latencies()
    for seconds in range(1, 20):
        latencies.add("m", float(seconds))
    assert latencies.percentile("m", 0.95, 20) is None
    latencies.add("m", 20.0)
    assert latencies.percentile("m", 0.95, 20) == 19.0
    assert latencies.percentile("m", 0.5, 20) == 10.0
    assert latencies.percentile("other", 0.5, 1) is None


def test_what_was_long_ago_is_forgotten() -> None:
    latencies = Latencies()
    for _ in range(1000):
        latencies.add("m", 30.0)
    assert latencies.percentile("m", 0.95, 20) == 30.0
    for _ in range(256):
        latencies.add("m", 1.0)
    assert latencies.percentile("m", 0.95, 20) == 1.0


def test_models_are_kept_apart() -> None:
    latencies = Latencies()
    latencies.add("m", 1.0)
    latencies.add("n", 2.0)
    assert (latencies.percentile("m", 0.95, 1), latencies.percentile("n", 0.95, 1)) == (1.0, 2.0)


def test_a_model_that_was_not_asked_for_long_is_unknown_again() -> None:
    now = [0.0]
    latencies = Latencies(forget_after=600, clock=lambda: now[0])
    for _ in range(5):
        latencies.add("m", 9.0)
    now[0] = 600.0
    assert latencies.percentile("m", 0.5, 5) == 9.0
    now[0] = 601.0
    assert latencies.percentile("m", 0.5, 5) is None
    for known in range(1, 6):
        assert latencies.percentile("m", 0.5, 5) is None, f"{known - 1} of 5 are known"
        latencies.add("m", 1.0)
    assert latencies.percentile("m", 0.5, 5) == 1.0, "what was before is forgotten"


def test_the_first_times_make_a_difference_soon() -> None:
    latencies = Latencies()
    for _ in range(5):
        latencies.add("m", 30.0)
    assert latencies.percentile("m", 0.5, 5) == 30.0
    for _ in range(6):
        latencies.add("m", 1.0)
    assert latencies.percentile("m", 0.5, 5) == 1.0
