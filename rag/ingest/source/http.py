"""Files on web servers, through the standard library: what is known of one, and its bytes, both within limits.

RFC 9110. Redirects are followed ten times at most, to http and https alone; credentials go to the host they were
given for and to no other. What a server says about size is a hint; what counts is what arrives.
"""

from __future__ import annotations

import base64
import http.client
import socket
import ssl
import time
import zlib
from dataclasses import dataclass
from email.message import Message
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.parse import quote, unquote, urlsplit, urlunsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    UnknownHandler,
)

from rag.errors import DamagedFileError, LoadError, MissingFileError, TooLargeError, UnreadableFileError
from rag.ingest.settings import LoadingSettings
from rag.ingest.source.address import address

TIMEOUT_SECONDS = 30.0
"""How long a server may be silent."""
_CHUNK_BYTES = 2**18
_NO_HEAD = (403, 405, 501)
"""How servers answer that do not know HEAD, or forbid it to programs."""
_GONE = (404, 410)


@dataclass(frozen=True, slots=True)
class Head:
    """What a server says about a file: `size` in bytes or `None`, `stamp` and `changed_ns` as of `Item`."""

    size: int | None
    stamp: str
    changed_ns: int
    media_type: str


def head(url: str, *, timeout: float = TIMEOUT_SECONDS) -> Head:
    """What is known of `url` without reading it. Raises the `LoadError` that says why nothing is."""
    try:
        try:
            with _open(url, "HEAD", timeout) as answer:
                return _head(answer.headers)
        except HTTPError as error:
            error.close()
            if error.code not in _NO_HEAD:
                raise
            with _open(url, "GET", timeout) as answer:
                return _head(answer.headers)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _load_error(url, error, timeout) from error


def get(url: str, loading: LoadingSettings, *, timeout: float = TIMEOUT_SECONDS) -> bytes:
    """The bytes at `url`, at most `loading.max_file_bytes`, within `loading.max_seconds`. Raises a `LoadError`."""
    try:
        with _open(url, "GET", timeout) as answer:
            encoding = answer.headers.get("Content-Encoding", "identity").strip().lower()
            expected = _size(answer.headers)
            if expected is not None and expected > loading.max_file_bytes:
                raise TooLargeError(address(url), expected, loading.max_file_bytes)
            data = _read(answer, url, loading)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _load_error(url, error, timeout) from error
    if expected is not None and len(data) < expected:
        raise DamagedFileError(address(url), f"the transfer ended after {len(data):,} of {expected:,} bytes")
    return _decoded(data, encoding, url, loading.max_file_bytes)


class _Redirects(HTTPRedirectHandler):
    """As the base class, and a question about a file stays one."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: http.client.HTTPMessage, newurl: str
    ) -> Request | None:
        redirected = super().redirect_request(req, fp, code, msg, headers, newurl)
        if redirected is not None:
            redirected.method = req.get_method()
        return redirected


def _open(url: str, method: str, timeout: float) -> http.client.HTTPResponse:
    parts = urlsplit(url)
    host = (parts.hostname or "").encode("idna").decode()
    host = f"[{host}]" if ":" in host else host
    host = f"{host}:{parts.port}" if parts.port else host
    path = quote(parts.path or "/", safe="/%:=&~+!$,;'@()*[]-._")
    query = quote(parts.query, safe="/%:=&?~+!$,;'@()*[]-._")
    request = Request(urlunsplit((parts.scheme, host, path, query, "")), method=method)  # noqa: S310 (only http and https have a handler below)
    request.add_header("User-Agent", "plumbline")
    request.add_header("Accept-Encoding", "identity")
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        request.add_unredirected_header("Authorization", "Basic " + base64.b64encode(pair.encode()).decode())
    opener = OpenerDirector()
    for handler in (
        ProxyHandler(),
        UnknownHandler(),
        HTTPHandler(),
        HTTPSHandler(context=_tls()),
        HTTPDefaultErrorHandler(),
        _Redirects(),
        HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    answer: http.client.HTTPResponse = opener.open(request, timeout=timeout)
    return answer


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    """Loading the certificates that are trusted takes longer than most questions."""
    return ssl.create_default_context()


def _head(headers: Message) -> Head:
    size, changed = _size(headers), headers.get("Last-Modified", "")
    mark = headers.get("ETag") or changed
    try:
        changed_ns = int(parsedate_to_datetime(changed).timestamp()) * 10**9
    except ValueError:
        changed_ns = 0
    media_type = headers.get_content_type() if "Content-Type" in headers else ""
    return Head(size, f"{size}-{mark}" if mark else "", changed_ns, media_type)


def _size(headers: Message) -> int | None:
    """The length of the body as it is sent, where the server gives one that can be believed."""
    length = headers.get("Content-Length", "")
    plain = headers.get("Content-Encoding", "identity").strip().lower() in ("", "identity")
    return int(length) if plain and length.isascii() and length.isdigit() else None


def _read(answer: http.client.HTTPResponse, url: str, loading: LoadingSettings) -> bytes:
    ends = time.monotonic() + loading.max_seconds
    limit = loading.max_file_bytes
    parts, size = [], 0
    while chunk := answer.read1(_CHUNK_BYTES):
        parts.append(chunk)
        size += len(chunk)
        if size > limit:
            raise TooLargeError(address(url), size, limit)
        if time.monotonic() > ends:
            raise UnreadableFileError(
                address(url), f"fetching it took longer than loading.max_seconds ({loading.max_seconds:g} s)"
            )
    return b"".join(parts)


def _decoded(data: bytes, encoding: str, url: str, limit: int) -> bytes:
    """Some servers compress whatever they are asked for."""
    if encoding in ("", "identity"):
        return data
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise UnreadableFileError(address(url), f"the server sends it compressed as '{encoding}', which is not read")
    decoder = zlib.decompressobj(wbits=47)  # zlib or gzip, as the data begins
    try:
        plain = decoder.decompress(data, limit + 1)
    except zlib.error as error:
        raise DamagedFileError(address(url), f"what the server sends is no {encoding}") from error
    if len(plain) > limit:
        raise TooLargeError(address(url), len(plain), limit)
    if not decoder.eof:
        raise DamagedFileError(address(url), "the transfer was cut short")
    return plain


def _load_error(url: str, error: Exception, timeout: float) -> LoadError:
    where, host = address(url), urlsplit(url).hostname
    if isinstance(error, HTTPError):
        error.close()
        return _status_error(where, error.code, str(error.reason))
    cause = error.reason if isinstance(error, URLError) and isinstance(error.reason, Exception) else error
    if isinstance(cause, socket.gaierror):
        return UnreadableFileError(where, f"no address is known for the host '{host}'", hint="Check its name.")
    if isinstance(cause, TimeoutError):
        return UnreadableFileError(where, f"the server was silent for {timeout:g} seconds", hint="Try again later.")
    if isinstance(cause, ConnectionRefusedError):
        return UnreadableFileError(where, f"'{host}' refuses the connection", hint="Check the host and the port.")
    if isinstance(cause, ssl.SSLError):
        return UnreadableFileError(where, f"no secure connection: {cause.reason or cause}")
    if isinstance(cause, http.client.IncompleteRead):
        return DamagedFileError(where, "the transfer was cut short")
    if isinstance(cause, OSError):
        return UnreadableFileError(where, f"the connection failed: {cause.strerror or cause}")
    return UnreadableFileError(where, f"the server cannot be understood: {type(cause).__name__}")


def _status_error(where: str, code: int, reason: str) -> LoadError:
    if code in _GONE:
        return MissingFileError(where, f"the server has no such file ({code})")
    if code in (401, 403, 407):
        return UnreadableFileError(where, f"the server does not let us read it ({code})", hint="Check the credentials.")
    if code in (301, 302, 303, 307, 308):
        return UnreadableFileError(where, f"it is redirected without end, or to no web page ({code})")
    return UnreadableFileError(where, f"the server answers {code} {reason}".rstrip(), hint="Try again later.")
