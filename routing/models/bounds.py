"""Bounds what a provider may send: how much, and how long nothing.

Whatever answers at an address may send without end, and an SDK keeps all of it. aiohttp (3.14) waits for ever for the
rest of a body whose chunks are misshapen, so that the time between two pieces is watched over here, too.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator, Mapping
from functools import cache
from typing import Any

MIB = 1 << 20
DOCUMENT = 128 * MIB
"""So many bytes an answer in one piece may have: the vectors of 2,048 texts take 33 MiB."""
EVENT = 4 * MIB
"""So many bytes one event of a stream may have: SDKs take a time that grows with the square of it."""
STREAM = 1024 * MIB
"""So many bytes a stream may have: 128,000 tokens take 37 MiB, with log-probabilities ten times that."""
_GRACE = 0.1  # seconds that the transport's own timeout has to come first


class TooLargeError(ValueError):
    """Raised while an answer is read that is larger than it may be."""


async def bounded(response: Any) -> None:
    """A hook for the responses of an HTTP client of `httpx`'s kind: reads no more of their bodies than it may."""
    module = type(response).__module__.partition(".")[0]
    response.stream = _stream_class(module)(response)


def event_hooks() -> Mapping[str, list[Any]]:
    """The hook, as such a client takes it."""
    return {"response": [bounded]}


@cache
def _stream_class(module: str) -> Any:
    httpx: Any = importlib.import_module(module)

    class Bounded(httpx.AsyncByteStream):  # type: ignore[misc]  # whichever `httpx` the SDK is built on
        def __init__(self, response: Any) -> None:
            self._response = response
            self._stream = response.stream

        async def __aiter__(self) -> AsyncIterator[bytes]:
            streamed = "event-stream" in self._response.headers.get("content-type", "")
            read = self._response.request.extensions.get("timeout", {}).get("read")
            patience = None if read is None else read + _GRACE
            pieces, check = aiter(self._stream), _Sizes(streamed).check
            while True:
                try:
                    async with asyncio.timeout(patience):
                        piece = await anext(pieces, None)
                except TimeoutError as error:
                    raise httpx.ReadTimeout("no data in time") from error
                if piece is None:
                    return
                check(piece)
                yield piece

        async def aclose(self) -> None:
            await self._stream.aclose()

    return Bounded


class _Sizes:
    """How much has come of one body."""

    def __init__(self, streamed: bool) -> None:
        self._streamed = streamed
        self._whole = 0
        self._event = 0

    def check(self, piece: bytes) -> None:
        self._whole += len(piece)
        most = STREAM if self._streamed else DOCUMENT
        if self._whole > most:
            raise TooLargeError(f"has more than {most // MIB} MiB")
        if self._streamed:
            end = piece.rfind(b"\n")
            self._event = self._event + len(piece) if end < 0 else len(piece) - end
            if self._event > EVENT:
                raise TooLargeError(f"has an event of more than {EVENT // MIB} MiB")
