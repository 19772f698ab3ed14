"""Runs the application in this process: binds the port, warms up, and drains when it is told to stop.

granian, embedded: HTTP is parsed outside Python, the routes run on this process's one event loop. On Linux it opens
its port in a way that lets several processes share it, so a port that is taken is looked for before.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import signal
import socket
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from plumbline.errors import InputError
from plumbline.extras import require
from rag.serve.host import Host

if TYPE_CHECKING:
    from starlette.types import ASGIApp

_log = logging.getLogger("rag.serve")


def require_free(host: str, port: int) -> None:
    """Raise `InputError` when the address cannot be listened at."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen()
    except socket.gaierror as error:
        raise InputError(f"'{host}' is no address of this machine: {error.strerror}.", hint="Choose --host.") from error
    except (OSError, OverflowError) as error:
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            raise InputError(
                f"Port {port} on {host} is in use by another program.", hint=f"Choose another: --port {port + 1}"
            ) from error
        raise InputError(f"Cannot listen on {host}:{port}: {error}.", hint="Choose --host and --port.") from error


async def serve(host: Host, app: ASGIApp, address: str, port: int, *, on_listening: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT, then let what runs finish, at most `serve.drain_seconds`."""
    embed = require("granian.server.embed", "serve")
    constants = require("granian.constants", "serve")
    server = embed.Server(
        app,
        address=address,
        port=port,
        interface=constants.Interfaces.ASGINL,
        websockets=False,
        log_enabled=False,
        backlog=1024,
    )
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    async with _warming(host):
        running = asyncio.create_task(server.serve())
        on_listening()
        stop = asyncio.create_task(stopping.wait())
        await asyncio.wait({running, stop}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        host.traffic.draining = True
        server.stop()
        cut_off = loop.call_later(host.settings.serve.drain_seconds, host.traffic.cut_off)
        try:
            await running
        finally:
            cut_off.cancel()


@contextlib.asynccontextmanager
async def _warming(host: Host) -> AsyncIterator[None]:
    task = asyncio.create_task(host.warm_up())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def start_logging(*, requests: bool) -> None:
    """Log to standard error: failures always, a line for each request on demand."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    _log.addHandler(handler)
    _log.setLevel(logging.INFO if requests else logging.WARNING)
    _log.propagate = False
