from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from routing.errors import DeadlineError, InvalidResponseError, ModelError, OverloadedError
from routing.models.failures import Endpoint, calling, next_event, of_status, translate

pytest.importorskip("openai")

ENDPOINT = Endpoint("vllm/m", "openai", "The vLLM server", "http://h/v1", "VLLM_API_KEY")


def test_errors_of_our_own_are_left_alone() -> None:
    own = OverloadedError("busy", model="m")
    assert translate(own, ENDPOINT) is own
    assert translate(KeyError("ours"), ENDPOINT) is None


async def test_a_fault_of_the_program_is_not_dressed_up() -> None:
    with pytest.raises(KeyError):
        async with calling(ENDPOINT, None):
            raise KeyError("ours")


async def test_unreadable_data_is_an_invalid_response() -> None:
    with pytest.raises(InvalidResponseError, match=r"vllm/m at http://h/v1 cannot be read: bad\."):
        async with calling(ENDPOINT, None):
            raise ValueError("bad")


async def test_a_cancellation_stays_one() -> None:
    with pytest.raises(asyncio.CancelledError):
        async with calling(ENDPOINT, time.monotonic() + 60):
            raise asyncio.CancelledError


async def test_a_stream_ends_with_none() -> None:
    async def events() -> AsyncIterator[str]:
        yield "one"

    stream = events()
    assert await next_event(stream, ENDPOINT, None) == "one"
    assert await next_event(stream, ENDPOINT, None) is None
    with pytest.raises(DeadlineError, match="vllm/m"):
        await next_event(stream, ENDPOINT, time.monotonic() - 1)


@pytest.mark.parametrize(
    "body", [None, "", "text", {}, {"error": None}, {"error": "text"}, {"error": {"code": 5}}, [1]]
)
@pytest.mark.parametrize("status", [200, 302, 400, 404, 429, 500])
def test_any_body_makes_an_error_with_words(status: int, body: object) -> None:
    error = of_status(status, body, ENDPOINT)
    assert isinstance(error, ModelError)
    assert error.message
    assert "None" not in error.message


def test_long_messages_are_cut() -> None:
    assert len(str(of_status(500, "<p>" * 1000, ENDPOINT))) < 400
