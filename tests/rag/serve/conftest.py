"""The endpoint in this process, over a small knowledge base; models are scripted or work without a key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from rag.serve.app import create_app
from rag.serve.host import Host
from routing.chat import ChatEvent, ChatRequest, TextDelta
from routing.testing.fakes import FakeEmbedder, ScriptedChatModel

QUESTION = "How long is the refund window?"
REPLY = "Unopened goods may be returned within 30 days of delivery [Source: returns.md]."
QUICK = {"routing.retry.first_wait_seconds": 0, "routing.retry.longest_wait_seconds": 0.01}


@dataclass
class Served:
    """A host, its application and a client of it."""

    host: Host
    app: Any
    client: httpx2.AsyncClient

    async def ask(self, question: str = QUESTION, **more: Any) -> httpx2.Response:
        return await self.client.post("/api/ask", json={"question": question, **more})


Serving = Callable[..., Awaitable[Served]]


@pytest.fixture
async def serving(tmp_path: Path, docs: Path, home: Path) -> AsyncIterator[Serving]:
    """Opens hosts: `await serving(model, settings={…}, kbs=("kb",))`; each knowledge base holds `docs`."""
    async with AsyncExitStack() as stack:

        async def serve(
            model: ScriptedChatModel | str | None = None,
            *,
            settings: Mapping[str, Any] | None = None,
            kbs: tuple[str, ...] = ("kb",),
            empty: bool = False,
            loopback: bool = True,
        ) -> Served:
            host = Host.open(
                [tmp_path / kb for kb in kbs],
                home=home,
                environ={},
                model=model,
                embedder=FakeEmbedder(),
                settings={**QUICK, **(settings or {})},
                loopback=loopback,
            )
            stack.push_async_callback(host.aclose)
            for base in host.bases.values():
                if not empty:
                    await base.aingest(docs)
            app = create_app(host)
            transport = httpx2.ASGITransport(app)
            client = await stack.enter_async_context(
                httpx2.AsyncClient(transport=transport, base_url="http://localhost")
            )
            return Served(host, app, client)

        yield serve


class Hanging(ScriptedChatModel):
    """Says a word, then hangs until it is cancelled or released."""

    def __init__(self, name: str = "openai/gpt-5-mini") -> None:
        super().__init__(REPLY, name=name)
        self.begun = asyncio.Event()
        self.release = asyncio.Event()
        self.cancelled = False

    async def complete(self, request: ChatRequest) -> Any:
        await self._hang()
        return await super().complete(request)

    async def stream(self, request: ChatRequest) -> AsyncIterator[ChatEvent]:
        response = await super().complete(request)
        yield TextDelta(response.text[:9])
        await self._hang()
        yield TextDelta(response.text[9:])
        from routing.chat import Completed

        yield Completed(response)

    async def _hang(self) -> None:
        self.begun.set()
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise


@dataclass
class RawRequest:
    """One request driven by hand, so that the client can leave in the middle."""

    app: Any
    path: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": "application/json"})
    method: str = "POST"
    whole: bool = True
    sent: list[dict[str, Any]] = field(default_factory=list)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def start(self) -> asyncio.Task[None]:
        path, _, query = self.path.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": self.method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(b"host", b"localhost")]
            + [(name.encode(), value.encode()) for name, value in self.headers.items()],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8000),
        }
        bodies = [self.body]

        async def receive() -> dict[str, Any]:
            if bodies:
                return {"type": "http.request", "body": bodies.pop(), "more_body": not self.whole}
            await self.gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            self.sent.append(message)
            self.arrived.set()

        return asyncio.create_task(self.app(scope, receive, send))

    async def until(self, text: str) -> None:
        """Wait until the answer holds `text`."""
        while text not in self.text:
            self.arrived.clear()
            await asyncio.wait_for(self.arrived.wait(), 5)

    @property
    def status(self) -> int | None:
        return self.sent[0]["status"] if self.sent else None

    @property
    def text(self) -> str:
        return b"".join(message.get("body", b"") for message in self.sent).decode()


def events(text: str) -> list[tuple[str, Any]]:
    """The events of a stream: name and data."""
    import json

    found = []
    for block in text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if lines:
            found.append((lines["event"], json.loads(lines["data"])))
    return found
