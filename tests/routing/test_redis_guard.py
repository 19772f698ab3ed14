"""The server of these tests does not outlive them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.routing.redis_guard import RedisServer

ROOT = Path(__file__).parents[2]
HOLD = """
import time
from tests.routing.redis_guard import RedisServer
print(RedisServer().port, flush=True)
time.sleep(600)
"""


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_it_ends_when_the_process_that_started_it_is_killed(shared_redis: RedisServer) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True, cwd=ROOT) as holder:
        assert holder.stdout is not None
        port = int(holder.stdout.readline())
        assert port != shared_redis.port
        assert listens(port)
        os.kill(holder.pid, signal.SIGKILL)
    for _ in range(300):
        if not listens(port):
            return
        time.sleep(0.1)
    pytest.fail("the server is still there")


def test_it_comes_back_empty(redis_server: RedisServer) -> None:
    import redis

    client = redis.Redis.from_url(redis_server.url)
    client.set("a", 1)
    redis_server.stop()
    assert not listens(redis_server.port)
    redis_server.start()
    assert client.get("a") is None
    client.close()
