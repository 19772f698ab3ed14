"""`rag serve` in a process of its own, with a fake provider behind it: what clients of other makes are tried on."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from plumbline.aio import LoopThread
from rag import RAG
from rag.config import HOME_FILE
from rag.serve.keys import KeyRing
from routing.testing.server import FakeProvider
from routing.testing.wire import Script

KB = "kb/handbook"
MODEL = "openai/gpt-4.1-mini"
TENANT = "acme"
TEXT = "# Returns\n\nUnopened goods may be returned within 30 days of delivery. The customer pays for the parcel.\n"
GROUNDED = Script(("Unopened goods may be returned ", "within 30 days of delivery ", "[Source: returns.md]."))
START_SECONDS = 120


@dataclass
class Endpoint:
    """A running server; `provider` is what its hosted model asks."""

    url: str
    key: str
    home: Path
    provider: FakeProvider

    @property
    def openai(self) -> str:
        """What clients of OpenAI take for their base address."""
        return f"{self.url}/v1"


@contextmanager
def running(folder: Path) -> Iterator[Endpoint]:
    """Serves one knowledge base and one hosted model, which is tried twice; the only key is of the tenant "acme"."""
    home, base = folder / "home", folder / "handbook"
    (folder / "docs").mkdir()
    (folder / "docs" / "returns.md").write_text(TEXT, encoding="utf-8")
    with RAG.open(base, home=home, environ={}) as kb:
        kb.ingest(folder / "docs")
    ring = KeyRing(home / HOME_FILE)
    key = ring.add("tests", TENANT)
    ring.close()
    loop = LoopThread()
    provider = loop.run(FakeProvider(GROUNDED).__aenter__())
    try:
        with _served(base, home, provider.url) as url:
            yield Endpoint(url, key, home, provider)
    finally:
        loop.run(provider.__aexit__(None, None, None))
        loop.close()


@contextmanager
def _served(base: Path, home: Path, upstream: str) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--kb", str(base), "--home", str(home), "--port", str(port), "--model", MODEL]
    quick = ("routing.retry.attempts=2", "routing.retry.first_wait_seconds=0")
    for setting in (*quick, "routing.breaker.enabled=false", "routing.adaptive=false"):  # tests share the endpoint
        options += ["--set", setting]
    process = subprocess.Popen(
        [sys.executable, "-c", "from plumbline.cli import main; main()", "serve", *options],
        env={**os.environ, "OPENAI_API_KEY": "sk-test", "OPENAI_BASE_URL": f"{upstream}/v1", "OMP_NUM_THREADS": "1"},
        cwd=Path(__file__).parents[3],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        _wait(f"http://127.0.0.1:{port}/ready", process)
        yield f"http://127.0.0.1:{port}"
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=START_SECONDS)
        assert process.returncode == 0, said
    finally:
        process.kill()
        process.communicate()


def _wait(url: str, process: subprocess.Popen[str]) -> None:
    for _ in range(START_SECONDS * 10):
        assert process.poll() is None, process.communicate()[0]
        try:
            urllib.request.urlopen(url, timeout=START_SECONDS).close()
        except urllib.error.URLError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"{url} never became ready")
