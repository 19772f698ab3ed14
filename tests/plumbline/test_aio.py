"""The sync face: results, errors, context, a running loop, interruption."""

from __future__ import annotations

import asyncio
import contextvars
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Iterator

import pytest

from plumbline.aio import INTERRUPTIBLE_SECONDS, LoopThread, emitted, together
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


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="signals to threads are POSIX's")
def test_ctrl_c_is_heard_although_another_thread_is_given_it(loop: LoopThread) -> None:
    cancelled = threading.Event()

    async def work() -> None:
        await asyncio.sleep(0.1)  # until the caller waits for it
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        try:
            await asyncio.wait_for(asyncio.Event().wait(), 20)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background may ignore it
    try:
        with pytest.raises(KeyboardInterrupt):
            loop.run(work())
    finally:
        signal.signal(signal.SIGINT, before)
    assert cancelled.is_set()


def test_a_timeout_of_the_works_own_is_raised(loop: LoopThread) -> None:
    async def work() -> None:
        await asyncio.sleep(2 * INTERRUPTIBLE_SECONDS)
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        loop.run(work())


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
        "import os, signal; from plumbline.aio import LoopThread, emitted, together\n"
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


def counting(ended: list[str], *, fails: bool = False) -> AsyncGenerator[int, None]:
    """Emits 0, 1, 2 and then waits for ever, or fails; `ended` tells how it ended."""

    async def produce(emit: Callable[[int], None]) -> None:
        place.set("inside")
        try:
            for number in range(3):
                emit(number)
                await asyncio.sleep(0)
            if fails:
                raise ValueError("three is too much")
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    return emitted(produce)


async def test_what_is_emitted_comes_before_the_error() -> None:
    place.set("outside")
    items = counting([], fails=True)
    assert [await anext(items) for _ in range(3)] == [0, 1, 2]
    assert place.get() == "outside", "the producer's context is its own"
    with pytest.raises(ValueError, match="three is too much"):
        await anext(items)


async def test_closing_a_stream_early_in_another_task_ends_the_work() -> None:
    ended: list[str] = []
    items = counting(ended)
    assert await anext(items) == 0
    await asyncio.create_task(close(items))
    assert ended == ["cancelled"]
    assert [item async for item in items] == []


async def close(items: AsyncGenerator[int, None]) -> None:
    await items.aclose()


async def test_a_cancelled_reader_ends_the_work() -> None:
    ended: list[str] = []

    async def read() -> None:
        async for _ in counting(ended):
            pass

    reader = asyncio.create_task(read())
    await asyncio.sleep(0.01)
    reader.cancel()
    await asyncio.gather(reader, return_exceptions=True)
    assert ended == ["cancelled"]


async def test_a_reader_who_forgets_to_close_leaves_no_work_behind() -> None:
    ended: list[str] = []
    async for _ in counting(ended):
        break
    for _ in range(10):
        await asyncio.sleep(0)
    assert ended == ["cancelled"]


def test_an_async_generator_is_read_from_plain_code(loop: LoopThread) -> None:
    ended: list[str] = []
    with pytest.raises(ValueError, match="three"):
        list(loop.iterate(counting(ended, fails=True)))
    items = loop.iterate(counting(ended))
    assert [next(items), next(items)] == [0, 1]
    items.close()
    assert ended == ["cancelled"]


def test_calls_together_keep_their_order_and_wait_for_each_other() -> None:
    async def both() -> list[int]:
        barrier = asyncio.Barrier(3)

        async def call(number: int) -> int:
            await asyncio.wait_for(barrier.wait(), 5)  # passes only once all three run
            await asyncio.sleep(0.01 / number)
            return number

        return await together([call(1), call(2), call(3)])

    assert asyncio.run(both()) == [1, 2, 3]
    assert asyncio.run(together([asyncio.sleep(0, "alone")])) == ["alone"]
    assert asyncio.run(together([])) == []


@pytest.mark.parametrize("cancelled", [False, True])
def test_the_first_failure_and_a_cancellation_end_calls_together(cancelled: bool) -> None:
    ended: list[str] = []

    async def waits() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            ended.append("waits")

    async def fails() -> None:
        await asyncio.sleep(0.01)
        if cancelled:
            await asyncio.sleep(60)
        raise InputError("no")

    async def run() -> None:
        task = asyncio.ensure_future(together([waits(), fails(), waits()]))
        await asyncio.sleep(0.02 if cancelled else 0)
        if cancelled:
            task.cancel()
        with pytest.raises(asyncio.CancelledError if cancelled else InputError):
            await task
        assert ended == ["waits", "waits"]
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())
