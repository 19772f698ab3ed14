"""The server as a process of its own: ports, signals, clients and shells that come and go, and a sudden death."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from plumbline.errors import InputError
from rag import RAG
from rag.config import open_home
from rag.serve.server import claimed
from routing.cost.ledger import LedgerEntry
from routing.testing.server import FakeProvider, Fault
from routing.testing.wire import Script
from tests.rag.serve.conftest import QUESTION, events

MODEL = "openai/gpt-4o-mini"
PIECES = ("Unopened goods may be returned ", "within 30 days of delivery ", "[Source: returns.md].")
PATIENCE = 30


@dataclass
class Server:
    """A running `rag serve`."""

    process: asyncio.subprocess.Process
    client: httpx2.AsyncClient
    port: int

    async def stopped(self) -> tuple[int, str]:
        """Exit code and what it printed, once it has ended."""
        output, _ = await asyncio.wait_for(self.process.communicate(), PATIENCE)
        assert self.process.returncode is not None
        return self.process.returncode, output.decode()


@dataclass
class Place:
    """A knowledge base and a home, and the commands on them."""

    kb: Path
    home: Path
    environ: dict[str, str]
    started: list[asyncio.subprocess.Process] = field(default_factory=list)

    async def command(self, *arguments: str) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "plumbline.cli",
            *arguments,
            env={**os.environ, **self.environ, "PLUMBLINE_HOME": str(self.home), "OMP_NUM_THREADS": "1"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        self.started.append(process)
        return process

    async def end(self) -> None:
        """Leave no process behind, whatever a test did."""
        for process in self.started:
            if process.returncode is None:
                process.kill()
                await process.communicate()

    @asynccontextmanager
    async def serving(self, *arguments: str, port: int | None = None) -> AsyncIterator[Server]:
        port = port or free_port()
        process = await self.command("serve", "--kb", str(self.kb), "--port", str(port), *arguments)
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as client:
            await ready(client, process)
            yield Server(process, client, port)

    def ledger(self, kind: str = "chat") -> list[LedgerEntry]:
        home = open_home(self.home)
        try:
            return [entry for _, entry in home.ledger.after(0) if entry.kind == kind]
        finally:
            home.close()


@pytest.fixture
async def provider() -> AsyncIterator[FakeProvider]:
    pytest.importorskip("openai")
    async with FakeProvider(Script(pieces=PIECES)) as server:
        yield server


@pytest.fixture
async def place(tmp_path: Path, home: Path, docs: Path, provider: FakeProvider) -> AsyncIterator[Place]:
    async with RAG.open(tmp_path / "kb", home=home, environ={}) as base:
        await base.aingest(docs)
    environ = {"OPENAI_API_KEY": "sk-test", "OPENAI_BASE_URL": f"{provider.url}/v1"}
    made = Place(tmp_path / "kb", home, environ)
    yield made
    await made.end()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def ready(client: httpx2.AsyncClient, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(PATIENCE):
        while process.returncode is None:
            try:
                if (await client.get("/ready")).status_code == 200:
                    return
            except httpx2.TransportError:
                await asyncio.sleep(0.05)
            await asyncio.sleep(0.05)
    output, _ = await process.communicate()
    pytest.fail(f"the server ended: {output.decode()}")


async def until(server: Server, line: str) -> None:
    """Wait until the metrics hold `line`."""
    async with asyncio.timeout(PATIENCE):
        while True:
            metrics = await server.client.get("/metrics")
            if line in metrics.text.splitlines():
                return
            await asyncio.sleep(0.05)


async def read_until(lines: AsyncIterator[str], wanted: str) -> list[str]:
    seen = []
    async for line in lines:
        seen.append(line)
        if line.startswith(wanted):
            return seen
    pytest.fail(f"no {wanted} in {seen}")


def streamed(server: Server) -> Any:
    return server.client.stream("POST", "/api/ask", json={"question": QUESTION, "stream": True})


async def refused(server: Server) -> None:
    """Returns once the server takes no connection any more."""
    while True:
        try:
            async with httpx2.AsyncClient() as other:
                await other.get(f"http://127.0.0.1:{server.port}/health")
        except httpx2.TransportError:
            return
        await asyncio.sleep(0.05)


async def test_sigterm_lets_a_stream_finish_and_refuses_new_requests(place: Place, provider: FakeProvider) -> None:
    provider.pause = 0.3
    async with place.serving("--model", MODEL) as server:
        async with streamed(server) as response:
            lines = aiter(response.aiter_lines())
            seen = await read_until(lines, "event: delta")
            server.process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(refused(server), 20)
            seen += [line async for line in lines]
        code, output = await server.stopped()
    name, answer = events("\n".join(seen))[-1]
    assert (name, answer["text"], answer["degraded"]) == ("answer", "".join(PIECES), None)
    assert code == 0, output
    assert "Serving kb (3 documents)" in output
    assert [(row.model, row.error) for row in place.ledger()] == [(MODEL, None)]


async def test_what_does_not_finish_in_time_is_cut_off_and_told_so(place: Place, provider: FakeProvider) -> None:
    provider.faults.append(Fault("stall", after=2))
    async with place.serving("--model", MODEL, "--set", "serve.drain_seconds=0.3") as server:
        _, dawdler = await asyncio.open_connection("127.0.0.1", server.port)
        dawdler.write(b"POST /api/ask HTTP/1.1\r\nHost: 127.")
        async with streamed(server) as response:
            lines = aiter(response.aiter_lines())
            seen = await read_until(lines, "event: delta")
            server.process.send_signal(signal.SIGTERM)
            seen += [line async for line in lines]
        code, output = await server.stopped()
        dawdler.close()
    name, problem = events("\n".join(seen))[-1]
    assert (name, problem["type"]) == ("error", "urn:plumbline:problem:busy")
    assert code == 0, output
    assert [(bool(row.cost), row.error) for row in place.ledger()] == [(True, "CancelledError")], "at an estimate"


async def test_a_client_that_leaves_in_the_middle_ends_the_call_and_the_ledger_is_right(
    place: Place, provider: FakeProvider
) -> None:
    provider.faults.append(Fault("stall", after=2))
    async with place.serving("--model", MODEL) as server:
        async with streamed(server) as response:
            await read_until(aiter(response.aiter_lines()), "event: delta")
        await until(server, "plumbline_requests_in_flight 0.0")
        assert [(bool(row.cost), row.error) for row in place.ledger()] == [(True, "CancelledError")], "at an estimate"
        again = await server.client.post("/api/ask", json={"question": QUESTION})
        assert again.json()["text"] == "".join(PIECES)


async def test_sigterm_under_load_loses_no_answer(place: Place, provider: FakeProvider) -> None:
    async with place.serving("--model", MODEL) as server:

        async def ask(worker: int) -> list[int | str]:
            outcomes: list[int | str] = []
            async with httpx2.AsyncClient(base_url=server.client.base_url, timeout=PATIENCE) as client:
                while True:
                    try:
                        response = await client.post("/api/ask", json={"question": f"{QUESTION} {worker}"})
                    except httpx2.ConnectError:
                        return outcomes
                    except httpx2.TransportError as error:
                        # A kept connection may be closed just as the next request is sent on it: RFC 9112, 9.5.
                        return [*outcomes, type(error).__name__]
                    outcomes.append(response.status_code if response.json()["citations"] else "empty")

        workers = [asyncio.create_task(ask(worker)) for worker in range(4)]
        await asyncio.sleep(1)
        server.process.send_signal(signal.SIGTERM)
        outcomes = await asyncio.wait_for(asyncio.gather(*workers), PATIENCE)
        code, output = await server.stopped()
    assert code == 0, output
    answered = sum(outcome == 200 for worker in outcomes for outcome in worker)
    assert answered > 0
    assert all(outcome == 200 for worker in outcomes for outcome in worker[:-1])
    assert len(place.ledger()) >= answered
    assert all(row.error is None for row in place.ledger())


async def test_two_servers_on_one_port_and_a_shell_beside(place: Place, docs: Path) -> None:
    async with place.serving() as server:
        second = await place.command("serve", "--kb", str(place.kb), "--port", str(server.port))
        output, _ = await asyncio.wait_for(second.communicate(), PATIENCE)
        assert second.returncode == 2
        assert f"Port {server.port} on 127.0.0.1 is in use." in output.decode()
        (docs / "cats.md").write_text("# Cats\n\nCats sleep 14 hours a day.\n")
        shell = await place.command("ingest", str(docs), "--kb", str(place.kb))
        await asyncio.wait_for(shell.communicate(), PATIENCE)
        answer = await server.client.post("/api/ask", json={"question": "How many hours do cats sleep?"})
        assert "14 hours" in answer.json()["text"]
        server.process.send_signal(signal.SIGINT)
        assert (await server.stopped())[0] == 0


async def test_a_killed_server_leaves_nothing_half_and_forgets_nothing_whole(place: Place) -> None:
    uploads = place.kb / "uploads"
    async with place.serving() as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(
            b"POST /api/documents HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=x\r\n"
            b"Content-Length: 9000000\r\n\r\n"
            b'--x\r\nContent-Disposition: form-data; name="files"; filename="half.md"\r\n\r\n' + b"half " * 400_000
        )
        async with asyncio.timeout(PATIENCE):
            growing: list[Path] = []
            while not growing:
                await asyncio.sleep(0.02)
                growing = [*uploads.glob(".upload-*")]
        server.process.kill()
        await server.process.communicate()
        writer.close()
    assert [path.name.startswith(".") for path in uploads.iterdir()] == [True]
    (uploads / "cats.md").write_text("# Cats\n\nCats sleep 14 hours a day.\n")
    async with place.serving() as server:
        await until(server, 'plumbline_ingestions_total{state="done"} 1.0')
        assert [path.name for path in uploads.iterdir()] == ["cats.md"]
        answer = await server.client.post("/api/ask", json={"question": "How many hours do cats sleep?"})
        assert "14 hours" in answer.json()["text"]


def test_a_port_is_claimed_once_and_given_back() -> None:
    port = free_port()
    with claimed("127.0.0.1", port), pytest.raises(InputError, match="in use"), claimed("127.0.0.1", port):
        pytest.fail("two servers would share the port")
    with claimed("127.0.0.1", port):
        pass
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        with pytest.raises(InputError, match=f"--port {port + 1}"), claimed("127.0.0.1", port):
            pytest.fail("the port is another program's")
