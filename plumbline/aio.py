"""The thin sync face over the async core: runs coroutines on an event loop in a thread of its own.

`asyncio.run` cannot be used where a loop already runs (notebooks, web frameworks), and a new loop per call would
break the connection pools that live on a loop. One `LoopThread` per object serves all its sync calls.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self, TypeVar

from plumbline.errors import InputError
from plumbline.forking import at_fork

T = TypeVar("T")
SETTLE_SECONDS = 10.0
INTERRUPTIBLE_SECONDS = 0.2
"""After so long at most a Ctrl-C is heard."""


class Lifetime(ABC):
    """What is closed at the end of a `with` or an `async with` block."""

    @abstractmethod
    def close(self) -> None:
        """Close it; closing twice is allowed."""

    @abstractmethod
    async def aclose(self) -> None:
        """As `close`, from async code."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()


class LoopThread:
    """An event loop on a daemon thread, started at the first `run`; a forked child starts its own."""

    def __init__(self) -> None:
        self._begin()
        at_fork(self, child=LoopThread._begin)

    def _begin(self) -> None:
        """Nothing is left of a parent: its thread does not live in a child, and may have held the lock."""
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run to the end and return the result; Ctrl-C in the calling thread cancels the work and waits for it.

        Raises `InputError` on the loop's own thread (in a callback, say), which cannot wait for itself.
        """
        if self._thread is threading.current_thread():
            coroutine.close()
            raise InputError(
                "A sync call was made on the event loop's own thread, where it would wait for itself for ever.",
                hint="Await the async verb there instead (`aask` for `ask`, and so on).",
            )
        future, finished = self._submit(coroutine)
        try:
            return _interruptibly(future)
        except KeyboardInterrupt:
            future.cancel()
            finished.wait(SETTLE_SECONDS)
            raise

    async def arun(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """As `run`, awaited from another loop; a cancelled caller cancels the work and waits for it."""
        future, finished = self._submit(coroutine)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            future.cancel()
            await asyncio.to_thread(finished.wait, SETTLE_SECONDS)
            raise

    def iterate(self, items: AsyncGenerator[T, None]) -> Generator[T, None, None]:
        """The items of an async generator, each made on the loop when it is asked for; closing it closes that one."""
        try:
            while True:
                item = self.run(_next(items))
                if item is None:
                    return
                yield item[0]
        finally:
            self.run(items.aclose())

    def close(self) -> None:
        """Stop the loop; a later `run` starts a fresh one."""
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            if thread is not threading.current_thread():
                thread.join()

    def _submit(self, coroutine: Coroutine[Any, Any, T]) -> tuple[Future[T], threading.Event]:
        """The future of the result, and an event that is set once the task has ended, cancelled or not."""
        loop = self._started()
        result: Future[T] = Future()
        finished = threading.Event()
        context = contextvars.copy_context()

        def start() -> None:
            task = loop.create_task(coroutine, context=context)
            result.add_done_callback(lambda done: loop.call_soon_threadsafe(task.cancel) if done.cancelled() else None)
            task.add_done_callback(lambda done: _copy_outcome(done, result))
            task.add_done_callback(lambda done: finished.set())

        loop.call_soon_threadsafe(start)
        return result, finished

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                loop = asyncio.new_event_loop()
                thread = threading.Thread(target=_serve, args=(loop,), name="plumbline-loop", daemon=True)
                thread.start()
                self._loop, self._thread = loop, thread
            return self._loop


def _interruptibly(future: Future[T]) -> T:
    """The result, waited for in turns: a signal that the system hands to another thread ends no wait of this one's."""
    while True:
        try:
            return future.result(INTERRUPTIBLE_SECONDS)
        except TimeoutError:
            if future.done():  # the work's own, or it ended just now
                return future.result()


async def _next(items: AsyncGenerator[T, None]) -> tuple[T] | None:
    try:
        return (await anext(items),)
    except StopAsyncIteration:
        return None


async def emitted(produce: Callable[[Callable[[T], None]], Coroutine[Any, Any, None]]) -> AsyncGenerator[T, None]:
    """What `produce(emit)` emits, as it comes; then its end, or the error it raises.

    It runs in a task of its own, so that what it sets in its context (the current span, the bill) neither shows between
    two items nor has to be undone in the task that closes the generator. Closing the generator early cancels it and
    waits until it has ended. What is emitted waits without bound: emit only what fits into memory.
    """
    queue: asyncio.Queue[tuple[T] | None] = asyncio.Queue()
    task = asyncio.create_task(produce(lambda item: queue.put_nowait((item,))))
    task.add_done_callback(lambda done: queue.put_nowait(None))
    try:
        while (item := await queue.get()) is not None:
            yield item[0]
        await task
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
        if task.done() and not task.cancelled():
            task.exception()  # it was raised above, or nobody wants it any more


async def together(calls: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """What the calls give, in their order, run at the same time.

    The first failure ends the others and is raised; so does a cancellation. Nothing runs on afterwards.
    """
    if len(calls) == 1:  # no task for what is alone
        return [await calls[0]]
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


def run_here(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run one coroutine to the end on a loop of its own, also where a loop already runs (a notebook, pytest)."""
    loop = LoopThread()
    try:
        return loop.run(coroutine)
    finally:
        loop.close()


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        leftover = asyncio.all_tasks(loop)
        for task in leftover:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*leftover, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


def _copy_outcome(task: asyncio.Task[T], result: Future[T]) -> None:
    if result.cancelled():
        if not task.cancelled():
            task.exception()
        return
    if task.cancelled():
        result.cancel()
    elif (error := task.exception()) is not None:
        result.set_exception(error)
    else:
        result.set_result(task.result())
