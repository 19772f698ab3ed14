"""Whether a budget holds when many spend it at once: 200 clients with 500 requests each, in several processes.

    python -m benchmarks.budgets [--clients 200] [--requests 500] [--processes 4] [--redis redis://localhost:6379/0]

The clients ask a fake provider over HTTP, through router, meter and ledger. It charges by the token, as it likes up to
what it was allowed, and adds up what it charged: that is the invoice. The limit is what `--share` of the requests are
to cost, so that most clients meet it. Printed for each kind of budget:

- overspend: the invoice above the limit; 0
- refused, and of those wrongly: spent + reserved + bound <= limit when it was refused, seen in the same transaction; 0
- ledger: what all rows add up to, beside the invoice; the same
- left: what is neither spent nor enough for one more call; and what the counter says beside the ledger; the same

`read, then write` is the negative control, a budget that looks before and adds up afterwards, as one would write it
first: it overspends. With `--redis` the processes stand for machines, each with a ledger of its own. Last, what
reserving and settling takes of the processor, by calls one after the other, beside the ledger's row alone.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import random
import sqlite3
import tempfile
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from multiprocessing.connection import Connection
from pathlib import Path
from secrets import token_hex
from typing import Any, Literal

from plumbline.database import open_database
from plumbline.trace import Tracing
from plumbline.trace import component as traces
from plumbline.writing import WriteConnection
from routing.call import Budgets, Call, Reservation, Write
from routing.chat import ChatOptions, ChatRequest, Message, Tags, Usage
from routing.cost.budget import LocalBudgets
from routing.cost.budget_redis import RedisBudgets
from routing.cost.budget_tables import component as budget_tables
from routing.cost.budget_terms import dollars, picodollars
from routing.cost.ledger import Ledger, LedgerEntry
from routing.cost.ledger import component as ledger_table
from routing.cost.prices import Price, PriceTable
from routing.errors import BudgetError
from routing.meter import Meter
from routing.models.openai import OpenAIChatModel
from routing.resilience.redis_link import RedisLink
from routing.router import Router
from routing.settings import BudgetSettings, RetrySettings

Close = Callable[[], Awaitable[None]]
Kind = Literal["read, then write", "sqlite", "redis"]
MODEL = "openai/gpt-4.1-mini"
PRICE = Price(Decimal("0.4"), Decimal("1.6"))
PROMPT_TOKENS, MOST_TOKENS = 12, 100
FILE = "home.db"


@dataclass(frozen=True, slots=True)
class Plan:
    """One run. `folder` holds the homes, `url` is the provider's."""

    kind: Kind
    budget: BudgetSettings
    folder: Path
    url: str
    redis: str
    clients: int
    requests: int

    def home(self, process: int) -> Path:
        """Where a process keeps its ledger: machines have their own."""
        return self.folder / (str(process) if self.kind == "redis" else "home") / FILE


@dataclass(frozen=True, slots=True)
class Count:
    """What the clients of one process saw."""

    made: int = 0
    refused: int = 0
    wrongly: int = 0
    failed: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(
            self.made + other.made,
            self.refused + other.refused,
            self.wrongly + other.wrongly,
            self.failed + other.failed,
        )


class ReadThenWrite:
    """The budget as one would write it first: is there room? Then go, and add it up when it is done."""

    def __init__(self, path: Path, settings: BudgetSettings) -> None:
        self._limit = picodollars(settings.limit)
        self._home = WriteConnection(path)
        with self._home.transaction() as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS plain (spent INTEGER NOT NULL)")
            connection.execute("INSERT INTO plain SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM plain)")

    async def reserve(self, call: Call) -> Reservation:
        """Only looks."""
        assert call.bound is not None
        with self._home.transaction() as connection:
            spent = int(connection.execute("SELECT spent FROM plain").fetchone()[0])
        if spent + picodollars(call.bound) > self._limit:
            raise BudgetError("There is no room.", model=call.model)
        return _Afterwards()


class _Afterwards:
    def settle(self, cost: Decimal | None) -> Write:
        def write(connection: sqlite3.Connection) -> None:
            connection.execute("UPDATE plain SET spent = spent + ?", (picodollars(cost or Decimal(0)),))

        return write


def main() -> None:
    """Run each kind and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--requests", type=int, default=500, help="of each client")
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--share", type=float, default=0.6, help="of the requests that the limit is enough for")
    parser.add_argument("--redis", default="", help="the address of a server that may be written to")
    parser.add_argument("--only", choices=["read, then write", "sqlite", "redis"], action="append")
    arguments = parser.parse_args()
    kinds: list[Kind] = ["read, then write", "sqlite", *(["redis"] if arguments.redis else [])]  # type: ignore[list-item]  # a conditional display has no literal type
    mean = PRICE.of(Usage(PROMPT_TOKENS, (1 + MOST_TOKENS) // 2))
    limit = mean * arguments.clients * arguments.requests * Decimal(str(arguments.share))
    for kind in kinds:
        if arguments.only and kind not in arguments.only:
            continue
        budget = BudgetSettings(name=token_hex(4), limit=limit, period="total")
        with tempfile.TemporaryDirectory() as folder, _provider() as (url, invoice):
            per_process = arguments.clients // arguments.processes
            plan = Plan(kind, budget, Path(folder), url, arguments.redis, per_process, arguments.requests)
            _measure(plan, arguments.processes, invoice)
    for kind in kinds:
        if kind != "read, then write":
            with tempfile.TemporaryDirectory() as folder:
                asyncio.run(_processor_time(kind, Path(folder), arguments.redis))


def _measure(plan: Plan, processes: int, invoice: Callable[[], tuple[int, Decimal]]) -> None:
    for process in range(processes):
        _open(plan.home(process))
    started = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        counts = pool.starmap(_clients, [(plan, process) for process in range(processes)])
    seconds = time.perf_counter() - started
    count = sum(counts, Count())
    calls, charged = invoice()
    homes = {plan.home(process) for process in range(processes)}
    books = [_open(home)[1] for home in homes]
    totals = [ledger.totals() for ledger in books]
    written = sum((each.cost for each in totals), Decimal(0))
    limit = plan.budget.limit
    print(
        f"{plan.kind}: {processes} processes, {processes * plan.clients} clients x {plan.requests} requests, "
        f"limit ${limit:f}\n"
        f"  {count.made:,} calls, {calls:,} at the provider, {sum(each.calls for each in totals):,} in the ledger; "
        f"{count.failed} failed; {(count.made + count.refused) / seconds:,.0f} requests/s, {count.made / seconds:,.0f} "
        "calls/s\n"
        f"  invoice ${charged:f}, overspend ${max(charged - limit, Decimal(0)):f} "
        f"({max(charged / limit - 1, Decimal(0)):.2%})\n"
        f"  refused {count.refused:,}, wrongly {count.wrongly}\n"
        f"  ledger - invoice = ${written - charged:f}"
    )
    if plan.kind != "read, then write":
        asyncio.run(_compare(plan, written, books[0]))


async def _compare(plan: Plan, written: Decimal, books: Ledger) -> None:
    """What the counter says in the end, and whether what is left can still be spent, and no more."""
    budgets, close = _budgets(plan, plan.home(0), books)
    (state,) = await budgets.states()
    left = state.limit - state.spent - state.reserved
    print(f"  left ${left:f}; counter - ledger = ${state.spent - written:f}, reserved ${state.reserved:f}")
    too_much = Call("chat", MODEL, bound=left + dollars(1))
    try:
        await budgets.reserve(too_much)
    except BudgetError:
        assert await budgets.reserve(replace(too_much, bound=left)), "what is left cannot be spent"
    else:
        raise AssertionError("more than is left can be spent")
    await close()


def _clients(plan: Plan, process: int) -> Count:
    return asyncio.run(_ask(plan, process))


async def _ask(plan: Plan, process: int) -> Count:
    path = plan.home(process)
    tracing, ledger = _open(path)
    budgets: Budgets
    if plan.kind == "read, then write":
        budgets = ReadThenWrite(path, plan.budget)
        close: Close = _nothing
    else:
        budgets, close = _budgets(plan, path, ledger)
    meter = Meter(tracing, ledger, PriceTable({MODEL: PRICE}), budgets=budgets)
    model = OpenAIChatModel(MODEL.partition("/")[2], api_key="none", base_url=f"{plan.url}/v1")
    router = Router([model], meter=meter, retry=RetrySettings(attempts=1))
    counts = await asyncio.gather(*(_client(router, plan.requests) for _ in range(plan.clients)))
    await model.close()
    await close()
    tracing.close()
    return sum(counts, Count())


async def _client(router: Router, requests: int) -> Count:
    request = ChatRequest(
        (Message("user", "Say something, briefly if you can."),),
        ChatOptions(max_tokens=MOST_TOKENS),
        tags=Tags(tenant="acme"),
    )
    count = Count()
    for _ in range(requests):
        try:
            await router.complete(request)
            count += Count(made=1)
        except BudgetError as error:
            refusal = error.refusal
            fits = refusal is not None and refusal.spent + refusal.reserved + refusal.bound <= refusal.limit
            count += Count(refused=1, wrongly=int(fits))
        except Exception as error:  # noqa: BLE001 (whatever it is, it is counted and shown)
            print(f"{type(error).__name__}: {error}")
            count += Count(failed=1)
    return count


async def _nothing() -> None:
    """There is nothing to close."""


def _budgets(plan: Plan, path: Path, ledger: Ledger) -> tuple[LocalBudgets | RedisBudgets, Close]:
    if plan.kind == "sqlite":
        local = LocalBudgets(path, [plan.budget], ledger=ledger)
        return local, local.close
    link = RedisLink(plan.redis)
    shared = RedisBudgets(link, path, [plan.budget])

    async def close() -> None:
        await shared.close()
        link.close()

    return shared, close


def _open(path: Path) -> tuple[Tracing, Ledger]:
    engine = open_database(path, [ledger_table(), budget_tables(), traces()])
    return Tracing(engine), Ledger(engine, path)


async def _processor_time(kind: Kind, folder: Path, redis: str, calls: int = 10_000) -> None:
    """CPU-microseconds of this process, all its threads, for one call after the other."""
    settings = BudgetSettings(name=token_hex(4), limit=Decimal(1000))
    plan = Plan(kind, settings, folder, "", redis, 1, calls)
    path = plan.home(0)
    _, ledger = _open(path)
    budgets, close = _budgets(plan, path, ledger)
    call = Call("chat", MODEL, Tags(tenant="acme"), bound=Decimal("0.001"))
    entry = LedgerEntry("chat", MODEL, Usage(PROMPT_TOKENS, MOST_TOKENS), Decimal("0.0001"), 0.1)

    async def take(budgets: Budgets | None, calls: int) -> float:
        started = time.process_time()
        for _ in range(calls):
            reservation = None if budgets is None else await budgets.reserve(call)
            also = None if reservation is None else reservation.settle(entry.cost)
            await ledger.stored([ledger.enqueue(entry, also=also)])
        return (time.process_time() - started) / calls * 1e6

    await take(budgets, 100)
    alone, both = await take(None, calls), await take(budgets, calls)
    print(f"{kind}: a call takes {both:.0f} CPU-µs of ledger and budget, {alone:.0f} of the ledger alone")
    await close()


@contextmanager
def _provider() -> Iterator[tuple[str, Callable[[], tuple[int, Decimal]]]]:
    """The address of the fake provider, and what asks it for its invoice: the calls, and what they cost."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there,), daemon=True)
    process.start()
    url = f"http://127.0.0.1:{here.recv()}"

    def invoice() -> tuple[int, Decimal]:
        with urllib.request.urlopen(f"{url}/invoice") as answer:
            said = json.load(answer)
        return said["calls"], PRICE.of(Usage(said["input"], said["output"]))

    try:
        yield url, invoice
    finally:
        process.terminate()
        process.join()


def _serve(ready: Connection) -> None:
    from aiohttp import web

    seeded = random.Random(17)
    charged = {"calls": 0, "input": 0, "output": 0}

    async def complete(request: web.Request) -> web.Response:
        body: dict[str, Any] = await request.json()
        most = body.get("max_completion_tokens") or body["max_tokens"]
        output = seeded.randint(1, most)
        await asyncio.sleep(seeded.random() * 0.02)  # calls are under way for a while, at the same time
        charged["calls"] += 1
        charged["input"] += PROMPT_TOKENS
        charged["output"] += output
        message = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Something."}}
        usage = {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": output, "total_tokens": PROMPT_TOKENS + output}
        return web.json_response(
            {"id": "1", "object": "chat.completion", "created": 1, "model": body["model"], "choices": [message]}
            | {"usage": usage}
        )

    async def invoice(request: web.Request) -> web.Response:
        del request
        return web.json_response(charged)

    async def serve() -> None:
        app = web.Application()
        app.add_routes([web.post("/v1/chat/completions", complete), web.get("/invoice", invoice)])
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        ready.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(serve())


if __name__ == "__main__":
    main()
