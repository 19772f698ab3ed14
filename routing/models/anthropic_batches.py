"""Anthropic's message batches: sent in one request, their results read from one stream of lines.

Sources: the reference of `POST /v1/messages/batches` and the guide "Batch processing", 2026-11.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from routing.batch.provider import SKEW_SECONDS, Limits, Line, Result, Search, Standing
from routing.errors import ModelNotFoundError
from routing.models.batch_documents import fetched, id_of, listed, mapping_of
from routing.models.clients import ClientPool
from routing.models.failures import Endpoint, calling, invalid, next_event, of_status

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

_PATH = "/v1/messages/batches"
_LIMITS = Limits(requests=100_000)


class AnthropicBatches:
    """The batches of the workspace that `clients` belong to."""

    limits = _LIMITS

    def __init__(self, clients: ClientPool[AsyncAnthropic], endpoint: Endpoint) -> None:
        self._clients = clients
        self._endpoint = endpoint

    async def send(self, lines: Sequence[Line], mark: str) -> str:
        """As `Batches.send`; the mark is in the requests' own ids, as there is no other place for it."""
        del mark
        body = {"requests": [{"custom_id": line.id, "params": line.body} for line in lines]}
        client = await self._clients.get()
        async with calling(self._endpoint, None):
            made = await client.post(_PATH, body=body, cast_to=object)
        return id_of(made, self._endpoint)

    async def find(self, mark: str, requests: int, since: float, known: Collection[str]) -> Search:
        """As `Batches.find`: by the ids of its requests, which can be read when it has ended, and not before."""
        certain = True
        after: dict[str, str] = {}
        while True:
            page = mapping_of(
                await fetched(await self._clients.get(), self._endpoint, _PATH, {"limit": 100, **after}), self._endpoint
            )
            batches = listed(page, self._endpoint)
            for batch in batches:
                if id_of(batch, self._endpoint) in known or _made(batch) < since - SKEW_SECONDS:
                    continue
                if sum(_counts(batch).values()) != requests:
                    continue
                if batch.get("processing_status") != "ended":
                    certain = False
                elif (await self._first(id_of(batch, self._endpoint))).startswith(f"{mark}-"):
                    return Search(id_of(batch, self._endpoint))
            if not batches or not page.get("has_more") or _made(batches[-1]) < since - SKEW_SECONDS:
                return Search(None, certain)
            after = {"after_id": id_of(batches[-1], self._endpoint)}

    async def look(self, batch: str) -> Standing:
        """As `Batches.look`. Until a batch has ended Anthropic counts none of its requests as done."""
        found = mapping_of(await fetched(await self._clients.get(), self._endpoint, f"{_PATH}/{batch}"), self._endpoint)
        counts = _counts(found)
        return Standing(
            found.get("processing_status") == "ended",
            counts.get("succeeded", 0),
            counts.get("errored", 0),
            counts.get("expired", 0) > 0,
            found.get("cancel_initiated_at") is not None,
        )

    async def results(self, batch: str) -> AsyncGenerator[Result, None]:
        """As `Batches.results`."""
        from anthropic import AnthropicError, APIError

        client = await self._clients.get()
        async with calling(self._endpoint, None):
            opening = client.messages.batches.with_streaming_response.results(batch)
            try:
                response = await opening.__aenter__()
            except AnthropicError as error:
                if isinstance(error, APIError):
                    raise
                raise of_status(404, str(error), self._endpoint, headers={}) from error  # they are no longer kept
            except AttributeError as error:  # the SDK looks at the batch first, and takes whatever came for one
                raise invalid(self._endpoint, "is not a batch") from error
        try:
            lines = response.iter_lines()
            while (line := await next_event(lines, self._endpoint, None)) is not None:
                if line.strip():
                    yield self._result(line)
        finally:
            await response.close()

    async def cancel(self, batch: str) -> None:
        """As `Batches.cancel`."""
        client = await self._clients.get()
        async with calling(self._endpoint, None):
            await client.post(f"{_PATH}/{batch}/cancel", cast_to=object)

    async def _first(self, batch: str) -> str:
        """The id of one of the requests of a batch that has ended; "" when its results are gone."""
        results = self.results(batch)
        try:
            async for result in results:
                return result.id
        except ModelNotFoundError:
            return ""
        finally:
            await results.aclose()
        return ""

    def _result(self, line: str) -> Result:
        try:
            document = mapping_of(json.loads(line), self._endpoint)
            name, result = document["custom_id"], mapping_of(document["result"], self._endpoint)
            kind = result["type"]
            if not isinstance(name, str):
                raise TypeError
        except (ValueError, KeyError, TypeError) as error:
            raise invalid(self._endpoint, f"has a line that is no result: {line[:80]!r}") from error
        if kind == "succeeded":
            return Result(name, "answered", 200, result.get("message"))
        if kind == "expired":
            return Result(name, "expired")
        if kind == "canceled":
            return Result(name, "cancelled")
        return Result(name, "answered", _status_of(result.get("error"), self._endpoint), result.get("error"))


def _status_of(error: Any, endpoint: Endpoint) -> int:
    """The status that an error would have had, were it not inside a batch: its type says it."""
    return of_status(500, error, endpoint).status or 500


def _counts(batch: Mapping[str, Any]) -> dict[str, int]:
    counts = batch.get("request_counts")
    if not isinstance(counts, Mapping):
        return {}
    return {key: count for key, count in counts.items() if isinstance(count, int)}


def _made(batch: Mapping[str, Any]) -> float:
    try:
        return datetime.fromisoformat(str(batch.get("created_at"))).timestamp()
    except ValueError:
        return 0.0
