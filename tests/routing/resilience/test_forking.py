"""A process that is forked while calls are out: they are its parent's, and nothing of them binds the child."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
BEGIN = """
import asyncio, os, sys, threading, time
from decimal import Decimal
from routing.call import Call, Outcome
from routing.chat import Usage
from routing.errors import BreakerOpenError, OverloadedError
from routing.resilience.breaker import Breakers
from routing.resilience.limits import Limiter
from routing.resilience.redis_link import RedisLink
from routing.resilience.shared_limits import Claim, RedisLimits
from routing.settings import BreakerSettings, LimitSettings

call = Call("chat", "openai/gpt", deadline=time.monotonic() + 5)
good = Outcome(Usage(), Decimal(0), 0.1)
bad = Outcome(Usage(), Decimal(0), 0.1, OverloadedError("503", model="m", status=503))

def enter(guard):
    return asyncio.run(guard.enter(call))

def held(lock):
    threading.Thread(target=lock.acquire).start()
    time.sleep(0.05)

def forked(child):
    pid = os.fork()
    if pid == 0:
        try:
            child()
        except BaseException as error:
            print(repr(error))
            os._exit(1)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
"""
LIMITS = """
guard = Limiter([LimitSettings(per="model", concurrent=1)])
out = enter(guard)
forked(lambda: enter(guard)(good))
held(guard._lock)
forked(lambda: enter(guard)(good))
"""
BREAKERS = """
guard = Breakers(BreakerSettings(cooldown_seconds=0.01))
for _ in range(2):
    enter(guard)(bad)
time.sleep(0.02)
probe = enter(guard)
def child():
    enter(guard)(good)
    assert [state.state for state in guard.states()] == ["closed", "closed"]
forked(child)
try:
    enter(guard)
except BreakerOpenError:
    pass
else:
    raise AssertionError("the parent's probe is under way")
held(guard._lock)
forked(child)
"""
SHARED = """
link = RedisLink(sys.argv[1])
limits = RedisLimits(link)
slots = [Claim("slots", "concurrent", 1, 2)]
def taken(wait):
    grant = asyncio.run(limits.take(slots, 30.0))
    assert (grant.wait > 0) == wait
    return grant
held(link._lock)
def child():
    taken(wait=False)
    link.submit("return 1", [], []).result(5)
forked(child)
link._lock.release()
taken(wait=False)
taken(wait=True)  # the child and its parent have one each
link.close()
"""


@pytest.mark.parametrize("script", [LIMITS, BREAKERS], ids=["limits", "breakers"])
def test_a_child_waits_for_no_call_of_its_parents(script: str) -> None:
    run(script)


def test_places_of_a_child_are_not_those_of_its_parent(redis_url: str) -> None:
    run(SHARED, redis_url)


def run(script: str, *arguments: str) -> None:
    """In a process without warnings: from Python 3.12 on every fork beside a thread is one."""
    command = [sys.executable, "-W", "ignore", "-c", BEGIN + script, *arguments]
    subprocess.run(command, check=True, cwd=ROOT, timeout=60)
