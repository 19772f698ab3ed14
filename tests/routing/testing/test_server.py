"""The fake provider, seen by a client that knows nothing of it but HTTP."""

from __future__ import annotations

import asyncio
import base64
import json
import struct
from typing import Any

import pytest

from routing.testing.server import FakeProvider, Fault
from routing.testing.wire import Script


async def ask(server: FakeProvider, path: str, body: dict[str, Any]) -> tuple[int, dict[str, str], str]:
    """Status, headers and what was received of the body; a body in chunks is joined."""
    port = int(server.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    data = json.dumps(body).encode()
    writer.write(f"POST {path} HTTP/1.1\r\nHost: x\r\nX-Mine: 1\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)
    try:
        status, headers = read_head((await reader.readuntil(b"\r\n\r\n")).decode())
        return status, headers, await read_body(reader, headers)
    finally:
        writer.close()


def read_head(head: str) -> tuple[int, dict[str, str]]:
    first, *lines = head.strip().split("\r\n")
    return int(first.split()[1]), {name: value for name, _, value in (line.partition(": ") for line in lines)}


async def read_body(reader: asyncio.StreamReader, headers: dict[str, str]) -> str:
    if "content-length" in headers:
        return (await reader.readexactly(int(headers["content-length"]))).decode()
    text = ""
    while size := int(await reader.readline(), 16):
        text += (await reader.readexactly(size + 2))[:-2].decode()
    return text


async def test_both_formats_and_embeddings() -> None:
    async with FakeProvider(Script(pieces=("Hello ", "you")), dim=4) as server:
        status, headers, body = await ask(server, "/v1/chat/completions", {"model": "m"})
        assert (status, headers["content-type"]) == (200, "application/json")
        assert json.loads(body)["choices"][0]["message"]["content"] == "Hello you"
        _, _, body = await ask(server, "/v1/messages", {"model": "m"})
        assert json.loads(body)["content"][1] == {"type": "text", "text": "Hello you"}
        _, _, body = await ask(
            server, "/v1/embeddings", {"model": "m", "input": ["a", "b"], "encoding_format": "base64"}
        )
        rows = json.loads(body)["data"]
        assert [row["index"] for row in rows] == [1, 0]
        assert len(struct.unpack("<4f", base64.b64decode(rows[0]["embedding"]))) == 4
        assert [received.path for received in server.requests] == [
            "/v1/chat/completions",
            "/v1/messages",
            "/v1/embeddings",
        ]
        assert server.requests[0].headers["x-mine"] == "1"


async def test_streams() -> None:
    async with FakeProvider() as server:
        _, headers, body = await ask(server, "/v1/chat/completions", {"model": "m", "stream": True})
        assert headers["content-type"] == "text/event-stream"
        assert body.endswith("data: [DONE]\n\n")
        _, _, body = await ask(server, "/v1/messages", {"model": "m", "stream": True})
        assert body.startswith("event: message_start\n")
        assert '"type": "message_stop"' in body.splitlines()[-2]


async def test_faults_happen_once_and_in_order() -> None:
    async with FakeProvider(faults=[Fault("status", 429, {"retry-after": "2"}), Fault("body", body="{")]) as server:
        status, headers, _ = await ask(server, "/v1/messages", {"model": "m"})
        assert (status, headers["retry-after"]) == (429, "2")
        assert (await ask(server, "/v1/messages", {"model": "m"}))[2] == "{"
        assert (await ask(server, "/v1/messages", {"model": "m"}))[0] == 200


async def test_connections_break_as_told() -> None:
    async with FakeProvider(faults=[Fault("reset"), Fault("cut")]) as server:
        with pytest.raises(ConnectionResetError):
            await ask(server, "/v1/messages", {"model": "m"})
        with pytest.raises((asyncio.IncompleteReadError, ValueError)):
            await ask(server, "/v1/messages", {"model": "m", "stream": True})


async def test_a_stalled_connection_ends_with_the_server() -> None:
    async with FakeProvider(faults=[Fault("stall")]) as server:
        waiting = asyncio.create_task(ask(server, "/v1/messages", {"model": "m"}))
        for _ in range(200):
            await asyncio.sleep(0.005)
            if server.requests:
                break
        assert server.connections == 1
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await waiting
