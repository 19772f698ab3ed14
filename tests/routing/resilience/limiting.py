"""A limiter in virtual time, and calls that pass it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, replace
from decimal import Decimal

import pytest

from routing.call import Call, Outcome
from routing.chat import Tags, Usage
from routing.errors import LimitError
from routing.resilience.limits import Limiter
from routing.settings import LimitSettings
from tests.routing.resilience.virtual import now

MODEL = "openai/gpt"
CALL = Call("chat", MODEL)
OK = Outcome(Usage(), Decimal(0), 1.0)
ALL = LimitSettings(per="everything")


def of(tenant: str | None, **other: object) -> Call:
    return replace(CALL, tags=Tags(tenant=tenant), **other)  # type: ignore[arg-type]  # fields of Call


def limiter(*settings: LimitSettings, queue: int = 1000, adaptive: bool = False) -> Limiter:
    return Limiter(settings, queue, adaptive, clock=now)


@dataclass
class Run:
    """One call as it went: when it was let out and came back, what it may take and took."""

    call: Call
    out: float
    back: float
    used: int


async def made(limiter: Limiter, call: Call, seconds: float = 1.0, used: int | None = None) -> Run:
    leave = await limiter.enter(call)
    out = now()
    await asyncio.sleep(seconds)
    tokens = call.input_tokens + call.output_tokens if used is None else used
    leave(Outcome(Usage(input_tokens=tokens), Decimal(0), seconds))
    return Run(call, out, now(), tokens)


async def after(seconds: float, call: Awaitable[Run]) -> Run:
    await asyncio.sleep(seconds)
    return await call


async def refused(limiter: Limiter, call: Call) -> LimitError:
    started = now()
    with pytest.raises(LimitError) as raised:
        await limiter.enter(call)
    assert now() == started, "it was refused at once"
    return raised.value
