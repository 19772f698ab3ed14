"""The thin sync face over the async core: runs coroutines on an event loop in a thread of its own.

`asyncio.run` cannot be used where a loop already runs (notebooks, web frameworks), and a new loop per call would
break the connection pools that live on a loop. One `LoopThread` per object serves all its sync calls.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from plumbline.errors import InputError

T = TypeVar("T")
SETTLE_SECONDS = 10.0


class LoopThread:
    """An event loop on a daemon thread, started at the first `run`; a forked child starts its own."""

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run to the end and return the result; Ctrl-C in the calling thread cancels the work and waits for it.

        Raises `InputError` on the loop's own thread (in a callback, say), which cannot wait for itself.
        """
        self._forget_parent()
        if self._thread is threading.current_thread():
            coroutine.close()
            raise InputError(
                "A sync call was made on the event loop's own thread, where it would wait for itself for ever.",
                hint="Await the async verb there instead (`aask` for `ask`, and so on).",
            )
        future, finished = self._submit(coroutine)
        try:
            return future.result()
        except KeyboardInterrupt:
            future.cancel()
            finished.wait(SETTLE_SECONDS)
            raise

    def close(self) -> None:
        """Stop the loop; a later `run` starts a fresh one."""
        self._forget_parent()
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            if thread is not threading.current_thread():
                thread.join()

    def _forget_parent(self) -> None:
        """After a fork the thread exists in the parent alone: let go of its loop, and of a lock it may have held."""
        if self._pid != os.getpid():
            self._lock = threading.Lock()
            self._loop = self._thread = None
            self._pid = os.getpid()

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
