"""OpenAI's batches: a file of requests is uploaded, a batch is made of it, and the answers come as files.

Sources: the reference of `POST /v1/batches` and `POST /v1/files`, and the guide "Batch API", 2026-11.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from routing.batch.provider import SKEW_SECONDS, Limits, Line, Result, Search, Standing
from routing.models.batch_documents import fetched, id_of, listed, mapping_of, section
from routing.models.clients import ClientPool
from routing.models.failures import Endpoint, calling, invalid, next_event, of_status

if TYPE_CHECKING:
    from openai import AsyncOpenAI

KEPT_SECONDS = 3 * 86_400
"""How long OpenAI keeps the file of requests: longer than a batch takes, and not the month that is the default."""
_LIMITS = Limits(requests=50_000, inputs=50_000)
_MARK = "plumbline"
_ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
_TOO_MUCH = "token_limit_exceeded"  # more is waiting already than the account may have waiting


class OpenAIBatches:
    """The batches of the account that `clients` belong to."""

    limits = _LIMITS

    def __init__(self, clients: ClientPool[AsyncOpenAI], endpoint: Endpoint) -> None:
        self._clients = clients
        self._endpoint = endpoint

    async def send(self, lines: Sequence[Line], mark: str) -> str:
        """As `Batches.send`: only the second of both steps makes something that is worked on and paid for."""
        path = f"/v1{lines[0].path}"
        content = b"\n".join(
            json.dumps({"custom_id": line.id, "method": "POST", "url": path, "body": line.body}).encode()
            for line in lines
        )
        client = await self._clients.get()
        async with calling(self._endpoint, None):
            file = await client.files.create(
                file=(f"{mark}.jsonl", content),
                purpose="batch",
                expires_after={"anchor": "created_at", "seconds": KEPT_SECONDS},
            )
        name = getattr(file, "id", None)
        if not isinstance(name, str):  # the SDK hands on whatever came
            raise invalid(self._endpoint, f"is no file; it begins with {str(file)[:80]!r}")
        body = {
            "input_file_id": name,
            "endpoint": path,
            "completion_window": "24h",
            "metadata": {_MARK: mark},
        }
        async with calling(self._endpoint, None):
            made = await client.post("/batches", body=body, cast_to=object)
        return id_of(made, self._endpoint)

    async def find(self, mark: str, requests: int, since: float, known: Collection[str]) -> Search:
        """As `Batches.find`: by the mark in the batch's metadata."""
        del requests, known
        after: dict[str, str] = {}
        while True:
            page = mapping_of(
                await fetched(await self._clients.get(), self._endpoint, "/batches", {"limit": 100, **after}),
                self._endpoint,
            )
            batches = listed(page, self._endpoint)
            for batch in batches:
                if section(batch, "metadata").get(_MARK) == mark:
                    return Search(id_of(batch, self._endpoint))
            if not batches or not page.get("has_more") or _made(batches[-1]) < since - SKEW_SECONDS:
                return Search(None)
            after = {"after": id_of(batches[-1], self._endpoint)}

    async def look(self, batch: str) -> Standing:
        """As `Batches.look`."""
        found = mapping_of(
            await fetched(await self._clients.get(), self._endpoint, f"/batches/{batch}"), self._endpoint
        )
        counts = section(found, "request_counts")
        status = str(found.get("status"))
        problem = None
        if status == "failed":
            problem = self._problem(found.get("errors"))
        return Standing(
            status in _ENDED,
            _number(counts.get("completed")),
            _number(counts.get("failed")),
            status == "expired",
            status in ("cancelling", "cancelled"),
            problem,
        )

    async def results(self, batch: str) -> AsyncIterator[Result]:
        """As `Batches.results`: from the file of answers and from that of errors."""
        found = mapping_of(
            await fetched(await self._clients.get(), self._endpoint, f"/batches/{batch}"), self._endpoint
        )
        for file in ("output_file_id", "error_file_id"):
            if found.get(file):
                async for line in self._lines(found[file]):
                    yield self._result(line)

    async def cancel(self, batch: str) -> None:
        """As `Batches.cancel`."""
        client = await self._clients.get()
        async with calling(self._endpoint, None):
            await client.post(f"/batches/{batch}/cancel", cast_to=object)

    async def _lines(self, file: str) -> AsyncIterator[Any]:
        client = await self._clients.get()
        async with calling(self._endpoint, None):
            opening = client.files.with_streaming_response.content(file)
            response = await opening.__aenter__()
        try:
            lines = response.iter_lines()
            while (line := await next_event(lines, self._endpoint, None)) is not None:
                if line.strip():
                    yield self._parsed(line)
        finally:
            await response.close()

    def _parsed(self, line: str) -> Any:
        try:
            return json.loads(line)
        except ValueError as error:
            raise invalid(self._endpoint, f"has a line that is not JSON: {line[:80]!r}") from error

    def _result(self, line: Any) -> Result:
        line = mapping_of(line, self._endpoint)
        name = line.get("custom_id")
        if not isinstance(name, str):
            raise invalid(self._endpoint, f"has a result without a custom_id: {str(line)[:80]!r}")
        response = line.get("response")
        if isinstance(response, Mapping):
            status = response.get("status_code")
            # Answers that were worked out and lost have the status 0.
            return Result(name, "answered", status if isinstance(status, int) and status else 500, response.get("body"))
        error = line.get("error")
        code = error.get("code") if isinstance(error, Mapping) else None
        if code == "batch_expired":
            return Result(name, "expired")
        if code in ("batch_cancelled", "batch_canceled"):
            return Result(name, "cancelled")
        return Result(name, "answered", 500, {"error": error})

    def _problem(self, errors: Any) -> Any:
        """Why a batch was refused: what its first line is accused of."""
        listed = errors.get("data") if isinstance(errors, Mapping) else None
        first = listed[0] if isinstance(listed, list) and listed else {}
        error = first if isinstance(first, Mapping) else {}
        return of_status(429 if error.get("code") == _TOO_MUCH else 400, {"error": error}, self._endpoint, headers={})


def _number(count: object) -> int:
    return count if isinstance(count, int) else 0


def _made(batch: Mapping[str, Any]) -> float:
    made = batch.get("created_at")
    return float(made) if isinstance(made, int | float) else 0.0
