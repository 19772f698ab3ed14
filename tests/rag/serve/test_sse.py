"""Streams on the wire: pings, failures, and what a reader who leaves causes."""

from __future__ import annotations

import asyncio
import json

import pytest

from rag.serve import sse
from rag.serve.errors import ClientGoneError
from rag.serve.sse import event
from tests.rag.serve.conftest import QUESTION, Hanging, RawRequest, Serving, events


async def test_an_idle_stream_is_kept_alive_by_comments(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "PING_SECONDS", 0.01)
    model = Hanging()
    served = await serving(model)
    request = RawRequest(served.app, "/api/ask", json.dumps({"question": QUESTION, "stream": True}).encode())
    task = request.start()
    await request.until(": ping\n\n: ping\n\n")
    model.release.set()
    await asyncio.wait_for(task, 5)
    assert [name for name, _ in events(request.text)][-1] == "answer"
    assert request.sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}
    assert sum(message["type"] == "http.response.start" for message in request.sent) == 1


async def test_pieces_are_sent_as_they_come(serving: Serving) -> None:
    model = Hanging()
    served = await serving(model)
    request = RawRequest(served.app, "/api/ask", json.dumps({"question": QUESTION, "stream": True}).encode())
    task = request.start()
    await request.until("event: delta")
    assert "event: answer" not in request.text
    model.release.set()
    await asyncio.wait_for(task, 5)
    assert "event: answer" in request.text


def test_an_event_is_two_lines_whatever_the_data_holds() -> None:
    block = event("delta", json.dumps({"text": "a\n\nevent: forged\r\n"}))
    assert block.count(b"\n") == 3
    assert events(block.decode()) == [("delta", {"text": "a\n\nevent: forged\r\n"})]


async def test_attended_work_gives_its_result_its_error_or_stops(serving: Serving) -> None:
    class Request:
        """Says that the client is gone when `gone` is set."""

        def __init__(self) -> None:
            self.gone = asyncio.Event()

        async def receive(self) -> dict[str, str]:
            await self.gone.wait()
            return {"type": "http.disconnect"}

    async def work(outcome: object) -> object:
        await asyncio.sleep(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    request = Request()
    assert await sse.attended(request, work(3)) == 3  # type: ignore[arg-type]  # it asks for `receive` alone
    with pytest.raises(ValueError, match="no"):
        await sse.attended(request, work(ValueError("no")))  # type: ignore[arg-type]  # as above
    request.gone.set()
    with pytest.raises(ClientGoneError):
        await sse.attended(request, asyncio.sleep(10))  # type: ignore[arg-type]  # as above
