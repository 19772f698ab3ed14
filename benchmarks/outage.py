"""What an outage of the primary costs: how many requests reach it, and how much later the others' answers come.

    python -m benchmarks.outage [--seconds 60] [--rate 10] [--kind refused] [--shared redis://127.0.0.1:6379/0]

Two fake providers speak HTTP, a primary and a fallback. Calls go the whole way (router, tries again, breakers,
limits, HTTP, ledger), so many a second whether or not the last one has come back: five seconds while all is well, then
through the outage, then until the primary answers again. Kinds of outage:

- refused: its server is gone, and nobody listens on the port
- reset: connections are reset when the request has arrived
- 503: it answers that it is overloaded
- stall: it takes the request and never answers. What is sent until that shows cannot be unsent: it shows when calls
  are overdue (routing.breaker.stall_seconds), not when the first deadline is over. Those calls wait for `--try-seconds`
  and are answered by the fallback, or without that until their deadline, and are answered by the extractive model

"asked" counts the tries at the primary during the outage that passed its breaker, "arrived" those that its server saw,
"late" those that went out after the breaker had first opened: its probes. "added" is the median of what calls took that
began after that, less that of calls which ask the fallback directly, at the same rate, each half a tick later.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from plumbline.database import open_database
from plumbline.trace import Tracing
from plumbline.trace import component as traces
from routing.call import Call, Leave
from routing.chat import ChatRequest, Message
from routing.cost.budget_tables import component as budgets
from routing.cost.ledger import Ledger
from routing.cost.ledger import component as ledger
from routing.cost.price_file import price_table
from routing.errors import ModelError
from routing.meter import Meter
from routing.models.catalog import DEFAULT_CATALOG, parse_name
from routing.protection import Protection, protect
from routing.router import Router
from routing.settings import RoutingSettings
from routing.testing.server import FakeProvider, Fault

KINDS = ("refused", "reset", "503", "stall")
BEFORE_SECONDS = 5.0
LONGEST_RECOVERY_SECONDS = 180


@dataclass(frozen=True, slots=True)
class Answered:
    """One call: when it began, how long it took, and who answered."""

    at: float
    seconds: float
    by: str


@dataclass
class Outage:
    """What happened; moments in seconds since the start."""

    calls: list[Answered] = field(default_factory=list)
    asked: list[float] = field(default_factory=list)
    failed: int = 0
    down: float = 0.0
    up: float = float("inf")
    opened: float = float("inf")
    well: float | None = None
    arrived: int = 0


@dataclass(frozen=True, slots=True)
class Way:
    """The whole way of a call."""

    router: Router
    protection: Protection
    tries: Tries


class Tries:
    """The last guard, which notes when the primary is asked."""

    def __init__(self) -> None:
        self.moments: list[float] = []

    async def enter(self, call: Call) -> Leave:
        """Let it go."""
        if is_primary(call.model):
            self.moments.append(time.monotonic())
        return lambda outcome: None


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=10.0)
    parser.add_argument("--deadline", type=float, default=5.0)
    parser.add_argument("--try-seconds", type=float, default=None, help="how long one try may take")
    parser.add_argument("--kind", choices=KINDS, action="append")
    parser.add_argument("--shared", default=None, help="a Redis server, for breakers that processes share")
    arguments = parser.parse_args()
    print("outage    calls  failed  asked  arrived  late    ms, p50 and p99   asked directly    added  well again (s)")
    for kind in arguments.kind or KINDS:
        show(kind, *asyncio.run(measured(kind, arguments)))


async def measured(kind: str, arguments: argparse.Namespace) -> tuple[Outage, Outage]:
    """One outage, and how the fallback answers meanwhile when it is asked directly."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        fallback = await stack.enter_async_context(FakeProvider())
        primary = await stack.enter_async_context(FakeProvider())
        port = int(primary.url.rpartition(":")[2])
        names = [f"openai-compatible/primary@{primary.url}", f"openai-compatible/fallback@{fallback.url}"]
        way = await stack.enter_async_context(opened(folder / "home.db", [*names, "extractive/default"], arguments))
        direct = await stack.enter_async_context(opened(folder / "direct.db", names[1:], arguments))
        outage, control = Outage(), Outage()
        started = time.monotonic()
        half = 0.5 / arguments.rate
        calling = asyncio.gather(
            call_on(way, outage, started, arguments), call_on(direct, control, started + half, arguments)
        )
        await asyncio.sleep(BEFORE_SECONDS)
        outage.down = time.monotonic() - started
        before = len(primary.requests)
        async with broken(primary, kind):
            await asyncio.sleep(arguments.seconds)
            outage.arrived = len(primary.requests) - before
            outage.up = time.monotonic() - started
        if kind == "refused":
            await stack.enter_async_context(FakeProvider(port=port))
        await recovered(outage)
        outage.asked = [at - started for at in way.tries.moments if outage.down <= at - started < outage.up]
        calling.cancel()
        await asyncio.gather(calling, return_exceptions=True)
    return outage, control


@asynccontextmanager
async def broken(primary: FakeProvider, kind: str) -> AsyncIterator[None]:
    """The primary does not answer in the block; one whose server is gone does not come back by itself."""
    if kind == "refused":
        await primary.__aexit__(None, None, None)
        yield
        return
    faults = {"reset": Fault("reset"), "503": Fault("status", status=503), "stall": Fault("stall")}
    primary.choose = lambda received: faults[kind]
    yield
    primary.choose = lambda received: None


@asynccontextmanager
async def opened(path: Path, names: Sequence[str], arguments: argparse.Namespace) -> AsyncIterator[Way]:
    """A router over the models, the first of them first, and what protects it."""
    parsed = [name for name in map(parse_name, names) if name is not None]
    addresses = {name.full: name.address for name in parsed if name.address is not None}
    engine = open_database(path, [ledger(), traces(), budgets()])
    tracing = Tracing(engine)
    settings = RoutingSettings.model_validate(
        {"shared": arguments.shared, "retry": {"try_seconds": arguments.try_seconds}}
    )
    protection, tries = protect(settings, path, addresses), Tries()
    meter = Meter(
        tracing,
        Ledger(engine, path),
        price_table(settings),
        guards=(*protection.guards, tries),
        budgets=protection.budgets,
        retry_budgets=protection.retry_budgets,
    )
    environ = {"OPENAI_COMPATIBLE_API_KEY": "none"}
    models = [DEFAULT_CATALOG.chat_model(name, environ=environ) for name in names]
    router = Router(models, meter=meter, retry=settings.retry)
    try:
        yield Way(router, protection, tries)
    finally:
        await router.close()
        await protection.close()
        tracing.close()
        engine.dispose()


def request(deadline: float | None = None) -> ChatRequest:
    """What is asked."""
    return ChatRequest((Message("user", "How long is the refund window?"),), deadline=deadline)


async def call_on(way: Way, outage: Outage, started: float, arguments: argparse.Namespace) -> None:
    """Call at the rate until cancelled, whether or not the calls before are answered."""
    async with asyncio.TaskGroup() as group:
        for number in count():
            await asyncio.sleep(max(started + number / arguments.rate - time.monotonic(), 0))
            group.create_task(one_call(way, outage, started, arguments.deadline))


async def one_call(way: Way, outage: Outage, started: float, deadline: float) -> None:
    """Call once and note what happened."""
    began = time.monotonic()
    try:
        response = await way.router.complete(request(began + deadline))
    except ModelError:
        outage.failed += 1
        return
    now = time.monotonic()
    outage.calls.append(Answered(began - started, now - began, response.attempts[-1].model))
    if any(state.state == "open" for state in way.protection.states()):
        outage.opened = min(outage.opened, now - started)


def is_primary(model: str) -> bool:
    """Whether that is the model that goes out."""
    return model.endswith("/primary")


async def recovered(outage: Outage) -> None:
    """Wait until the primary has answered a call that began after the outage."""
    for _ in range(LONGEST_RECOVERY_SECONDS * 10):
        again = [call.at for call in outage.calls if call.at > outage.up and is_primary(call.by)]
        if again:
            outage.well = min(again) - outage.up
            return
        await asyncio.sleep(0.1)


def show(kind: str, outage: Outage, control: Outage) -> None:
    """A line of the table."""
    calls = [call for call in outage.calls if outage.down <= call.at < outage.up]
    ours = [call.seconds * 1000 for call in calls if call.at > outage.opened]
    others = [call.seconds * 1000 for call in control.calls if outage.opened < call.at < outage.up]
    (p50, p99), (direct50, direct99) = percentiles(ours), percentiles(others)
    well = "never" if outage.well is None else f"{outage.well:.1f}"
    late = sum(at > outage.opened for at in outage.asked)
    print(
        f"{kind:<10}{len(calls):>5}{outage.failed:>8}{len(outage.asked):>7}{outage.arrived:>9}{late:>6}"
        f"{p50:>13.2f}{p99:>7.2f}{direct50:>10.2f}{direct99:>7.2f}{p50 - direct50:>9.2f}{well:>12}"
    )


def percentiles(times: Sequence[float]) -> tuple[float, float]:
    """The median and the 99th."""
    found = statistics.quantiles(times, n=100)
    return found[49], found[98]


if __name__ == "__main__":
    main()
