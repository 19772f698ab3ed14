"""What every request passes: its id, who asks, limits of size, number and time, metrics, and problems for answers.

Pure ASGI, so that a stream passes through untouched and nothing is done twice.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

from plumbline.errors import PlumblineError
from rag.retrieve.access import ANYBODY
from rag.serve import problems
from rag.serve.audience import access_of
from rag.serve.errors import BadRequestBodyError, BusyError, ClientGoneError, RequestTimeoutError, UnsupportedTypeError
from rag.serve.guard import GUARDED, Guard
from rag.serve.host import Host
from rag.serve.limits import read_body, replayed
from rag.serve.problems import Problem

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

UPLOADS = "/api/documents"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SECURITY = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (
        b"content-security-policy",
        b"default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
    ),
)
_log = logging.getLogger("rag.serve")


class Gate:
    """The outermost ASGI middleware of the endpoint."""

    def __init__(self, app: ASGIApp, host: Host) -> None:
        self._app = app
        self._host = host
        self._guard = Guard(host.keys, host.loopback)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        await _Exchange(self._host, scope, send).run(self._app, self._guard, receive)


class _Exchange:
    """One request and its answer."""

    def __init__(self, host: Host, scope: Scope, send: Send) -> None:
        self._host = host
        self._scope = scope
        self._send = send
        self._headers: Mapping[bytes, bytes] = dict(scope["headers"])
        self._status = 0  # until an answer begins
        self._timeout: asyncio.Timeout | None = None
        given = self._headers.get(b"x-request-id", b"").decode("latin-1")
        self._id = given if _REQUEST_ID.fullmatch(given) else f"{host.started}-{next(host.requests):x}"
        scope.setdefault("state", {})["request_id"] = self._id
        scope["state"]["access"] = ANYBODY

    async def run(self, app: ASGIApp, guard: Guard, receive: Receive) -> None:
        """Answer, whatever happens."""
        started = time.perf_counter()
        try:
            await self._answered(app, guard, receive)
        except PlumblineError as error:
            await self._refuse(Problem.of(error))
        except asyncio.CancelledError:
            if not self._host.traffic.expired:
                raise
            await self._refuse(Problem.of(BusyError("The server is stopping.", headers={"retry-after": "5"})))
        except Exception:  # noqa: BLE001 (no error may leave a client without an answer; it is logged)
            _log.exception("request %s: %s failed", self._id, self._shown)
            await self._refuse(problems.internal(self._id))
        finally:
            self._record(time.perf_counter() - started)

    async def _answered(self, app: ASGIApp, guard: Guard, receive: Receive) -> None:
        method, path = self._scope["method"], self._scope["path"]
        key = guard.admit(method, path, self._headers)
        if key is not None:
            await self._host.keys.note_use(key)
        if not path.startswith(GUARDED):
            await app(self._scope, receive, self._forward)
            return
        self._scope["state"]["access"] = access_of(key, loopback=self._host.loopback)
        with self._host.traffic.admitted():
            limits = self._host.settings.serve
            if method == "POST" and path == UPLOADS:
                await app(self._scope, receive, self._forward)
                return
            if method in ("POST", "PUT", "PATCH"):
                receive = await self._with_body(receive)
            try:
                async with asyncio.timeout(limits.timeout_seconds) as self._timeout:
                    await app(self._scope, receive, self._forward)
            except TimeoutError as error:
                if self._status:
                    raise
                raise RequestTimeoutError(f"The request was not done within {limits.timeout_seconds:g} s.") from error

    async def _with_body(self, receive: Receive) -> Receive:
        """Read the body, before any route is asked: no route has to mind what is too large, too slow or not JSON."""
        limits = self._host.settings.serve
        kind = self._headers.get(b"content-type", b"").split(b";")[0].strip().lower()
        if kind != b"application/json":
            shown = kind.decode("latin-1") or "no content type"
            raise UnsupportedTypeError(f"The body must be application/json, not {shown}.")
        body = await read_body(receive, self._headers, limit=limits.max_body_bytes, seconds=limits.timeout_seconds)
        try:
            body.decode()
        except UnicodeDecodeError as error:
            message = f"The body is not JSON, which is UTF-8: byte {error.start + 1} is not."
            raise BadRequestBodyError(message) from error
        return replayed(body, receive)

    async def _forward(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            message["headers"] = [*message["headers"], (b"x-request-id", self._id.encode()), *_SECURITY]
            streams = any(
                name == b"content-type" and value.startswith(b"text/event-stream") for name, value in message["headers"]
            )
            if streams and self._timeout is not None:
                self._timeout.reschedule(None)  # a stream watches the time itself, and says so in an event
        await self._send(message)

    async def _refuse(self, problem: Problem) -> None:
        """Answer with a problem; once an answer has begun it can only be broken off."""
        if self._status or problem.status == ClientGoneError.status:
            self._status = self._status or problem.status
            return
        body, media_type = problem.body(self._scope["path"], self._id)
        headers = [
            (b"content-type", media_type.encode()),
            (b"content-length", str(len(body)).encode()),
            *((name.encode(), value.encode("latin-1")) for name, value in problem.headers.items()),
        ]
        await self._forward({"type": "http.response.start", "status": problem.status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})

    def _record(self, seconds: float) -> None:
        route = getattr(self._scope.get("route"), "path", "other")
        self._host.metrics.request(self._scope["method"], route, self._status, seconds)
        _log.info("%s %s %d %.1f ms", self._id, self._shown, self._status, seconds * 1000)

    @property
    def _shown(self) -> str:
        """Method and path for the log, in which nothing that a client sends may look like a line."""
        return f"{self._scope['method']} {quote(self._scope['path'])}"
