from __future__ import annotations

from evals.cost.prefix import PrefixCache, PrefixRule

PROMPT = list(range(100))


def rule(**changes: object) -> PrefixRule:
    return PrefixRule.model_validate({"kind": "automatic", "step": 16, "least": 16, "source": "test", **changes})


def test_whole_blocks_of_a_common_beginning_are_read_and_the_last_token_never() -> None:
    cache = PrefixCache(rule())
    assert cache.ask(([], PROMPT), 0) == (0, 0)
    assert cache.ask(([], PROMPT), 1) == (96, 0)
    assert cache.ask(([], PROMPT[:96]), 1) == (80, 0)
    assert cache.ask(([], [*PROMPT[:40], -1, *PROMPT[41:]]), 1) == (32, 0)
    assert cache.ask(([], [-1, *PROMPT[1:]]), 1) == (0, 0)
    assert cache.ask((PROMPT[:50], PROMPT[50:]), 1) == (96, 0)


def test_prefixes_below_the_least_are_not_cached() -> None:
    cache = PrefixCache(rule(least=64))
    cache.ask(([], PROMPT), 0)
    assert cache.ask(([], PROMPT[:60]), 0) == (0, 0)
    assert cache.ask(([], PROMPT[:70]), 0) == (64, 0)


def test_an_entry_lives_on_while_it_is_used() -> None:
    cache = PrefixCache(rule(lifetime=10))
    cache.ask(([], PROMPT), 0)
    assert cache.ask(([], PROMPT), 10)[0] == 96
    assert cache.ask(([], PROMPT), 20)[0] == 96
    assert cache.ask(([], PROMPT), 31)[0] == 0


def test_the_least_recently_used_make_room() -> None:
    cache = PrefixCache(rule(capacity=160))
    other = [-token for token in PROMPT]
    cache.ask(([], PROMPT), 0)
    cache.ask(([], other), 1)  # 6 blocks more than the 10 that fit: the first two of the first prompt go
    assert cache.ask(([], other), 2)[0] == 96
    assert cache.ask(([], PROMPT), 3)[0] == 0


def test_breakpoints_decide_what_is_cached_and_writing_is_counted() -> None:
    cache = PrefixCache(rule(kind="explicit", least=20, breakpoints=("system", "prompt"), writes=True))
    system, asked, other = PROMPT[:30], PROMPT[30:], [7] * 10
    assert cache.ask((system, asked), 0) == (0, 100)
    assert cache.ask((system, asked), 1) == (100, 0)
    assert cache.ask((system, other), 2) == (30, 10)
    assert PrefixCache(rule(kind="explicit", writes=True)).ask((system, asked), 0) == (0, 0)
    small = PrefixCache(rule(kind="explicit", least=20, breakpoints=("system",), writes=True))
    assert small.ask((PROMPT[:10], asked), 0) == (0, 0)


def test_none_caches_nothing() -> None:
    cache = PrefixCache(rule(kind="none"))
    assert [cache.ask(([], PROMPT), 0) for _ in range(2)] == [(0, 0), (0, 0)]
