"""The link to Redis: what is asked is answered, and fails at once while the server is away."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from plumbline.errors import ConfigError
from routing.resilience.redis_link import RedisLink, RedisLostError
from tests.routing.redis_guard import RedisServer

ROOT = Path(__file__).parents[3]
COUNT = "return redis.call('INCRBY', KEYS[1], ARGV[1])"


@pytest.fixture
def link(redis_url: str) -> Iterator[RedisLink]:
    link = RedisLink(redis_url, again_seconds=0.05)
    yield link
    link.close()


def until(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come to be")


def test_scripts_run_and_are_known_after_the_server_forgot_them(link: RedisLink) -> None:
    assert link.submit(COUNT, ["n"], [2]).result(5) == 2
    assert link.submit("return redis.call('SCRIPT', 'FLUSH')", [], []).exception(5) is not None
    until(lambda: not link.lost)
    assert link.submit(COUNT, ["n"], [3]).result(5) == 5


def test_a_connection_that_the_server_closed_while_nothing_was_asked_is_replaced(
    link: RedisLink, redis_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    redis = pytest.importorskip("redis")
    monkeypatch.setattr("routing.resilience.redis_link._QUIET_SECONDS", 0.0)
    assert link.submit(COUNT, ["n"], [2]).result(5) == 2
    with redis.Redis.from_url(redis_url) as other:
        other.client_kill_filter(_type="normal", skipme=True)
    assert link.submit(COUNT, ["n"], [3]).result(5) == 5
    assert not caplog.records


def test_after_an_error_answers_belong_to_what_was_asked(link: RedisLink) -> None:
    link.submit(COUNT, ["n"], [1]).result(5)
    assert isinstance(link.submit("return redis.error_reply('no')", [], []).exception(5), RedisLostError)
    until(lambda: not link.lost)
    asked = [link.submit("return tonumber(ARGV[1])", [], [number]) for number in range(300)]
    assert [each.result(5) for each in asked] == list(range(300))


def test_many_threads_and_loops_may_ask(link: RedisLink) -> None:
    async def ask() -> None:
        await asyncio.gather(*(asyncio.wrap_future(link.submit(COUNT, ["n"], [1])) for _ in range(300)))

    threads = [threading.Thread(target=lambda: asyncio.run(ask())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert link.submit(COUNT, ["n"], [0]).result(5) == 1200


def test_polls_hear_again_and_again(link: RedisLink) -> None:
    heard: list[int] = []
    link.poll(0.02, COUNT, ["n"], [1], heard.append)
    until(lambda: len(heard) >= 3)
    assert heard[:3] == [1, 2, 3]


def test_while_the_server_is_away_all_fails_at_once_and_it_is_said_once(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    link = RedisLink(redis_server.url, again_seconds=0.05)
    heard: list[int] = []
    link.poll(0.02, COUNT, ["n"], [1], heard.append)
    until(lambda: bool(heard))
    with caplog.at_level(logging.WARNING, "routing.resilience"):
        redis_server.stop()
        until(lambda: link.lost)
        for _ in range(5):
            with pytest.raises(RedisLostError):
                link.submit(COUNT, ["n"], [1])
        redis_server.start()
        until(lambda: not link.lost)
    assert link.submit(COUNT, ["other"], [7]).result(5) == 7
    before = len(heard)
    until(lambda: len(heard) > before)
    assert [record.message.split(";")[0].split(" (")[0] for record in caplog.records] == [
        "Redis is away",
        "Redis is back.",
    ]
    link.close()


def test_what_was_asked_when_the_server_went_away_fails_too(redis_server: RedisServer) -> None:
    link = RedisLink(redis_server.url, again_seconds=0.05)
    assert link.submit(COUNT, ["n"], [1]).result(5) == 1
    redis_server.stop()
    with pytest.raises(RedisLostError):
        link.submit(COUNT, ["n"], [1]).result(5)
    link.close()


def test_a_server_that_never_was_there_is_no_error_of_the_program() -> None:
    link = RedisLink("redis://127.0.0.1:1/0")
    with pytest.raises(RedisLostError):
        link.submit(COUNT, ["n"], [1]).result(5)
    link.close()
    with pytest.raises(RedisLostError):
        link.submit(COUNT, ["n"], [1])
    link.close()


def test_all_that_was_asked_before_it_is_closed_is_answered(link: RedisLink) -> None:
    asked = [link.submit(COUNT, ["n"], [1]) for _ in range(1000)]
    link.close()
    assert [each.result(0) for each in asked] == list(range(1, 1001))


def test_who_asks_just_when_it_is_closed_does_not_wait_for_ever(
    link: RedisLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert link.submit(COUNT, ["n"], [1]).result(5) == 1
    monkeypatch.setattr(link, "_started", link.close)
    assert isinstance(link.submit(COUNT, ["n"], [1]).exception(5), RedisLostError)


def test_threads_that_ask_on_let_it_be_closed(redis_url: str) -> None:
    for _ in range(20):
        link = RedisLink(redis_url)

        def ask(link: RedisLink = link) -> None:
            with suppress(RedisLostError):
                while True:
                    link.submit("return 1", [], []).result(5)

        with ThreadPoolExecutor(4) as pool:
            asking = [pool.submit(ask) for _ in range(4)]
            link.submit("return 1", [], []).result(5)
            link.close()
        assert [each.result() for each in asking] == [None] * 4


FORK = """
import os, sys
from routing.resilience.redis_link import RedisLink
link = RedisLink(sys.argv[1])
count = "return redis.call('INCRBY', KEYS[1], ARGV[1])"
assert link.submit(count, ["n"], [1]).result(5) == 1
pid = os.fork()
if pid == 0:
    assert link.submit(count, ["n"], [1]).result(5) == 2
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
assert link.submit(count, ["n"], [1]).result(5) == 3
link.close()
"""


def test_a_forked_child_asks_over_a_connection_of_its_own(redis_url: str) -> None:
    """In a process without warnings: from Python 3.12 on every fork beside a thread is one."""
    subprocess.run([sys.executable, "-W", "ignore", "-c", FORK, redis_url], check=True, cwd=ROOT, timeout=60)


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="'localhost:6379' is not the address of a Redis server"):
        RedisLink("localhost:6379")
