"""A fake provider of batches on a local port: OpenAI's files and batches, and Anthropic's message batches.

It takes batches, works on them whenever it is looked at, and loses connections, requests and whole batches on demand.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes
from typing import Any, Literal

from routing.testing.fakes import hashed_vector
from routing.testing.serving import LocalServer
from routing.testing.wire import Script, anthropic_message, error_body, openai_completion, openai_embeddings
from routing.testing.wire_http import Answer
from routing.testing.wire_responses import response as openai_response

Loss = Literal["before", "after", "cut", "garbage"] | int
"""A connection is lost before a request is dealt with, or after that, when the answer is missing, or cut in half; the
answer is no JSON; or the request is not dealt with and answered with a status."""
Fate = Literal["expired", "cancelled", "missing"] | int
"""What becomes of a request that is not answered: a number is the status of an error."""


@dataclass(slots=True)
class FakeBatch:
    """One batch: `lines` are pairs of a request's own id and its body; it is looked at in vain `looks` times."""

    id: str
    path: str
    lines: list[tuple[str, Mapping[str, Any]]]
    looks: int
    created: float
    metadata: Mapping[str, str] = field(default_factory=dict)
    problem: Mapping[str, Any] | None = None
    cancelled: bool = False

    @property
    def ended(self) -> bool:
        """Whether it is done with."""
        return self.looks <= 0


@dataclass(frozen=True, slots=True)
class Arrived:
    """One request as it arrived."""

    method: str
    path: str
    query: str
    content_type: str
    body: bytes

    @property
    def step(self) -> str:
        """Such as "POST /v1/batches", ids left out."""
        parts = [part for part in self.path.split("/") if not any(sign.isdigit() for sign in part[2:])]
        return f"{self.method} {'/'.join(parts)}"


class FakeBatches(LocalServer):
    """The server, as an async context manager: `async with FakeBatches() as server: … server.url`.

    Every request is answered with `script`, the results in reverse order, unless `fate` has another end for its own id
    and body. A batch ends when it was looked at `looks` times. The next requests to the server fail as `losses` say,
    `None` being none; for those after them `choose` says it. `problems` are the errors by which the next batches are
    refused after they were taken (OpenAI's only). `results` may change the lines of results. `steps` has all that was
    asked, `batches` what was taken.
    """

    def __init__(
        self,
        script: Script | None = None,
        *,
        looks: int = 1,
        fate: Callable[[str, Mapping[str, Any]], Fate | None] = lambda name, body: None,
        losses: Iterable[Loss | None] = (),
        choose: Callable[[Arrived], Loss | None] = lambda arrived: None,
        problems: Iterable[Mapping[str, Any] | None] = (),
        results: Callable[[list[dict[str, Any]]], list[dict[str, Any]]] = list,
        dim: int = 1536,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self.script = script or Script()
        self.looks = looks
        self.fate = fate
        self.losses: deque[Loss | None] = deque(losses)
        self.choose = choose
        self.problems: deque[Mapping[str, Any] | None] = deque(problems)
        self.results = results
        self.dim = dim
        self.clock = clock
        self.steps: list[str] = []
        self.batches: dict[str, FakeBatch] = {}
        self.files: dict[str, bytes] = {}

    @property
    def taken(self) -> list[str]:
        """The own ids of all requests that were taken, in batches that were not refused."""
        return [name for batch in self.batches.values() if batch.problem is None for name, _ in batch.lines]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Deal with what comes, or lose it."""
        while (arrived := await _read(reader)) is not None:
            loss = self.losses.popleft() if self.losses else self.choose(arrived)
            if loss == "before":
                return
            self.steps.append(arrived.step)
            frames = list(self._harmed(arrived, loss).frames()) if loss != "after" else []
            whole = b"".join(frames)
            writer.write(whole[: (len(whole) + whole.index(b"\r\n\r\n")) // 2] if loss == "cut" else whole)
            await writer.drain()
            if loss in ("after", "cut"):
                return

    def _harmed(self, arrived: Arrived, loss: Loss | None) -> Answer:
        """The answer, if it is dealt with; something else, if that is what was to happen."""
        if isinstance(loss, int):
            anthropic = arrived.path.startswith("/v1/messages")
            return _json(error_body(loss, "scripted failure", anthropic=anthropic), status=loss)
        answer = self._answer(arrived)
        return Answer((b"<html>Bad gateway</html>",), content_type="text/html") if loss == "garbage" else answer

    def _answer(self, arrived: Arrived) -> Answer:
        anthropic = arrived.path.startswith("/v1/messages")
        words = arrived.path.removeprefix("/v1/messages" if anthropic else "/v1").strip("/").split("/")
        match arrived.method, words:
            case "POST", ["files"]:
                return _json(self._upload(arrived))
            case "GET", ["files", file, "content"]:
                return Answer((self.files[file],), content_type="application/octet-stream")
            case "POST", ["batches"]:
                return _json(self._told(self._take(arrived, anthropic=anthropic), anthropic=anthropic))
            case "GET", ["batches"]:
                for batch in self.batches.values():
                    batch.looks -= 1
                listed = [self._told(batch, anthropic=anthropic) for batch in reversed(self.batches.values())]
                last = listed[-1]["id"] if listed else None
                return _json({"data": listed, "has_more": False, "last_id": last, "object": "list"})
            case "GET", ["batches", name] if name in self.batches:
                self.batches[name].looks -= 1
                return _json(self._told(self.batches[name], anthropic=anthropic))
            case "GET", ["batches", name, "results"]:
                lines = self.results([self._anthropic_line(*line) for line in reversed(self.batches[name].lines)])
                return Answer((_jsonl(lines),), content_type="application/x-jsonl")
            case "POST", ["batches", name, "cancel"]:
                if self.batches[name].ended or self.batches[name].cancelled:
                    return _json(error_body(409, "it cannot be cancelled any more", anthropic=anthropic), status=409)
                self.batches[name].cancelled = True
                return _json(self._told(self.batches[name], anthropic=anthropic))
        return _json(error_body(404, "there is no such thing", anthropic=anthropic), status=404)

    def _upload(self, arrived: Arrived) -> dict[str, Any]:
        head = f"Content-Type: {arrived.content_type}\r\n\r\n".encode()
        parts = message_from_bytes(head + arrived.body).get_payload()
        assert isinstance(parts, list)
        (file,) = [part for part in parts if not isinstance(part, str) and part.get_filename()]
        content = file.get_payload(decode=True)
        assert isinstance(content, bytes)
        name = f"file-{len(self.files) + 1}"
        self.files[name] = content
        return {
            "id": name,
            "object": "file",
            "bytes": len(content),
            "created_at": int(self.clock()),
            "purpose": "batch",
        }

    def _take(self, arrived: Arrived, *, anthropic: bool) -> FakeBatch:
        body = json.loads(arrived.body)
        problem = self.problems.popleft() if self.problems else None
        if anthropic:
            lines = [(each["custom_id"], each["params"]) for each in body["requests"]]
            path: str = "/v1/messages"
            metadata: Mapping[str, str] = {}
        else:
            content = self.files[body["input_file_id"]].decode()
            read = [json.loads(line) for line in content.splitlines()]
            path, metadata = body["endpoint"], body.get("metadata") or {}
            assert {(each["url"], each["method"]) for each in read} == {(path, "POST")}
            lines = [(each["custom_id"], each["body"]) for each in read]
        name = f"{'msgbatch' if anthropic else 'batch'}_{len(self.batches) + 1}"
        batch = FakeBatch(name, path, lines, self.looks, self.clock(), metadata, problem)
        self.batches[name] = batch
        return batch

    def _told(self, batch: FakeBatch, *, anthropic: bool) -> dict[str, Any]:
        fates = [self.fate(*line) for line in batch.lines] if batch.ended else []
        failed = sum(isinstance(fate, int) for fate in fates)
        counts = {"expired": fates.count("expired"), "canceled": fates.count("cancelled"), "errored": failed}
        if anthropic:
            counts["succeeded"] = len(fates) - sum(counts.values())
            counts["processing"] = len(batch.lines) - sum(counts.values())
            state = "ended" if batch.ended else "canceling" if batch.cancelled else "in_progress"
            made = datetime.fromtimestamp(batch.created, UTC).isoformat()
            told = {"id": batch.id, "type": "message_batch", "processing_status": state, "request_counts": counts}
            results = f"{self.url}/v1/messages/batches/{batch.id}/results" if batch.ended else None
            return told | {
                "created_at": made,
                "expires_at": made,
                "results_url": results,
                "cancel_initiated_at": made if batch.cancelled else None,
            }
        return self._openai(batch, fates)

    def _openai(self, batch: FakeBatch, fates: list[Fate | None]) -> dict[str, Any]:
        state = "cancelling" if batch.cancelled else "in_progress"
        if batch.ended:
            ends = "cancelled" if batch.cancelled else "expired" if "expired" in fates else "completed"
            state = "failed" if batch.problem is not None else ends
        told: dict[str, Any] = {
            "id": batch.id,
            "object": "batch",
            "endpoint": batch.path,
            "created_at": int(batch.created),
            "status": state,
            "metadata": batch.metadata,
            "request_counts": {"total": len(batch.lines), "completed": fates.count(None), "failed": 0},
            "errors": None if batch.problem is None else {"object": "list", "data": [batch.problem]},
        }
        if state in ("completed", "expired", "cancelled"):
            for name, wanted in (("output", (None,)), ("error", ("expired", "cancelled"))):
                lines = [
                    self._openai_line(batch, *line, fate=fate)
                    for line, fate in reversed(list(zip(batch.lines, fates, strict=True)))
                    if fate in wanted or (name == "error" and isinstance(fate, int))
                ]
                if name == "output":
                    lines = self.results(lines)
                if lines:
                    self.files[f"file-{name}-{batch.id}"] = _jsonl(lines)
                    told[f"{name}_file_id"] = f"file-{name}-{batch.id}"
        return told

    def _openai_line(
        self, batch: FakeBatch, name: str, body: Mapping[str, Any], *, fate: Fate | None
    ) -> dict[str, Any]:
        line: dict[str, Any] = {"id": f"batch_req_{name}", "custom_id": name, "response": None, "error": None}
        if isinstance(fate, str):
            return line | {"error": {"code": f"batch_{fate}", "message": "This request could not be executed."}}
        if isinstance(fate, int):
            refused = {"status_code": fate, "body": error_body(fate, "scripted failure", anthropic=False)}
            return line | {"response": refused}
        return line | {"response": {"status_code": 200, "request_id": "r", "body": self._document(batch.path, body)}}

    def _document(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        if path.endswith("/embeddings"):
            vectors = [hashed_vector(text, int(body.get("dimensions", self.dim))) for text in body["input"]]
            return openai_embeddings(vectors, body["model"], sum(map(len, body["input"])), as_base64=False)
        if path.endswith("/responses"):
            return openai_response(self.script, body)
        return openai_completion(self.script, body["model"], body)

    def _anthropic_line(self, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
        fate = self.fate(name, body)
        result: dict[str, Any] = {"type": "succeeded", "message": anthropic_message(self.script, body["model"])}
        if isinstance(fate, int):
            result = {"type": "errored", "error": error_body(fate, "scripted failure", anthropic=True)}
        elif fate is not None:
            result = {"type": {"cancelled": "canceled"}.get(fate, "expired")}
        return {"custom_id": name, "result": result}


def _json(document: Mapping[str, Any], *, status: int = 200) -> Answer:
    return Answer((json.dumps(document).encode(),), status=status)


def _jsonl(lines: Iterable[Mapping[str, Any]]) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


async def _read(reader: asyncio.StreamReader) -> Arrived | None:
    """The next request of a connection, or `None` when the client has closed it."""
    with suppress(asyncio.IncompleteReadError):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        request, *lines = head.split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await _body(reader, headers)
        method, target, _ = request.split(" ")
        path, _, query = target.partition("?")
        return Arrived(method, path, query, headers.get("content-type", ""), body)
    return None


async def _body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if headers.get("transfer-encoding") != "chunked":
        return await reader.readexactly(int(headers.get("content-length", "0")))
    parts = []
    while size := int((await reader.readuntil(b"\r\n")).strip(), 16):
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readexactly(2)
    return b"".join(parts)
