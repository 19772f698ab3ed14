"""A web server on the loopback interface whose pages misbehave as they are told."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Page:
    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    head_status: int | None = None
    length: int | None = None
    """What is said about the length, whatever it is."""
    silent: float = 0.0
    drip: bool = False
    chunked: bool = False
    login: str = ""


@dataclass
class Web:
    url: str
    pages: dict[str, Page]
    asked: list[str]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    pages: dict[str, Page]
    asked: list[str]

    def do_HEAD(self) -> None:
        self.respond(self.pages.get(self.path), body=False)

    def do_GET(self) -> None:
        self.respond(self.pages.get(self.path), body=True)

    def respond(self, page: Page | None, *, body: bool) -> None:
        self.asked.append(f"{self.command} {self.path} {self.headers.get('Authorization', '')}".strip())
        page = page or Page(b"no such page", 404)
        time.sleep(page.silent)
        status = page.status if body else page.head_status or page.status
        if page.login and self.headers.get("Authorization") != page.login:
            status = 401
        data = page.body
        if page.headers.get("Content-Encoding") == "gzip":
            data = gzip.compress(data)
        self.send_response(status)
        for name, value in page.headers.items():
            self.send_header(name, value)
        if page.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(len(data) if page.length is None else page.length))
        self.send_header("Connection", "close")
        self.end_headers()
        if body:
            self.send(data, page)
        self.close_connection = True

    def send(self, data: bytes, page: Page) -> None:
        try:
            if page.chunked:  # for ever, until the other side has enough
                while True:
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            for piece in (data[at : at + 1] for at in range(len(data))) if page.drip else [data]:
                self.wfile.write(piece)
                time.sleep(0.05 * page.drip)
        except OSError:
            return  # the client has gone, as some tests want it to

    def log_message(self, *_: object) -> None:
        """Tests print nothing."""


@contextmanager
def serving() -> Iterator[Web]:
    pages: dict[str, Page] = {}
    asked: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"pages": pages, "asked": asked}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield Web(f"http://127.0.0.1:{server.server_port}", pages, asked)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
