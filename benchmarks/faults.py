"""A long run of calls to a provider that fails all the time, with a healthy one behind it.

    python -m benchmarks.faults [--count 100000] [--seed 0] [--concurrent 32] [--breaker]

Two fake providers speak HTTP. The first answers every request with a fault drawn at random: of the connection, of the
status, of what is said, at a place or a byte drawn at random; the second never fails. Calls go the whole way (tries
again, fallback, going on with a broken text, price, ledger), in one piece and as streams, through the adapters of
OpenAI, Anthropic and Cohere, each with a deadline. The run ends when so many faults have been injected.

- succeeded: the share of calls that were answered; the aim is 99.9 %
- refused: those that end in an error at once by design, as another model could do no better: a wrong key, a request
  that is refused as malformed, a model that is not known. They are no failures of the path, and counted apart
- hangs: calls that took three times as long as their deadline
- rows: those of the ledger, which must be as many as requests went out, and the requests that the servers saw: a few go
  out on a connection that is broken already
- spliced: texts that are neither one model's nor one model's beginning with another's text after it, at the right place
- MB: resident memory after the first tenth, and at the end

With `--breaker` the first provider is left alone after its failures, as it is in practice, for a twentieth of a second
at first, so that probes meet faults all the time; as fewer arrive, so many calls are made instead. Every call then also
passes a limit and has its money set aside, and two lines more are printed:

- held: slots of the limit and dollars of the budget that nobody has given back
- spent: what the budget counts, which must be what the calls cost, or the most of those whose cost is unknown
"""

from __future__ import annotations

import argparse
import asyncio
import random
import resource
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from plumbline.database import open_database
from plumbline.trace import Tracing
from plumbline.trace import component as traces
from routing.call import Call, Leave, Outcome
from routing.chat import ChatModel, ChatOptions, ChatRequest, Completed, Interrupted, Message, TextDelta
from routing.cost.budget_tables import component as budgets
from routing.cost.ledger import Ledger
from routing.cost.ledger import component as ledger
from routing.cost.prices import Price, PriceTable
from routing.errors import ModelError
from routing.meter import Meter
from routing.models.anthropic import AnthropicChatModel
from routing.models.cohere_chat import CohereChatModel
from routing.models.openai import OpenAIChatModel
from routing.protection import Protection, protect
from routing.router import Router
from routing.settings import RoutingSettings
from routing.testing.faults import Fault, Place
from routing.testing.server import FakeProvider, Received, Script

FIRST = Script(pieces=("The refund ", "window is ", "30 days ", "after delivery."))
SECOND = Script(pieces=("Goods come back ", "within a month."))
PATIENCE, DEADLINE = 0.5, 20.0
PLACES: Sequence[Place] = ("nothing", "opening", "some", "text")
STATUSES = (400, 401, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 504, 529)
IN_STREAM = (400, 429, 500, 503, 529)
DESIGNED = ("AuthenticationError", "BadRequestError", "ModelNotFoundError")
BODIES = ("", "{", "null", "[]", '{"hello": 1}', "<html>", "[" * 10_000)
EVENTS = ("data: {", 'data: ["x"]', ": wait", "event: news\ndata: {}", "data:")
CONTENT = (
    Fault("changed", find=r'"(\w*tokens)": [\d.]+', body=r'"\1": -7'),
    Fault("changed", find=r'"(\w*tokens)": [\d.]+', body=r'"\1": "many"'),
    Fault("changed", find=r'"(\w*tokens)": [\d.]+', body=r'"\1": 4611686018427387904'),
    Fault("changed", find=r'"(finish_reason|stop_reason)": "\w+"', body=r'"\1": null'),
    Fault("changed", find=r'"(finish_reason|stop_reason)": "\w+"', body=r'"\1": "tired"'),
    Fault("changed", find=r'"choices": \[.*\]', body='"choices": []'),
    Fault("changed", find=r'"(content|text)": "[^"]+"', body=r'"\1": null'),
)


def fault(chance: random.Random) -> Fault:
    """Any fault at all; those that wait are rare, because they take their time."""
    kind = chance.choices(("status", "connection", "byte", "event", "body", "content", "wait"), (6, 6, 6, 4, 4, 4, 1))[
        0
    ]
    place = chance.choice(PLACES)
    match kind:
        case "status":
            headers = chance.choice(({}, {}, {"retry-after": "0"}, {"retry-after": "3600"}))
            return Fault("status", chance.choice(STATUSES), headers)
        case "connection":
            return Fault(chance.choice(("reset", "cut", "end")), after=place)
        case "byte":
            return Fault(chance.choice(("reset", "cut")), byte=chance.randrange(2500))
        case "event":
            if chance.random() < 0.5:
                return Fault("error", chance.choice(IN_STREAM), after=place)
            return Fault("extra", body=f"{chance.choice(EVENTS)}\n\n", after=place)
        case "body":
            return Fault(
                "body", body=chance.choice(BODIES), content_type=chance.choice(("text/html", "text/event-stream"))
            )
        case "content":
            return chance.choice(CONTENT)
        case _:
            return Fault(chance.choice(("stall", "slow")), after=place, seconds=2 * PATIENCE)


@dataclass(slots=True)
class Count:
    """What happened."""

    injected: int = 0
    calls: int = 0
    answered: int = 0
    hangs: int = 0
    raised: Counter[str] = field(default_factory=Counter)
    spliced: Counter[str] = field(default_factory=Counter)
    arrived: list[int] = field(default_factory=lambda: [0, 0])

    def made(self, *, breaker: bool) -> int:
        """How much of the run is done: faults, or calls where few faults arrive."""
        return self.calls if breaker else self.injected


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000, help="faults, or calls")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--concurrent", type=int, default=32)
    parser.add_argument("--breaker", action="store_true", help="leave the first provider alone when it fails")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder), arguments))


async def run(folder: Path, arguments: argparse.Namespace) -> None:
    """The whole run."""
    count, chance, began = Count(), random.Random(arguments.seed), time.monotonic()

    def first(_: Received) -> Fault:
        count.injected += 1
        count.arrived[0] += 1
        return fault(chance)

    def second(_: Received) -> None:
        count.arrived[1] += 1

    async with FakeProvider(FIRST, choose=first) as failing, FakeProvider(SECOND, choose=second) as healthy:
        failing.requests = healthy.requests = _Forgetful()
        asked, memory = Asked(), 0.0
        way = opened(
            folder / "home.db", failing.url, healthy.url, asked, arguments.concurrent, breaker=arguments.breaker
        )
        async with way as (routers, rows, guard):

            async def caller(number: int) -> None:
                nonlocal memory
                own = random.Random(f"{arguments.seed}/{number}")
                while count.made(breaker=arguments.breaker) < arguments.count:
                    await one(own.choice(routers), count, stream=own.random() < 0.5)
                    if not memory and count.made(breaker=arguments.breaker) > arguments.count / 10:
                        memory = megabytes()

            await asyncio.gather(*map(caller, range(arguments.concurrent)))
            show(count, asked.count, rows.totals().calls, memory, time.monotonic() - began)
            if arguments.breaker:
                await show_held(asked, guard)


@dataclass(slots=True)
class Asked:
    """A guard that counts the calls which go out: each has to have its row. `spent` is what they cost at most."""

    count: int = 0
    under_way: int = 0
    spent: Decimal = Decimal(0)

    async def enter(self, call: Call) -> Leave:
        """Count it."""
        self.count += 1
        self.under_way += 1

        def leave(outcome: Outcome) -> None:
            self.under_way -= 1
            self.spent += (call.bound or Decimal(0)) if outcome.cost is None else outcome.cost

        return leave


class _Forgetful(list[Received]):
    """What has arrived is not kept."""

    def append(self, received: Received, /) -> None:
        """Forget it."""


async def one(router: Router, count: Count, *, stream: bool) -> None:
    """One call."""
    count.calls += 1
    request = ChatRequest(
        (Message("user", "When?"),), ChatOptions(max_tokens=100), deadline=time.monotonic() + DEADLINE
    )
    try:
        async with asyncio.timeout(3 * DEADLINE):
            text = await (streamed(router, request) if stream else whole(router, request))
    except TimeoutError:
        count.hangs += 1
        return
    except ModelError as error:
        count.raised[type(error).__name__] += 1
        return
    count.answered += 1
    if not is_of_one_piece(text):
        count.spliced[text] += 1


async def whole(router: Router, request: ChatRequest) -> str:
    """An answer in one piece."""
    return (await router.complete(request)).text


async def streamed(router: Router, request: ChatRequest) -> str:
    """A stream, whose last event says the same as the pieces did."""
    text = ""
    async for event in router.stream(request):
        match event:
            case TextDelta():
                text += event.text
            case Interrupted():
                raise event.error
            case Completed():
                assert event.response.text == text, (event.response.text, text)
    return text


def is_of_one_piece(text: str) -> bool:
    """Whether a text is one model's, or a beginning of the first's with the second's after it."""
    beginnings = {"".join(FIRST.pieces[:size]) for size in range(len(FIRST.pieces) + 1)}
    return text == FIRST.text or text in {beginning + SECOND.text for beginning in beginnings}


def show(count: Count, asked: int, rows: int, memory: float, seconds: float) -> None:
    """The result."""
    designed = sum(count.raised[name] for name in DESIGNED)
    share = count.answered / (count.calls - designed)
    others = {name: number for name, number in count.raised.items() if name not in DESIGNED}
    print(f"{count.injected:,} faults in {count.calls:,} calls, {seconds:.0f} s")
    print(f"succeeded   {share:.3%} of {count.calls - designed:,}")
    print(f"refused     {designed:,} by design; other errors: {others or 'none'}")
    print(f"hangs       {count.hangs}")
    print(f"rows        {rows:,} of {asked:,} requests that went out, of which {sum(count.arrived):,} arrived")
    print(f"spliced     {sum(count.spliced.values())} {dict(count.spliced.most_common(3)) or ''}")
    print(f"MB          {memory:.0f} after a tenth, {megabytes():.0f} at the end")


async def show_held(asked: Asked, guard: Protection) -> None:
    """What is not given back, and whether the budget has it right."""
    assert guard.budgets is not None
    (state,) = await guard.budgets.states()
    print(f"held        {asked.under_way} slots, ${state.reserved}")
    print(f"spent       ${state.spent}, which is {'what' if state.spent == asked.spent else 'NOT what'} calls cost")


def megabytes() -> float:
    """Resident memory now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


@asynccontextmanager
async def opened(
    path: Path, failing: str, healthy: str, asked: Asked, concurrent: int, *, breaker: bool
) -> AsyncIterator[tuple[Sequence[Router], Ledger, Protection]]:
    """A router for each adapter, over one home."""
    engine = open_database(path, [ledger(), traces(), budgets()])
    tracing, rows = Tracing(engine), Ledger(engine, path)
    models: list[ChatModel] = [
        OpenAIChatModel("model", api_key="k", base_url=f"{failing}/v1", timeout=PATIENCE),
        AnthropicChatModel("model", api_key="k", base_url=failing, timeout=PATIENCE),
        CohereChatModel("model", api_key="k", base_url=failing, timeout=PATIENCE),
    ]
    second = OpenAIChatModel("healthy", provider="second", api_key=None, base_url=f"{healthy}/v1", timeout=DEADLINE)
    settings = RoutingSettings.model_validate(
        {
            "retry": {"first_wait_seconds": 0, "longest_wait_seconds": 0.05},
            "breaker": {"enabled": breaker, "cooldown_seconds": 0.05, "longest_cooldown_seconds": 0.2},
            "adaptive": breaker,
            "limits": [{"per": "everything", "concurrent": concurrent}] if breaker else [],
            "budgets": [{"name": "all", "limit": 1_000_000}] if breaker else [],
        }
    )
    guard = protect(settings, path, ledger=rows)
    prices = PriceTable({model.name: Price(Decimal(1), Decimal(2)) for model in (*models, second)})
    meter = Meter(tracing, rows, prices, (*guard.guards, asked), guard.budgets)
    try:
        yield [Router([model, second], meter=meter, retry=settings.retry) for model in models], rows, guard
    finally:
        for model in (*models, second):
            await model.close()
        await guard.close()
        tracing.close()
        engine.dispose()


if __name__ == "__main__":
    main()
