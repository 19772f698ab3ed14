"""A Redis server of the tests' own, on a free port, that ends when the tests do, however they end."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

WATCH = 'redis-server "$@" & cat > /dev/null; kill -9 $!; wait'
"""The shell reads from a pipe of ours, which the kernel closes when we are gone."""


def redis_missing() -> str | None:
    """Why there can be no server, or `None`."""
    return None if shutil.which("redis-server") else "no redis-server on this machine"


class RedisServer:
    """Starts at once; `stop` and `start` take it away in the middle, what it held is lost then."""

    def __init__(self) -> None:
        self.port = _free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._shell: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start it on the same port, empty; returns when it answers."""
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", WATCH, "sh", *options], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
        )
        for _ in range(500):
            if _answers(self.port):
                return
            time.sleep(0.01)
        self.stop()
        raise RuntimeError(f"redis-server does not answer on port {self.port}")

    def stop(self) -> None:
        """Kill it; whoever is connected sees the connection break."""
        if self._shell is not None:
            assert self._shell.stdin is not None
            self._shell.stdin.close()
            self._shell.wait(30)
            self._shell = None

    @contextmanager
    def held(self) -> Iterator[None]:
        """In the block it answers nothing, and does what it was asked when the block is over."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(b"INFO server\r\n")
            found = re.search(rb"process_id:(\d+)", connection.recv(65536))
        assert found is not None
        os.kill(int(found[1]), signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(int(found[1]), signal.SIGCONT)

    def flush(self) -> None:
        """Forget everything."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(b"FLUSHALL\r\n")
            assert connection.recv(16).startswith(b"+OK")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False
