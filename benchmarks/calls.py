"""What the path of a call costs beside the bare SDK, and beside LiteLLM's Router.

    python -m benchmarks.calls [--rounds 12] [--litellm-python PATH]

One fake provider that answers at once is a process of its own on the last core; whoever asks is on the first. Asked:

- openai, aiohttp: `chat.completions.create` of openai's client on its aiohttp transport, without retries: the floor of
  all ratios
- openai, httpx: the same on its default transport
- plumbline: the whole path with everything on: policy, tries again with their budget, breaker, limits with adaptive
  concurrency, a budget of money, price, trace and ledger on disk
- plumbline, least: the same without breaker, limits and budget
- LiteLLM: its Router with one model, in a process and an environment of its own: `python3 -m venv V`,
  `V/bin/pip install litellm`, then `--litellm-python V/bin/python`

A block is 50 calls one after the other, then 640 of which 64 at a time, then 10 streams of 50 chunks. All asked take
their blocks in turn, so that a machine that is busy for a while is so for all; "x" is the median over the blocks of the
ratio to the floor's block just before, "+ms" the median of the difference. CPU is the asking process's, all threads.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

MODEL = "gpt-4.1-mini"
FLOOR = "openai, aiohttp"
CHUNKS = 50
ALONE, TOGETHER, STREAMS = 50, 640, 10
CONCURRENT = 64
MESSAGES = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "When? " + "Goods may be returned within 30 days of delivery. " * 8},
]


@dataclass(frozen=True, slots=True)
class Asker:
    """One that is measured: an answer in one piece, and a stream, of which the number of pieces is returned."""

    call: Callable[[], Awaitable[object]]
    stream: Callable[[], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class Block:
    """`alone` and `stream` are medians in ms, `rate` calls a second, the others CPU-ms a call and a stream."""

    alone: float
    alone_cpu: float
    rate: float
    rate_cpu: float
    stream: float
    stream_cpu: float


async def block(asker: Asker) -> Block:
    """One block."""
    alone, alone_cpu = await _in_turn(asker.call, ALONE)
    began, used = time.perf_counter(), time.process_time()
    await _together(asker.call)
    rate = TOGETHER / (time.perf_counter() - began)
    rate_cpu = (time.process_time() - used) * 1e3 / TOGETHER
    stream, stream_cpu = await _in_turn(partial(_streamed, asker), STREAMS)
    return Block(alone, alone_cpu, rate, rate_cpu, stream, stream_cpu)


async def _in_turn(call: Callable[[], Awaitable[object]], count: int) -> tuple[float, float]:
    seconds, used = [], time.process_time()
    for _ in range(count):
        began = time.perf_counter()
        await call()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds) * 1e3, (time.process_time() - used) * 1e3 / count


async def _together(call: Callable[[], Awaitable[object]]) -> None:
    left = iter(range(TOGETHER))

    async def some() -> None:
        for _ in left:
            await call()

    await asyncio.gather(*(some() for _ in range(CONCURRENT)))


async def _streamed(asker: Asker) -> None:
    pieces = await asker.stream()
    assert pieces >= CHUNKS, pieces


def main() -> None:
    """Measure and print, or play one of the other parts."""
    if sys.argv[1:2] in (["provider"], ["litellm"]):
        os.sched_setaffinity(0, {int(sys.argv[3])})
        provider(int(sys.argv[2])) if sys.argv[1] == "provider" else asyncio.run(litellm(sys.argv[2]))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=12, help="blocks of each, of which the first warms up")
    parser.add_argument("--litellm-python", type=Path, help="interpreter of an environment that has litellm")
    arguments = parser.parse_args()
    port, cores = 18_000 + os.getpid() % 1000, sorted(os.sched_getaffinity(0))
    command = [sys.executable, "-P", __file__, "provider", str(port), str(cores[-1])]
    with subprocess.Popen(command) as server:
        os.sched_setaffinity(0, {cores[0]})
        try:
            found = asyncio.run(measured(f"http://127.0.0.1:{port}/v1", arguments.rounds, arguments.litellm_python))
        finally:
            server.terminate()
    show(found)
    if arguments.litellm_python is None:
        print("LiteLLM left out: name its interpreter with --litellm-python")


async def measured(url: str, rounds: int, litellm_python: Path | None) -> Mapping[str, Sequence[Block]]:
    """The blocks of each, without those that warm up."""
    await _until_it_listens(url)
    async with AsyncExitStack() as stack:
        askers: dict[str, Callable[[], Awaitable[Block]]] = {}
        for name, kind in ((FLOOR, "DefaultAioHttpClient"), ("openai, httpx", "DefaultAsyncHttpxClient")):
            askers[name] = partial(block, await stack.enter_async_context(bare(url, kind)))
        for name, everything in (("plumbline", True), ("plumbline, least", False)):
            askers[name] = partial(block, await stack.enter_async_context(ours(url, everything=everything)))
        if litellm_python is not None:
            askers["LiteLLM"] = await stack.enter_async_context(apart(url, litellm_python))
        found: dict[str, list[Block]] = {name: [] for name in askers}
        for number in range(rounds):
            if number == 1:
                gc.collect()
                gc.freeze()
            for name, ask in askers.items():
                found[name].append(await ask())
    return {name: blocks[1:] for name, blocks in found.items()}


async def _until_it_listens(url: str) -> None:
    host, _, port = url.removeprefix("http://").removesuffix("/v1").partition(":")
    for _ in range(300):
        with suppress(OSError):
            _, writer = await asyncio.open_connection(host, int(port))
            writer.close()
            return
        await asyncio.sleep(0.1)
    raise SystemExit("the provider did not start")


def show(found: Mapping[str, Sequence[Block]]) -> None:
    """The table."""
    print(f"{'':18}{'one by one':^32}{f'{CONCURRENT} at a time':^26}{f'a stream of {CHUNKS} chunks':^26}")
    head = f"{'p50 ms':>9}{'+ms':>7}{'x':>6}{'CPU':>7}  {'calls/s':>9}{'x':>6}{'CPU':>7}    {'ms':>8}{'x':>6}{'CPU':>7}"
    print(f"{'':18}{head}")
    for name, blocks in found.items():
        pairs = list(zip(blocks, found[FLOOR], strict=True))
        middle = {key: statistics.median(getattr(each, key) for each in blocks) for key in Block.__slots__}
        times = {key: statistics.median(getattr(a, key) / getattr(b, key) for a, b in pairs) for key in Block.__slots__}
        more = statistics.median(a.alone - b.alone for a, b in pairs)
        print(
            f"{name:18}{middle['alone']:9.2f}{more:+7.2f}{times['alone']:6.2f}{middle['alone_cpu']:7.2f}  "
            f"{middle['rate']:9.0f}{times['rate']:6.2f}{middle['rate_cpu']:7.2f}    "
            f"{middle['stream']:8.2f}{times['stream']:6.2f}{middle['stream_cpu']:7.2f}"
        )


@asynccontextmanager
async def bare(url: str, kind: str) -> AsyncIterator[Asker]:
    """OpenAI's client on one of its transports."""
    import openai

    http = getattr(openai, kind)()
    async with openai.AsyncOpenAI(base_url=url, api_key="none", http_client=http, max_retries=0) as client:
        ask: Any = partial(client.chat.completions.create, model=MODEL, messages=MESSAGES, max_completion_tokens=256)

        async def stream() -> int:
            chunks = await ask(stream=True, stream_options={"include_usage": True})
            return sum([1 async for chunk in chunks if chunk.choices and chunk.choices[0].delta.content])

        yield Asker(ask, stream)


@asynccontextmanager
async def ours(url: str, *, everything: bool) -> AsyncIterator[Asker]:
    """The whole path, over a home of its own."""
    from plumbline.database import open_database
    from plumbline.trace import Tracing
    from plumbline.trace import component as traces
    from routing.chat import ChatOptions, ChatRequest, Message, Tags, TextDelta
    from routing.cost.budget_tables import component as budgets
    from routing.cost.ledger import Ledger
    from routing.cost.ledger import component as ledger
    from routing.cost.price_file import price_table
    from routing.meter import Meter
    from routing.models.catalog import DEFAULT_CATALOG
    from routing.protection import protect
    from routing.router import Router

    model = DEFAULT_CATALOG.chat_model(f"openai/{MODEL}", environ={"OPENAI_API_KEY": "none", "OPENAI_BASE_URL": url})
    messages = tuple(Message(each["role"], each["content"]) for each in MESSAGES)  # type: ignore[arg-type]  # a role
    request = ChatRequest(messages, options=ChatOptions(max_tokens=256), tags=Tags(tenant="acme", key="ci"))
    settings = _settings(everything)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "home.db"
        engine = open_database(path, [ledger(), traces(), budgets()])
        rows, tracing = Ledger(engine, path), Tracing(engine)
        guard = protect(settings, path, ledger=rows)
        meter = Meter(tracing, rows, price_table(settings), guard.guards, guard.budgets, guard.retry_budgets)
        router = Router([model], meter=meter, retry=settings.retry)

        async def stream() -> int:
            return sum([1 async for event in router.stream(request) if isinstance(event, TextDelta)])

        try:
            yield Asker(partial(router.complete, request), stream)
        finally:
            await model.close()
            await guard.close()
            tracing.close()
            engine.dispose()


def _settings(everything: bool) -> Any:
    from routing.settings import RoutingSettings

    if not everything:
        return RoutingSettings.model_validate({"breaker": {"enabled": False}, "adaptive": False})
    limit = {"per": "tenant", "requests_per_minute": 10**9, "tokens_per_minute": 10**12, "concurrent": 10_000}
    budget = {"name": "month", "per": "tenant", "limit": "1000000"}
    return RoutingSettings.model_validate({"limits": [limit], "budgets": [budget]})


@asynccontextmanager
async def apart(url: str, python: Path) -> AsyncIterator[Callable[[], Awaitable[Block]]]:
    """LiteLLM's Router in a process of its own, which takes a block when it is told to."""
    environment = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}
    core = str(min(os.sched_getaffinity(0)))
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        str(python), "-P", __file__, "litellm", url, core, stdin=pipe, stdout=pipe, env=environment
    )
    assert process.stdin is not None
    assert process.stdout is not None
    told, heard = process.stdin, process.stdout

    async def ask() -> Block:
        told.write(b"block\n")
        await told.drain()
        line = await heard.readline()
        if not line:
            raise SystemExit("LiteLLM's process has ended")
        return Block(**json.loads(line))

    try:
        yield ask
    finally:
        told.close()
        await process.wait()


async def litellm(url: str) -> None:
    """The part of LiteLLM: a block for every line that comes."""
    from litellm import Router  # type: ignore[import-not-found]  # in an environment of its own

    where = {"model": f"openai/{MODEL}", "api_base": url, "api_key": "none"}
    router = Router(model_list=[{"model_name": MODEL, "litellm_params": where}], num_retries=2)
    ask: Any = partial(router.acompletion, model=MODEL, messages=MESSAGES, max_tokens=256)

    async def stream() -> int:
        chunks = await ask(stream=True, stream_options={"include_usage": True})
        return sum([1 async for chunk in chunks if chunk.choices and chunk.choices[0].delta.content])

    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline):
        found = await block(Asker(ask, stream))
        print(json.dumps({key: getattr(found, key) for key in Block.__slots__}), flush=True)


def provider(port: int) -> None:
    """Answers at once."""
    from aiohttp import web

    frame = {"id": "1", "created": 1, "model": MODEL}
    usage = {"prompt_tokens": 120, "completion_tokens": CHUNKS, "total_tokens": 120 + CHUNKS}
    message = {"role": "assistant", "content": "Within 30 days. " * 10, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    whole = json.dumps({**frame, "object": "chat.completion", "choices": [choice], "usage": usage}).encode()
    deltas: list[tuple[dict[str, Any], str | None]] = [({"role": "assistant", "content": ""}, None)]
    deltas += [({"content": "word "}, None)] * CHUNKS + [({}, "stop")]
    choices = [[{"index": 0, "delta": delta, "finish_reason": finish}] for delta, finish in deltas]
    chunks: list[dict[str, Any]] = [{"choices": each, "usage": None} for each in choices]
    chunks.append({"choices": [], "usage": usage})
    kind = "chat.completion.chunk"
    events = [f"data: {json.dumps({**frame, 'object': kind, **chunk})}\n\n".encode() for chunk in chunks]
    events.append(b"data: [DONE]\n\n")

    async def chat(request: web.Request) -> web.StreamResponse:
        if not json.loads(await request.read()).get("stream"):
            return web.Response(body=whole, content_type="application/json")
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for event in events:
            await response.write(event)
            await asyncio.sleep(0)
        await response.write_eof()
        return response

    application = web.Application()
    application.router.add_post("/v1/chat/completions", chat)
    web.run_app(application, host="127.0.0.1", port=port, print=None, access_log=None)


if __name__ == "__main__":
    main()
