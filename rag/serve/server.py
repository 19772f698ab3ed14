"""Runs the application in this process: binds the port, warms up, and drains when it is told to stop.

granian, embedded: HTTP is parsed outside Python, the routes run on this process's one event loop.
"""

from __future__ import annotations

import asyncio
import errno
import gc
import logging
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from plumbline.errors import InputError
from plumbline.extras import require
from rag.serve.host import Host

if TYPE_CHECKING:
    from starlette.types import ASGIApp

BACKLOG = 1024
GRACE_SECONDS = 2.0
"""How long requests that were cut off have to say so."""


@contextmanager
def claimed(address: str, port: int) -> Iterator[None]:
    """Holds the port against a second server of ours; raises `InputError` when it cannot be listened at.

    On Linux granian opens ports so that processes can share them (SO_REUSEPORT), and a second server would take half of
    the first one's requests without a word. So the port is tried before, without sharing, and a name that exists once
    in the kernel is held while the server runs.
    """
    _try_to_listen(address, port)
    if sys.platform != "linux":
        yield
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as name:
        try:
            name.bind(f"\0plumbline-serve-{address}-{port}")
        except OSError as error:
            raise _in_use(address, port) from error
        yield


def _try_to_listen(address: str, port: int) -> None:
    try:
        family, kind, protocol, _, full = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(full)
            probe.listen()
    except socket.gaierror as error:
        message = f"'{address}' is no address of this machine: {error.strerror}."
        raise InputError(message, hint="Choose another with --host.") from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise _in_use(address, port) from error
        message = f"Cannot listen on {address}, port {port}: {error.strerror}."
        raise InputError(message, hint="Choose others with --host and --port.") from error


def _in_use(address: str, port: int) -> InputError:
    return InputError(f"Port {port} on {address} is in use.", hint=f"Choose another, for example: --port {port + 1}")


async def serve(host: Host, app: ASGIApp, address: str, port: int, *, on_listening: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT, then let what runs finish, at most `serve.drain_seconds`.

    Raises what warming up raises.
    """
    embed, constants = require("granian.server.embed", "serve"), require("granian.constants", "serve")
    server = embed.Server(
        app,
        address=address,
        port=port,
        interface=constants.Interfaces.ASGINL,
        http=constants.HTTPModes.http1,
        websockets=False,
        log_enabled=False,
        backlog=BACKLOG,
    )
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    running, warming = asyncio.create_task(server.serve()), asyncio.create_task(host.warm_up())
    warming.add_done_callback(lambda done: _leave_in_peace())
    warming.add_done_callback(lambda done: stopped.set() if not done.cancelled() and done.exception() else None)
    running.add_done_callback(lambda done: stopped.set())
    on_listening()
    await stopped.wait()
    await _drain(host, server.stop, running)
    warming.cancel()
    for outcome in await asyncio.gather(running, warming, return_exceptions=True):
        if isinstance(outcome, Exception):
            raise outcome


def _leave_in_peace() -> None:
    """What is in memory by now stays; the garbage collector need not look at all of it again and again."""
    gc.collect()
    gc.freeze()


async def _drain(host: Host, stop: Callable[[], None], running: asyncio.Task[None]) -> None:
    """Take no more requests; let those that run, and ingestions, end, until the time for it is over."""
    seconds = host.settings.serve.drain_seconds
    began = time.monotonic()
    host.traffic.draining = True
    stop()
    cut_off = asyncio.get_running_loop().call_later(seconds, host.traffic.cut_off)
    await asyncio.wait({running}, timeout=seconds + GRACE_SECONDS)  # a client may never finish what it began to send
    running.cancel()
    cut_off.cancel()
    finishing = asyncio.create_task(host.ingestions.finish())
    await asyncio.wait({finishing}, timeout=max(0.0, seconds - (time.monotonic() - began)))
    finishing.cancel()


def start_logging(*, requests: bool) -> None:
    """Log to standard error: failures always, a line for each request on demand."""
    log = logging.getLogger("rag.serve")
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO if requests else logging.WARNING)
    log.propagate = False
