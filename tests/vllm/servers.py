"""Real vLLM servers on the CPU, with a model that is made on the spot."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 300
MODEL = "tiny"
COMMON = ("--host", "127.0.0.1", "--max-model-len", "2048", "--enforce-eager", "--served-model-name", MODEL)
GENERATING = (
    *("--block-size", "32", "--enable-prompt-tokens-details", "--max-logprobs", "5"),
    *("--structured-outputs-config.backend", "xgrammar"),
    *("--structured-outputs-config.disable_any_whitespace", "true"),
    *("--enable-auto-tool-choice", "--tool-call-parser", "hermes"),
)
POOLING = ("--runner", "pooling")
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "TORCHDYNAMO_DISABLE": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_NO_USAGE_STATS": "1",
}


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: `name` is its model as Plumbline names it."""

    process: subprocess.Popen[bytes]
    url: str

    @property
    def name(self) -> str:
        """The model's name in a configuration."""
        return f"vllm/{MODEL}@{self.url}"

    def stop(self) -> None:
        """Ask it to end; it finishes what it is working on."""
        self.process.send_signal(signal.SIGTERM)


@contextmanager
def served(vllm: Path, model: Path, *arguments: str) -> Iterator[Server]:
    """A server for the block; `vllm` is the command."""
    port = _free_port()
    log = model.parent / f"vllm-{port}.log"
    command = [str(vllm), "serve", str(model), "--port", str(port), *COMMON, *arguments]
    with log.open("wb") as said:
        process = subprocess.Popen(
            command, stdout=said, stderr=said, env={**os.environ, **ENVIRONMENT}, start_new_session=True
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_for(url, process, log)
        yield Server(process, url)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    late = time.monotonic() + START_SECONDS
    while time.monotonic() < late and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5):
                return
        except OSError:
            time.sleep(0.5)
    raise AssertionError(f"vLLM does not start:\n{log.read_text(errors='replace')[-3000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
