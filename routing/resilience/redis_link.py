"""One connection of a process to Redis, on a thread of its own, so that any thread and event loop may ask it.

Everything asked runs as a script, and what is asked at the same time goes out together. When the server is away,
everything fails at once with `RedisLostError` until it is back, which is tried every second; whoever asks then falls
back on what his own process knows. The loss is logged once, and so is the return.
"""

from __future__ import annotations

import hashlib
import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cache
from typing import Any

from plumbline.errors import ConfigError
from plumbline.extras import require
from plumbline.forking import at_fork

_log = logging.getLogger("routing.resilience")

_TIMEOUT_SECONDS = 0.5
_BATCH = 256
_QUIET_SECONDS = 1.0
"""After which a connection may have been closed by its server."""


class RedisLostError(Exception):
    """Raised for everything asked while the server cannot be reached; never leaves `routing`."""


@dataclass(frozen=True, slots=True)
class _Asked:
    script: str
    keys: Sequence[str]
    arguments: Sequence[Any]
    answer: Future[Any]


@dataclass(slots=True)
class _Poll:
    seconds: float
    script: str
    keys: Sequence[str]
    arguments: Sequence[Any]
    hear: Callable[[Any], None]
    at: float = 0.0

    def heard(self, answer: Future[Any]) -> None:
        if answer.exception() is None:
            self.hear(answer.result())


class RedisLink:
    """Runs Lua scripts on the server at `url` ("redis://host:6379/0").

    Raises `ConfigError` when the address is none, `MissingExtraError` without the extra `redis`; a server that is away
    raises nothing here, and is looked for every `again_seconds`. A forked child makes a connection of its own.
    """

    def __init__(self, url: str, *, again_seconds: float = 1.0) -> None:
        redis = require("redis", "redis")
        self._redis: Any = redis
        try:
            self._client: Any = redis.Redis.from_url(
                url,
                socket_timeout=_TIMEOUT_SECONDS,
                socket_connect_timeout=_TIMEOUT_SECONDS,
                retry=redis.retry.Retry(redis.backoff.NoBackoff(), 0),
            )
        except ValueError as error:
            raise ConfigError(
                f"'{url}' is not the address of a Redis server: {error}",
                key="routing.shared",
                value=url,
                hint="Write redis://host:6379/0.",
            ) from error
        self._again_seconds = again_seconds
        self._lock = threading.Lock()
        self._polls: list[_Poll] = []
        self._closed = False
        self._fresh()
        at_fork(self, child=RedisLink._in_child)

    def _in_child(self) -> None:
        self._lock = threading.Lock()  # a thread of the parent may hold the other

    @property
    def lost(self) -> bool:
        """Whether the server could not be reached when it was last tried."""
        return self._lost

    def submit(self, script: str, keys: Sequence[str], arguments: Sequence[Any]) -> Future[Any]:
        """Run a script; its answer fails with `RedisLostError` when the server goes away. Raises it when it has."""
        if self.lost or self._closed:
            raise RedisLostError
        self._started()
        asked = _Asked(script, keys, arguments, Future())
        self._queue.put(asked)
        self._refuse_when_closed()
        return asked.answer

    def poll(
        self, seconds: float, script: str, keys: Sequence[str], arguments: Sequence[Any], hear: Callable[[Any], None]
    ) -> None:
        """Run a script now and every so many seconds, on the link's thread, and hand `hear` its answers."""
        with self._lock:
            self._polls.append(_Poll(seconds, script, keys, arguments, hear))
        self._started()
        self._queue.put(None)  # wakes the thread

    def close(self) -> None:
        """End the thread and the connection, after what was asked before."""
        self._closed = True
        if self._thread is not None and self._pid == os.getpid():
            self._queue.put(None)
            self._thread.join()
        self._refuse_when_closed()
        self._client.close()

    def _fresh(self) -> None:
        self._pid = os.getpid()
        self._queue: queue.SimpleQueue[_Asked | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lost = False
        self._sent: set[str] = set()
        self._look_at = 0.0
        self._connection: Any = None
        self._used_at = 0.0

    def _started(self) -> None:
        if self._thread is not None and self._pid == os.getpid():
            return
        with self._lock:
            if self._pid != os.getpid():
                self._client.connection_pool.reset()
                self._fresh()
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="plumbline-redis", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while not self._closed:
            batch = self._batch()
            if self.lost:
                self._look_for_it()
            self._answer(batch + self._due())
        while batch := self._waiting():
            self._answer(batch)

    def _refuse_when_closed(self) -> None:
        """Fail what was asked just when the link was closed, which nobody answers any more."""
        while self._closed and (batch := self._waiting()):
            for asked in batch:
                if asked.answer.set_running_or_notify_cancel():
                    asked.answer.set_exception(RedisLostError())
            self._queue.put(None)  # what wakes the thread to its end may have been among it

    def _batch(self) -> list[_Asked]:
        """What is asked by now; waits for something until a poll is due, or the lost server to be looked for."""
        now = time.monotonic()
        with self._lock:
            moments = [poll.at for poll in self._polls]
        if self.lost:
            moments = [self._look_at]
        try:
            first = self._queue.get(timeout=max(min(moments) - now, 0.0) if moments else None)
        except queue.Empty:
            return []
        return ([] if first is None else [first]) + self._waiting()

    def _waiting(self) -> list[_Asked]:
        found: list[_Asked] = []
        while len(found) < _BATCH:
            try:
                asked = self._queue.get_nowait()
            except queue.Empty:
                break
            if asked is not None:
                found.append(asked)
        return found

    def _due(self) -> list[_Asked]:
        now = time.monotonic()
        found = []
        with self._lock:
            for poll in self._polls:
                if poll.at <= now and not self.lost:
                    poll.at = now + poll.seconds
                    asked = _Asked(poll.script, poll.keys, poll.arguments, Future())
                    asked.answer.add_done_callback(poll.heard)
                    found.append(asked)
        return found

    def _answer(self, batch: Sequence[_Asked]) -> None:
        batch = [asked for asked in batch if asked.answer.set_running_or_notify_cancel()]
        answers: list[Any] = []
        if batch and not self.lost:
            try:
                answers = self._run_scripts(batch)
            except (self._redis.RedisError, OSError) as error:
                self._lose(error)
        for number, asked in enumerate(batch):
            if number < len(answers):
                asked.answer.set_result(answers[number])
            else:
                asked.answer.set_exception(RedisLostError())

    def _run_scripts(self, batch: Sequence[_Asked]) -> list[Any]:
        answers = self._exchange([self._command(asked) for asked in batch])
        self._sent.update(asked.script for asked in batch)
        for number, asked in enumerate(batch):
            if isinstance(answers[number], self._redis.exceptions.NoScriptError):
                answers[number] = self._client.eval(asked.script, len(asked.keys), *asked.keys, *asked.arguments)
            if isinstance(answers[number], Exception):
                raise answers[number]
        return answers

    def _command(self, asked: _Asked) -> tuple[Any, ...]:
        """By its digest, or whole the first time, so that everything runs in the order in which it is asked."""
        known = asked.script in self._sent
        what = ("EVALSHA", _sha(asked.script)) if known else ("EVAL", asked.script)
        return (*what, len(asked.keys), *asked.keys, *asked.arguments)

    def _exchange(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Send all and read all answers, errors among them, over a connection that stays: a pipeline of the client's
        takes three times the processor time of this.
        """
        pool = self._client.connection_pool
        now = time.monotonic()
        if self._connection is not None and now - self._used_at > _QUIET_SECONDS:
            pool.release(self._connection)  # to get one whose server has not hung up meanwhile
            self._connection = None
        connection = self._connection = self._connection or pool.get_connection()
        self._used_at = now
        try:
            connection.send_packed_command(connection.pack_commands(commands))
            return [self._read(connection) for _ in commands]
        except BaseException:
            self._connection = None
            connection.disconnect()  # answers may still be on their way
            pool.release(connection)
            raise

    def _read(self, connection: Any) -> Any:
        try:
            return connection.read_response()
        except self._redis.ResponseError as error:
            return error

    def _lose(self, error: Exception) -> None:
        if not self.lost:
            _log.warning("Redis is away (%s); limits and breakers are this process's own until it is back.", error)
        self._lost = True
        self._sent.clear()
        self._look_at = time.monotonic() + self._again_seconds

    def _look_for_it(self) -> None:
        if time.monotonic() < self._look_at:
            return
        try:
            self._client.set("{plumbline}:alive", 1, ex=60)  # a server that can only be read is of no use
        except (self._redis.RedisError, OSError) as error:
            self._lose(error)
        else:
            self._lost = False
            _log.warning("Redis is back.")


@cache
def _sha(script: str) -> str:
    return hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
