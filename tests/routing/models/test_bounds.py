"""However much an address sends, packed or not, little of it is kept, and none of it hangs or breaks a caller."""

from __future__ import annotations

import gzip
import json
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from importlib.util import find_spec

import pytest

from routing.chat import ChatModel
from routing.errors import ConnectionFailedError, InvalidResponseError, ModelError, OverloadedError, RateLimitError
from routing.models import bounds
from routing.models.bounds import MIB, Sizes, TooLargeError
from routing.testing.chat import REQUEST
from routing.testing.faults import Fault
from routing.testing.server import FakeProvider
from routing.testing.wires import Asked, wire_of
from tests.routing.models.adapters import PROVIDERS, SDKS, Provider, adapter, both, drain

EVENTS = "text/event-stream"
ALLOWED = MIB
"""What every answer may have here, and every event."""
KEPT = 8 * MIB
"""What may be kept of one: as much as it may have, some of it twice, and what the SDK has around it."""


@pytest.fixture(params=PROVIDERS)
def provider(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Provider:
    """Answers may have a mebibyte, streams two."""
    pytest.importorskip(SDKS[request.param])
    for name, size in (("DOCUMENT", ALLOWED), ("EVENT", ALLOWED), ("STREAM", 2 * ALLOWED)):
        monkeypatch.setattr(bounds, name, size)
    chosen: Provider = request.param
    return chosen


@pytest.fixture(params=["aiohttp", "without it"])
def transport(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDKs of OpenAI and Anthropic stand on aiohttp where it is installed."""
    if request.param == "aiohttp" and find_spec("aiohttp") is None:
        pytest.skip("aiohttp is not installed")
    monkeypatch.setattr("routing.models.openai_client._aiohttp_is_installed", lambda: request.param == "aiohttp")


def packed(unit: bytes, mib: int = 100) -> bytes:
    """So many mebibytes of `unit` as gzip, a thousandth of that."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join([*(packer.compress(unit * (MIB // len(unit))) for _ in range(mib)), packer.flush()])


def sent(body: bytes, coding: str = "gzip", status: int = 200, content_type: str = "application/json") -> Fault:
    return Fault("status", status, {"content-encoding": coding}, body=body, content_type=content_type)


async def failing(model: ChatModel, *, stream: bool) -> tuple[ModelError, int]:
    """What asking ends with, and the most that was kept at a time, in bytes."""
    tracemalloc.start()
    try:
        with pytest.raises(ModelError) as caught:
            await (drain(model) if stream else model.complete(REQUEST))
        return caught.value, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


DEFLATED, TWICE = zlib.compress(b" " * 50 * MIB), gzip.compress(packed(b" "))
LINE = b": " + b"x" * 1000 + b"\n"
BOMBS = [
    pytest.param(packed(b" "), False, 200, "application/json", "more than 1 MiB", id="document"),
    pytest.param(packed(b" "), False, 200, EVENTS, "more than 1 MiB", id="document_called_a_stream"),
    pytest.param(packed(b" "), True, 200, EVENTS, "an event of more than 1 MiB", id="event"),
    pytest.param(packed(LINE), True, 200, EVENTS, "an event of more than 1 MiB", id="event_of_lines"),
    pytest.param(packed(LINE + b"\n"), True, 200, EVENTS, "more than 2 MiB", id="stream"),
    pytest.param(packed(b" "), False, 500, "application/json", "more than 1 MiB", id="error"),
    pytest.param(packed(b" "), True, 429, "application/json", "more than 1 MiB", id="error_of_a_stream"),
]


@pytest.mark.parametrize(("body", "stream", "status", "content_type", "says"), BOMBS)
async def test_a_bomb_is_not_unpacked(
    server: FakeProvider, provider: Provider, body: bytes, stream: bool, status: int, content_type: str, says: str
) -> None:
    assert len(body) < 2 * ALLOWED // 3, "what is sent is not too large by itself"
    model = adapter(provider, server.url)
    await both(model)  # what is imported and kept for good is none of it
    server.faults.append(sent(body, status=status, content_type=content_type))
    error, kept = await failing(model, stream=stream)
    assert isinstance(error, InvalidResponseError)
    assert says in str(error)
    assert kept < KEPT
    await both(model)  # and the next call is answered
    await model.close()


@pytest.mark.parametrize("coding", ["br", "zstd", "deflate", "gzip, gzip", "x" * 1000], ids=lambda coding: coding[:4])
async def test_only_gzip_is_unpacked(server: FakeProvider, provider: Provider, coding: str) -> None:
    """Whatever else is installed that could unpack it."""
    model = adapter(provider, server.url)
    await both(model)
    assert {request.headers["accept-encoding"] for request in server.requests} == {"gzip"}
    for stream in (False, True):
        server.faults.append(
            sent(TWICE if "," in coding else DEFLATED, coding, content_type=EVENTS if stream else "application/json")
        )
        error, kept = await failing(model, stream=stream)
        assert isinstance(error, InvalidResponseError)
        assert f"is packed as '{coding[:40]}'" in str(error)
        assert kept < KEPT
        server.faults.append(sent(TWICE if "," in coding else DEFLATED, coding, 429))
        error, _ = await failing(model, stream=stream)
        assert isinstance(error, RateLimitError), "its status says enough"
    await model.close()


@pytest.mark.usefixtures("transport")
async def test_what_is_packed_is_read(server: FakeProvider, provider: Provider) -> None:
    """As a document, as a stream, and as an error; "identity" is no packing, "x-gzip" an old name (RFC 9110, 8.4.1)."""
    model = adapter(provider, server.url)
    await both(model)
    asked = server.requests[-2:]
    for coding in ("gzip", "GZIP", "x-gzip", "identity", "gzip, identity", ""):
        pack: Callable[[bytes], bytes] = gzip.compress if "gzip" in coding.lower() else bytes
        for request, content_type in zip(asked, ("application/json", EVENTS), strict=True):
            answer = b"".join(wire_of(request).answer(Asked(server.script, request.body, server.dim)).parts)
            server.faults.append(sent(pack(answer), coding, content_type=content_type))
        assert [response.text for response in await both(model)] == [server.script.text] * 2
    said = json.dumps({"error": {"message": "Too busy."}, "message": "Too busy."}).encode()
    server.faults.append(sent(gzip.compress(said), status=503))
    error, _ = await failing(model, stream=False)
    assert isinstance(error, OverloadedError)
    assert "Too busy." in str(error)
    await model.close()


@pytest.mark.parametrize("stream", [False, True])
async def test_what_is_cut_or_no_gzip(server: FakeProvider, provider: Provider, stream: bool) -> None:
    content_type = EVENTS if stream else "application/json"
    model = adapter(provider, server.url)
    server.faults.append(sent(gzip.compress(b'{"a": 1}' * 99)[:-9], content_type=content_type))
    error, _ = await failing(model, stream=stream)
    assert isinstance(error, ConnectionFailedError)
    server.faults.append(sent(b"no gzip at all", content_type=content_type))
    error, _ = await failing(model, stream=stream)
    assert isinstance(error, InvalidResponseError)
    assert "is not the gzip that it says it is" in str(error)
    await model.close()


def pieces(body: bytes, size: int) -> Iterator[bytes]:
    return (body[at : at + size] for at in range(0, len(body), size))


@pytest.mark.parametrize("size", [1, 2, 3, 5, 20])
@pytest.mark.parametrize("end", [b"\n\n", b"\r\r", b"\r\n\r\n"])
def test_an_event_ends_at_a_blank_line(end: bytes, size: int) -> None:
    """However the pieces fall: events of 90 bytes pass where 100 are the most, those of 110 do not."""

    def read(length: int) -> None:
        sizes = Sizes(10_000, 100, bounds.ENDS_OF_EVENT, "an event")
        event = (b"data: x\n" * 20)[: length - len(end) - 1] + b"." + end
        for piece in pieces(event * 5, size):
            sizes.check(piece)

    read(90)
    with pytest.raises(TooLargeError, match="an event of more than"):
        read(110)


def test_a_file_is_read_by_the_line() -> None:
    """What a batch has answered may be larger than any one answer."""
    sizes = Sizes(10_000, 100, (b"\n",), "a line")
    for _ in range(10):
        sizes.check(b"x" * 90 + b"\n")
    sizes.check(b"x" * 90)
    with pytest.raises(TooLargeError, match="a line of more than"):
        sizes.check(b"x" * 90)
