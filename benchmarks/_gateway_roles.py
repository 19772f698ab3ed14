"""The other processes of `benchmarks/gateway.py`: the provider, the floor and the load.

python -m benchmarks._gateway_roles provider PORT
python -m benchmarks._gateway_roles bare PORT PROVIDER_URL
python -m benchmarks._gateway_roles load URL BODIES CONNECTIONS KEY SECONDS
"""

from __future__ import annotations

import asyncio
import itertools
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from granian.constants import Interfaces
from granian.server.embed import Server

HEADERS = {"content-type": "application/json"}


def provider(port: int) -> None:
    """A provider that answers at once and always the same."""
    message = {"role": "assistant", "content": "The refund window is 30 days after delivery.", "refusal": None}
    answer = json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "gpt-4.1-mini",
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 57, "completion_tokens": 9, "total_tokens": 66},
        }
    ).encode()

    async def chat(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=answer, content_type="application/json")

    application = web.Application()
    application.router.add_post("/v1/chat/completions", chat)
    web.run_app(application, host="127.0.0.1", port=port, print=None, access_log=None)


def bare(port: int, upstream: str) -> None:
    """The least that a gateway in Python does: read, send on, answer. No checks, no retries, no ledger."""
    sessions: list[aiohttp.ClientSession] = []

    async def proxy(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        if not sessions:
            sessions.append(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        async with sessions[0].post(upstream + scope["path"], data=body, headers=HEADERS) as response:
            data = await response.read()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(data)).encode())]
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": data})

    server = Server(
        proxy, address="127.0.0.1", port=port, interface=Interfaces.ASGINL, websockets=False, log_enabled=False
    )
    asyncio.run(server.serve())


async def load(url: str, bodies: list[bytes], connections: int, key: str, seconds: float) -> dict[str, float]:
    """Send the bodies again and again; gives requests, failures, seconds in all and milliseconds of a request."""
    taken: list[float] = []
    failures = 0
    headers = {**HEADERS, "authorization": f"Bearer {key}"}
    following = itertools.cycle(bodies)
    end = time.perf_counter() + seconds

    async def client(session: aiohttp.ClientSession) -> None:
        nonlocal failures
        while (started := time.perf_counter()) < end:
            async with session.post(url, data=next(following), headers=headers) as response:
                await response.read()
            failures += response.status != 200
            taken.append((time.perf_counter() - started) * 1000)

    started = time.perf_counter()
    limit = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=limit) as session:
        await asyncio.gather(*(client(session) for _ in range(connections)))
    percentiles = statistics.quantiles(taken, n=100) if len(taken) > 1 else taken * 99
    return {
        "requests": len(taken),
        "failures": failures,
        "seconds": time.perf_counter() - started,
        "p50": percentiles[49],
        "p99": percentiles[98],
    }


def main(role: str, *arguments: str) -> None:
    """Play a role."""
    if role == "provider":
        provider(int(arguments[0]))
    elif role == "bare":
        bare(int(arguments[0]), arguments[1])
    else:
        url, bodies, connections, key, seconds = arguments
        lines = Path(bodies).read_bytes().splitlines()
        print(json.dumps(asyncio.run(load(url, lines, int(connections), key, float(seconds)))))


if __name__ == "__main__":
    main(*sys.argv[1:])
