"""A headless Chromium, and the real endpoint in a thread with a model that types what it is told.

Skipped where playwright or a browser is missing; `PLUMBLINE_CHROMIUM` names a browser that is not on the path.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rag import RAG
from routing.chat import ChatEvent, ChatRequest, ChatResponse, Completed, TextDelta, Usage
from routing.errors import ModelError
from routing.testing.fakes import FakeEmbedder

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

    from rag.serve.host import Host

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
SECONDS = 20
RETURNS = """# Returns policy

## Refund window

Unopened goods may be returned within 30 days of delivery. The customer pays for the parcel. 🙂🙂

## Payment

Refunds are paid within 5 working days to the card that was used. Gift cards cannot be returned.
"""
SHIPPING = "# Shipping\n\n" + "\n\n".join(
    f"## Country {n}\n\nParcels to country {n} take {n + 2} days and cost {n} euros each." for n in range(1, 60)
)
ANSWER = (
    "Unopened goods may be returned **within 30 days** of delivery [Source: returns.md]. "
    "Parcels to country 40 take 42 days [Source: shipping.md].\n\n"
    "- Gift cards are sold in green envelopes [Source: returns.md].\n"
    "- Dogs are welcome [Source: pets.pdf, page 3].\n"
)


class Typist:
    """A chat model that streams `reply` word by word, or raises it.

    With `hold` it stops before that word until `release`; `cancelled` is set when its stream is closed before its end.
    """

    name = "scripted/typist"

    reply: str | ModelError
    hold: int | None

    def __init__(self) -> None:
        self.cancelled = threading.Event()
        self._go_on = threading.Event()
        self.reset()

    def reset(self) -> None:
        self.reply, self.hold = ANSWER, None
        self.cancelled.clear()
        self._go_on.clear()

    def release(self) -> None:
        self._go_on.set()

    async def complete(self, request: ChatRequest) -> ChatResponse:
        if isinstance(self.reply, ModelError):
            raise self.reply
        return ChatResponse(self.reply, self.name, usage=Usage(input_tokens=1234, output_tokens=56, estimated=True))

    async def stream(self, request: ChatRequest) -> AsyncIterator[ChatEvent]:
        response = await self.complete(request)
        ended = False
        try:
            for number, word in enumerate(re.findall(r"\s*\S+\s*$|\s*\S+", response.text)):
                if number == self.hold:
                    await self._released()
                yield TextDelta(word)
            ended = True
            yield Completed(response)
        finally:
            if not ended:
                self.cancelled.set()

    async def _released(self) -> None:
        """The test releases from another thread, so that no future of this loop can be waited for."""
        while not await asyncio.to_thread(self._go_on.wait, 0.05):
            continue

    async def close(self) -> None:
        self.release()


@dataclass
class Served:
    """A running endpoint."""

    url: str
    host: Host
    model: Typist


@dataclass
class Kitchen:
    """Makes knowledge bases and serves them."""

    folder: Path
    stack: ExitStack = field(default_factory=ExitStack)

    def knowledge_base(self, files: dict[str, str], name: str = "kb") -> Path:
        """A knowledge base over these files, ready to be served."""
        docs = self.folder / f"docs of {name}"
        docs.mkdir()
        for file, text in files.items():
            (docs / file).write_text(text, encoding="utf-8")
        home = self.folder / "home"
        with RAG.open(self.folder / name, home=home, embedder=FakeEmbedder(), environ={}) as kb:
            if files:
                kb.ingest(docs)
        return self.folder / name

    def serve_two_documents(self) -> Served:
        return self.serve(self.knowledge_base({"returns.md": RETURNS, "shipping.md": SHIPPING}))

    def serve(self, *folders: Path, **settings: Any) -> Served:
        """The endpoint over these knowledge bases, until the test ends."""
        return self.stack.enter_context(serving(folders, self.folder / "home", settings))


@contextmanager
def serving(folders: tuple[Path, ...], home: Path, settings: dict[str, Any]) -> Iterator[Served]:
    """Serve from a thread with a loop of its own."""
    from granian.constants import Interfaces
    from granian.server.embed import Server

    from rag.serve.app import create_app
    from rag.serve.host import Host

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    model = Typist()
    started = threading.Event()
    hosts: list[Host] = []
    stops: list[Callable[[], object]] = []

    async def run() -> None:
        quick = {"routing.retry.first_wait_seconds": 0, "routing.retry.longest_wait_seconds": 0.01, **settings}
        host = Host.open(folders, home=home, model=model, embedder=FakeEmbedder(), settings=quick, environ={})
        hosts.append(host)
        server = Server(
            create_app(host), address="127.0.0.1", port=port, interface=Interfaces.ASGINL, log_enabled=False
        )
        stops.append(partial(asyncio.get_running_loop().call_soon_threadsafe, server.stop))
        await host.warm_up()
        task = asyncio.create_task(server.serve())
        started.set()
        await task
        await host.aclose()

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    assert started.wait(SECONDS)
    _until_it_listens(port)
    try:
        yield Served(f"http://127.0.0.1:{port}/", hosts[0], model)
    finally:
        model.release()
        stops[0]()
        thread.join(SECONDS)
        assert not thread.is_alive()


def _until_it_listens(port: int) -> None:
    for _ in range(SECONDS * 50):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            threading.Event().wait(0.02)
        else:
            return
    pytest.fail(f"nothing listens on port {port}")


@pytest.fixture
def kitchen(tmp_path: Path) -> Iterator[Kitchen]:
    _require_the_extra()
    kitchen = Kitchen(tmp_path)
    with kitchen.stack:
        yield kitchen


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An endpoint for the tests of a file that change nothing in it."""
    _require_the_extra()
    kitchen = Kitchen(tmp_path_factory.mktemp("standing"))
    with kitchen.stack:
        yield kitchen.serve_two_documents()


@pytest.fixture
def served(standing: Served) -> Served:
    """Two documents, one of them long, and a model that has its first answer again."""
    standing.model.reset()
    return standing


def _require_the_extra() -> None:
    for package in ("granian", "fastapi", "multipart"):
        pytest.importorskip(package, reason="the endpoint needs the extra `serve`")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for a file of tests; while playwright's synchronous face is open, its thread has no other loop."""
    playwright = pytest.importorskip("playwright.sync_api", reason="the page is tested with playwright")
    path = os.environ.get("PLUMBLINE_CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip("no Chromium on the path and none named by PLUMBLINE_CHROMIUM")
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, args=["--no-sandbox"] if root else [])
        yield browser
        browser.close()


Opener = Callable[..., "Page"]


@pytest.fixture
def visit(browser: Browser) -> Iterator[Opener]:
    """Open the page in a browser context of its own; errors in its console fail the test, refused requests aside."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_page(url: str, *, width: int = 1280, height: int = 800, **options: Any) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, reduced_motion="reduce", **options)
        contexts.append(context)
        context.set_default_timeout(SECONDS * 1000)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: _listen(message.type, message.text, complaints))
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints


def _listen(kind: str, text: str, complaints: list[str]) -> None:
    if kind in ("error", "warning") and not text.startswith("Failed to load resource"):
        complaints.append(text)


@pytest.fixture
def ask() -> Callable[[Page, str], None]:
    """Type a question and send it with Enter."""

    def type_and_send(page: Page, question: str) -> None:
        field = page.get_by_label("Your question")
        field.fill(question)
        field.press("Enter")

    return type_and_send
