"""Bounds what a provider may send: how much, and how long nothing.

Whatever answers at an address may send without end, and an SDK keeps all of it. What is compressed counts by what it
unpacks to, a thousand times as much at worst, and is unpacked here by the piece: the HTTP client under Cohere's SDK
(httpx .28) unpacks all that has come at once, at any size. Only gzip is asked for (RFC 9110, 12.5.3), and taken.

aiohttp (3.14) waits for ever for the rest of a body whose chunks are misshapen, so that the time between two pieces is
watched over here, too.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from routing.models.gunzip import PIECE, Gunzip, UnpackError

MIB = 1 << 20
DOCUMENT = 128 * MIB
"""So many bytes an answer in one piece may have: the vectors of 2,048 texts take 33 MiB."""
EVENT = 4 * MIB
"""So many bytes one event of a stream may have, from one blank line to the next: SDKs keep it until it is whole."""
STREAM = 1024 * MIB
"""So many bytes a stream may have: 128,000 tokens take 37 MiB, with log-probabilities ten times that. Files, too."""
_GRACE = 0.1  # seconds that the transport's own timeout has to come first
_FILES = ("/content", "/results")  # what batches answered; it is read by the line
ENDS_OF_EVENT = (b"\n\n", b"\r\r", b"\n\r\n")
"""Blank lines, as a stream may write them."""


class BodyError(ValueError):
    """Raised while an answer is read that cannot be taken; its words go on after "The answer of … "."""


class TooLargeError(BodyError):
    """Raised for an answer that is larger than it may be."""


async def bounded(response: Any) -> None:
    """A hook for the responses of an HTTP client of `httpx`'s kind: reads no more of their bodies than it may."""
    module = type(response).__module__.partition(".")[0]
    response.stream = _stream_class(module)(response)


def bounds() -> Mapping[str, Any]:
    """The arguments of such a client that bound what it reads."""
    return {"event_hooks": {"response": [bounded]}, "headers": {"Accept-Encoding": "gzip"}}


@cache
def _stream_class(module: str) -> Any:
    httpx: Any = importlib.import_module(module)

    class Bounded(httpx.AsyncByteStream):  # type: ignore[misc]  # whichever `httpx` the SDK is built on
        def __init__(self, response: Any) -> None:
            self._stream = response.stream
            self._sizes = _limits(response)
            self._packed = _taken_off(response)
            self._failed = response.status_code >= 400
            read = response.request.extensions.get("timeout", {}).get("read")
            self._patience = None if read is None else read + _GRACE

        async def __aiter__(self) -> AsyncIterator[bytes]:
            if self._packed not in ("", "gzip"):
                if self._failed:  # its status says enough
                    return
                raise BodyError(f"is packed as '{self._packed[:40]}', which nobody asked for")
            unpack = _Unpacking(self._sizes.most) if self._packed else None
            pieces = aiter(self._stream)
            while (piece := await self._next(pieces)) is not None:
                for part in (piece,) if unpack is None else unpack.feed(piece):
                    self._sizes.check(part)
                    yield part
                    if len(part) == PIECE:  # a few bytes may be a lot of work
                        await asyncio.sleep(0)
            if unpack is not None and unpack.unfinished:
                raise httpx.ReadError("the compressed body ends before its end")

        async def _next(self, pieces: AsyncIterator[bytes]) -> bytes | None:
            try:
                async with asyncio.timeout(self._patience):
                    return await anext(pieces, None)
            except TimeoutError as error:
                raise httpx.ReadTimeout("no data in time") from error

        async def aclose(self) -> None:
            await self._stream.aclose()

    return Bounded


def _limits(response: Any) -> Sizes:
    """How much the body may have, by what was asked for: what it calls itself is for its sender to choose."""
    request = response.request
    if request.url.path.endswith(_FILES):
        return Sizes(STREAM, DOCUMENT, (b"\n",), "a line")
    streamed = "event-stream" in response.headers.get("content-type", "")
    if streamed and request.method == "POST" and b'"stream":true' in request.content:
        return Sizes(STREAM, EVENT, ENDS_OF_EVENT, "an event")
    return Sizes(DOCUMENT)


def _taken_off(response: Any) -> str:
    """How the body is packed, "" when it is not; nobody else is to unpack it."""
    codings = [coding.strip().lower() for coding in response.headers.get("content-encoding", "").split(",")]
    if codings != [""]:
        del response.headers["content-encoding"]
    return ", ".join(coding.removeprefix("x-") for coding in codings if coding != "identity")


class _Unpacking:
    """Unpacks a body that may have so many bytes, packed."""

    def __init__(self, most: int) -> None:
        self._sizes = Sizes(most)
        self._gunzip = Gunzip()

    @property
    def unfinished(self) -> bool:
        return self._gunzip.unfinished

    def feed(self, packed: bytes) -> Iterator[bytes]:
        self._sizes.check(packed)
        try:
            yield from self._gunzip.feed(packed)
        except UnpackError as error:
            raise BodyError("is not the gzip that it says it is") from error


@dataclass(slots=True)
class Sizes:
    """How much has come of one body: of the whole, which may have `most`, and of a part, until one of `ends`."""

    most: int
    most_of_part: int = 0
    ends: tuple[bytes, ...] = ()
    part: str = ""
    _whole: int = 0
    _of_part: int = 0
    _tail: bytes = b""

    def check(self, piece: bytes) -> None:
        """Count the next piece. Raises `TooLargeError`."""
        self._whole += len(piece)
        if self._whole > self.most:
            raise TooLargeError(f"has more than {self.most // MIB} MiB")
        if self.ends:
            seen = self._tail + piece
            end = max(map(seen.rfind, self.ends))
            self._of_part = self._of_part + len(piece) if end < 0 else len(seen) - end
            if self._of_part > self.most_of_part:
                raise TooLargeError(f"has {self.part} of more than {self.most_of_part // MIB} MiB")
            self._tail = seen[-2:]
