"""The sync face: results, errors, context, a running loop, interruption."""

from __future__ import annotations

import asyncio
import contextvars
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from plumbline.aio import LoopThread
from plumbline.errors import InputError

place: contextvars.ContextVar[str] = contextvars.ContextVar("place", default="nowhere")


@pytest.fixture
def loop() -> Iterator[LoopThread]:
    thread = LoopThread()
    yield thread
    thread.close()


async def double(number: int) -> int:
    await asyncio.sleep(0)
    return 2 * number


async def fail() -> None:
    raise ValueError("no")


def test_returns_what_the_coroutine_returns(loop: LoopThread) -> None:
    assert [loop.run(double(n)) for n in range(3)] == [0, 2, 4]


def test_raises_what_the_coroutine_raises(loop: LoopThread) -> None:
    with pytest.raises(ValueError, match="no"):
        loop.run(fail())


async def test_works_inside_a_running_loop(loop: LoopThread) -> None:
    assert loop.run(double(21)) == 42


def test_calls_share_one_loop(loop: LoopThread) -> None:
    async def which() -> int:
        return id(asyncio.get_running_loop())

    assert loop.run(which()) == loop.run(which())


def test_context_is_passed_on(loop: LoopThread) -> None:
    async def read() -> str:
        return place.get()

    place.set("here")
    assert loop.run(read()) == "here"


def test_several_threads_at_once(loop: LoopThread) -> None:
    results: list[int] = []
    threads = [threading.Thread(target=lambda n=n: results.append(loop.run(double(n)))) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [2 * n for n in range(20)]


def test_ctrl_c_cancels_the_work_and_waits_for_it(loop: LoopThread, monkeypatch: pytest.MonkeyPatch) -> None:
    cleaned = threading.Event()
    running = threading.Event()

    async def work() -> None:
        running.set()
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0)
            cleaned.set()

    def interrupted(self: object, timeout: float | None = None) -> None:
        monkeypatch.undo()
        running.wait()
        raise KeyboardInterrupt

    monkeypatch.setattr("concurrent.futures.Future.result", interrupted)
    with pytest.raises(KeyboardInterrupt):
        loop.run(work())
    assert cleaned.is_set()


def test_closing_from_its_own_thread_does_not_wait_for_itself(loop: LoopThread) -> None:
    async def close() -> int:
        loop.close()
        return 1

    assert loop.run(close()) == 1
    assert loop.run(double(2)) == 4


def test_a_call_from_the_loops_own_thread_is_refused_and_does_not_hang(loop: LoopThread) -> None:
    async def nested() -> int:
        return loop.run(double(1))

    with pytest.raises(InputError, match="async verb"):
        loop.run(nested())
    assert loop.run(double(2)) == 4


def test_a_forked_child_starts_a_loop_of_its_own() -> None:
    script = (
        "import os, signal; from plumbline.aio import LoopThread\n"
        "async def answer(): return 42\n"
        "loop = LoopThread(); loop.run(answer())\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    signal.alarm(20); os._exit(0 if loop.run(answer()) == 42 else 1)\n"
        "assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0\n"
        "assert loop.run(answer()) == 42\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", script], check=True, timeout=60)


def test_can_be_used_again_after_close(loop: LoopThread) -> None:
    assert loop.run(double(1)) == 2
    loop.close()
    loop.close()
    assert loop.run(double(2)) == 4
