"""What the endpoint takes per request: as a gateway and for questions, beside LiteLLM's proxy and a bare proxy.

    python -m benchmarks.gateway [--litellm-python PATH] [--only NAME] [--seconds 10]

One fake provider that answers at once stands behind everything. Each server is a process of its own on the first core,
provider and load on the others, and gets `--warm` seconds before each measurement.

- bare: granian and aiohttp, about 30 lines: read, send on, answer. The floor of a gateway in Python.
- gateway: `rag serve`, `/v1/chat/completions` of a hosted model: checked, priced, traced, in the ledger
- gateway, keys: the same with an API key
- ask: `rag serve`, `/api/ask` over examples/corpus with the extractive model, a different question each time
- ask, repeats: the same question again and again
- LiteLLM: its proxy with one worker, its master key and no database. To have it, in an environment of its own:
  `python3 -m venv V && V/bin/pip install 'litellm[proxy]'`, then `--litellm-python V/bin/python`.

CPU-ms are those of the server and its children, user and system, per request; RSS is theirs after the load. Both are
read from /proc, so that this runs on Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag import RAG
from rag.config import HOME_FILE
from rag.serve.keys import KeyRing

ROOT = Path(__file__).parents[1]
CONNECTIONS = (1, 16, 64)
MODEL = "openai/gpt-4.1-mini"
PROMPT = "Answer in one sentence from the passage below. " + "Goods may be returned within 30 days of delivery. " * 8
CHAT = {"model": MODEL, "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": PROMPT}]}
START_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Server:
    """One line of the table: how to start it on a port, and what to send."""

    name: str
    command: Sequence[str]
    path: str
    bodies: Sequence[Mapping[str, Any]]
    ready: str
    key: str = "none"


def main() -> None:
    """Measure every server and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--litellm-python", type=Path, help="interpreter of an environment that has litellm[proxy]")
    parser.add_argument("--only", action="append", help="measure only this line; may be repeated")
    parser.add_argument("--seconds", type=float, default=10.0, help="per measurement")
    parser.add_argument("--warm", type=float, default=5.0, help="seconds of load before each measurement")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, _provider() as upstream:
        print(f"{'':16}connections  requests/s  CPU-ms/request  p50 ms  p99 ms  RSS MB  failures")
        for server in _servers(Path(folder), upstream, arguments.litellm_python):
            if not arguments.only or server.name in arguments.only:
                _measure(server, upstream, Path(folder), warm=arguments.warm, seconds=arguments.seconds)
    if arguments.litellm_python is None:
        print("LiteLLM         left out: name its interpreter with --litellm-python")


def _servers(folder: Path, upstream: str, litellm_python: Path | None) -> Iterator[Server]:
    questions = [
        json.loads(line)["question"] for line in (ROOT / "examples" / "questions.jsonl").open(encoding="utf-8")
    ]
    repeated = [{"question": questions[0]}]
    different = [{"question": f"{question} ({number})"} for number in range(500) for question in questions]
    home, keyed = folder / "home", folder / "keyed"
    with RAG.open(folder / "kb", home=home, environ={}) as kb:
        kb.ingest(ROOT / "examples" / "corpus")
    ring = KeyRing(keyed / HOME_FILE)
    key = ring.add("benchmark", "tenant")
    ring.close()
    ours = [sys.executable, "-c", "from plumbline.cli import main; main()", "serve", "--kb", str(folder / "kb")]
    ours += ["--set", f"serve.models=[{MODEL}]", "--set", "serve.max_concurrent=1000", "--port", "{port}", "--home"]
    bare = [sys.executable, "-m", "benchmarks._gateway_roles", "bare", "{port}", upstream]
    chat = "/v1/chat/completions"
    yield Server("bare", bare, chat, [CHAT], "/")
    yield Server("gateway", [*ours, str(home)], chat, [CHAT], "/ready")
    yield Server("gateway, keys", [*ours, str(keyed)], chat, [CHAT], "/ready", key)
    yield Server("ask", [*ours, str(home)], "/api/ask", different, "/ready")
    yield Server("ask, repeats", [*ours, str(home)], "/api/ask", repeated, "/ready")
    if litellm_python is not None:
        yield _litellm(litellm_python, folder / "litellm.json", upstream)


def _litellm(python: Path, config: Path, upstream: str) -> Server:
    parameters = {"model": MODEL, "api_base": f"{upstream}/v1", "api_key": "none"}
    key = f"sk-{secrets.token_hex(32)}"  # it refuses to start without one
    served = {
        "general_settings": {"master_key": key},
        "model_list": [{"model_name": MODEL, "litellm_params": parameters}],
        "litellm_settings": {"telemetry": False},
    }
    config.write_text(json.dumps(served), encoding="utf-8")  # JSON is YAML
    command = [str(python.parent / "litellm"), "--config", str(config), "--host", "127.0.0.1", "--num_workers", "1"]
    return Server("LiteLLM", [*command, "--port", "{port}"], "/v1/chat/completions", [CHAT], "/health/liveliness", key)


def _measure(server: Server, upstream: str, folder: Path, *, warm: float, seconds: float) -> None:
    port = _free_port()
    bodies = folder / "bodies"
    bodies.write_text("\n".join(json.dumps(body) for body in server.bodies), encoding="utf-8")
    command = [part.replace("{port}", str(port)) for part in server.command]
    with _running(command, f"http://127.0.0.1:{port}{server.ready}", upstream, cores=_first_core()) as process:
        for connections in CONNECTIONS:
            target = f"http://127.0.0.1:{port}{server.path}"
            load = ["load", target, str(bodies), str(connections), server.key]
            _load(load, warm)
            before = _cpu_seconds(process.pid)
            found = _load(load, seconds)
            cpu = (_cpu_seconds(process.pid) - before) * 1000 / found["requests"]
            print(
                f"{server.name:16}{connections:11}{found['requests'] / found['seconds']:12.0f}{cpu:16.2f}"
                f"{found['p50']:8.1f}{found['p99']:8.1f}{_resident_mb(process.pid):8.0f}{found['failures']:10.0f}",
                flush=True,
            )


def _load(arguments: Sequence[str], seconds: float) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks._gateway_roles", *arguments, str(seconds)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        os.sched_setaffinity(process.pid, _other_cores())
        said, _ = process.communicate()
    if process.returncode:
        raise SystemExit("The load broke off; see above.")
    found: dict[str, float] = json.loads(said)
    return found


@contextmanager
def _provider() -> Iterator[str]:
    port = _free_port()
    command = [sys.executable, "-m", "benchmarks._gateway_roles", "provider", str(port)]
    with _running(command, f"http://127.0.0.1:{port}/", "", cores=_other_cores()):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def _running(
    command: Sequence[str], ready: str, upstream: str, *, cores: set[int]
) -> Iterator[subprocess.Popen[bytes]]:
    environment = {
        **os.environ,
        "OPENAI_API_KEY": "none",
        "OPENAI_BASE_URL": f"{upstream}/v1",
        "OMP_NUM_THREADS": "1",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # no request to the network at its start
        "LITELLM_LOG": "ERROR",
    }
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        os.sched_setaffinity(process.pid, cores)
        try:
            if not _comes_up(ready, process):
                log.seek(0)
                raise SystemExit(f"{command} did not start:\n{log.read().decode(errors='replace')[-2000:]}")
            yield process
        finally:
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _comes_up(url: str, process: subprocess.Popen[bytes]) -> bool:
    """Wait until the server answers, with whatever; `rag serve` says 503 until it is ready."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except urllib.error.HTTPError as error:
            if error.code != 503:
                return True
        except OSError:
            time.sleep(0.2)
        else:
            return True
    return False


def _tree(pid: int) -> list[int]:
    """A process and its descendants."""
    listed = " ".join(path.read_text(encoding="ascii") for path in Path(f"/proc/{pid}/task").glob("*/children"))
    return [pid, *(found for child in listed.split() for found in _tree(int(child)))]


def _cpu_seconds(pid: int) -> float:
    ticks = 0
    for found in _tree(pid):
        fields = Path(f"/proc/{found}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _resident_mb(pid: int) -> float:
    pages = sum(int(Path(f"/proc/{found}/statm").read_text(encoding="ascii").split()[1]) for found in _tree(pid))
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _first_core() -> set[int]:
    return set(sorted(os.sched_getaffinity(0))[:1])


def _other_cores() -> set[int]:
    return set(sorted(os.sched_getaffinity(0))[1:]) or _first_core()


if __name__ == "__main__":
    main()
