"""A server on this machine that speaks as much of Qdrant's HTTP as the store asks, and fails as it is told.

What it holds is in the client's local mode, so that what is written by half can be looked at.
"""

from __future__ import annotations

import json
import re
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from qdrant_client import QdrantClient, models

SNAPSHOT = b"a tar of a collection"


@dataclass
class Fault:
    """What happens to one request: `status` is answered (None: the line goes dead), after `share` of it was done."""

    status: int | None = 500
    share: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    body: bytes | None = None


class FakeQdrant:
    """`faults` are for the next requests whose "METHOD path" matches their pattern; `asked` is all that came."""

    def __init__(self) -> None:
        self.client = QdrantClient(":memory:")
        self.faults: list[tuple[str, Fault]] = []
        self.asked: list[tuple[str, Any]] = []
        self.keys: list[str] = []
        self.uploaded: list[bytes] = []
        self.spread = False
        self.lock = threading.Lock()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                fake.answer(self)

            do_GET = do_PUT = do_POST = do_DELETE = handle_any

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def count(self, pattern: str) -> int:
        return sum(re.search(pattern, line) is not None for line, _ in self.asked)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        raw = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        path = urlsplit(handler.path).path
        line = f"{handler.command} {path}"
        is_json = "json" in (handler.headers.get("Content-Type") or "")
        body = json.loads(raw) if raw and is_json else raw
        with self.lock:
            self.asked.append((line, body))
            fault = next((each for each in self.faults if re.search(each[0], line)), None)
            if fault is not None:
                self.faults.remove(fault)
                self._fail(handler, line, body, fault[1])
                return
            try:
                result: Any = self._do(line, body, 1.0)
                status = 200
            except KeyError as error:
                result, status = str(error), 404
        if isinstance(result, bytes):
            _send(handler, 200, result, {})
            return
        answer = {"time": 0.0, "status": "ok", "result": result}
        if status != 200:
            answer = {"time": 0.0, "status": {"error": result}}
        _send(handler, status, json.dumps(answer).encode(), {})

    def _fail(self, handler: BaseHTTPRequestHandler, line: str, body: Any, fault: Fault) -> None:
        if fault.share:
            self._do(line, body, fault.share)
        time.sleep(fault.seconds)
        if fault.status is None:
            handler.close_connection = True
            handler.connection.close()
            return
        text = fault.body if fault.body is not None else json.dumps({"status": {"error": "as told"}}).encode()
        _send(handler, fault.status, text, fault.headers)

    def _do(self, line: str, body: Any, share: float) -> Any:
        for pattern, work in _ROUTES:
            if match := re.fullmatch(pattern, line):
                if match.groups() and work is not _create and not self.client.collection_exists(match[1]):
                    if line.endswith("/exists"):
                        return {"exists": False}
                    raise KeyError(f"Collection `{match[1]}` doesn't exist!")
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of local mode, about what it does not do
                    return work(self, match[1] if match.groups() else "", body, share)
        raise KeyError(f"no route for {line}")


def _send(handler: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str]) -> None:
    handler.send_response(status)
    for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


def _dumped(value: Any) -> Any:
    return json.loads(value.model_dump_json())


def _create(fake: FakeQdrant, name: str, body: Any, share: float) -> Any:
    fake.client.create_collection(
        name,
        vectors_config={key: models.VectorParams(**each) for key, each in body["vectors"].items()},
        sparse_vectors_config={key: models.SparseVectorParams(**each) for key, each in body["sparse_vectors"].items()},
        metadata=body["metadata"],
    )
    return True


def _info(fake: FakeQdrant, name: str, body: Any, share: float) -> Any:
    return _dumped(fake.client.get_collection(name))


def _upsert(fake: FakeQdrant, name: str, body: Any, share: float) -> Any:
    points = [models.PointStruct(**each) for each in body["points"]]
    fake.client.upsert(name, points[: max(1, int(len(points) * share))])
    return {"operation_id": 1, "status": "completed"}


def _delete(fake: FakeQdrant, name: str, body: Any, share: float) -> Any:
    if fake.keys and "shard_key" not in body:
        raise KeyError("no shard key")
    if not fake.keys:
        ids = body["points"]
        fake.client.delete(name, models.PointIdsList(points=ids[: max(1, int(len(ids) * share))]))
    return {"operation_id": 1, "status": "completed"}


def _count(fake: FakeQdrant, name: str, body: Any, share: float) -> Any:
    condition = models.Filter(**body["filter"]) if body.get("filter") else None
    return _dumped(fake.client.count(name, condition))


def _facet(fake: FakeQdrant, name: str, body: Any, share: float) -> Any:
    return _dumped(fake.client.facet(name, body["key"], limit=body["limit"]))


def _aliases(fake: FakeQdrant, name: str, body: Any, share: float) -> Any:
    return _dumped(fake.client.get_aliases())


def _point_aliases(fake: FakeQdrant, name: str, body: Any, share: float) -> Any:
    changes = models.ChangeAliasesOperation(**body)
    return fake.client.update_collection_aliases(changes.actions)


def _retrieve(fake: FakeQdrant, name: str, body: Any, share: float) -> Any:
    return [_dumped(each) for each in fake.client.retrieve(name, body["ids"], with_vectors=True)]


def _scroll(fake: FakeQdrant, name: str, body: Any, share: float) -> Any:
    some, offset = fake.client.scroll(name, limit=body["limit"], offset=body.get("offset"))
    return {"points": [_dumped(each) for each in some], "next_page_offset": offset}


def _query(fake: FakeQdrant, name: str, body: Any, share: float) -> Any:
    searches = [{**each, "params": None} for each in body["searches"]]
    answers = fake.client.query_batch_points(name, [models.QueryRequest(**each) for each in searches])
    return [_dumped(each) for each in answers]


def _drop(fake: FakeQdrant, name: str, body: Any, share: float) -> Any:
    return fake.client.delete_collection(name)


def _cluster(fake: FakeQdrant, name: str, body: Any, share: float) -> Any:
    remote = [{"shard_id": 1, "peer_id": 2, "state": "Active"}] if fake.spread else []
    local = [{"shard_id": 0, "points_count": 0, "state": "Active"}]
    return {"peer_id": 1, "shard_count": 1, "local_shards": local, "remote_shards": remote, "shard_transfers": []}


def _new_key(fake: FakeQdrant, name: str, body: Any, share: float) -> Any:
    fake.keys.append(body["shard_key"])
    return True


def _upload(fake: FakeQdrant, name: str, body: Any, share: float) -> Any:
    fake.uploaded.append(body)
    return True


_C = r"/collections/([^/]+)"
_ROUTES: tuple[tuple[str, Callable[[FakeQdrant, str, Any, float], Any]], ...] = (
    ("GET /aliases", _aliases),
    ("POST /collections/aliases", _point_aliases),
    (f"GET {_C}", _info),
    (f"GET {_C}/exists", lambda fake, name, body, share: {"exists": True}),
    (f"PUT {_C}", _create),
    (f"DELETE {_C}", _drop),
    (f"PUT {_C}/index", lambda fake, name, body, share: {"operation_id": 1, "status": "completed"}),
    (f"PUT {_C}/points", _upsert),
    (f"POST {_C}/points/delete", _delete),
    (f"POST {_C}/points/count", _count),
    (f"POST {_C}/facet", _facet),
    (f"POST {_C}/points", _retrieve),
    (f"POST {_C}/points/scroll", _scroll),
    (f"POST {_C}/points/query/batch", _query),
    (f"GET {_C}/cluster", _cluster),
    (f"GET {_C}/shards", lambda fake, name, body, share: {"shard_keys": [{"key": key} for key in fake.keys]}),
    (f"PUT {_C}/shards", _new_key),
    (f"POST {_C}/snapshots", lambda fake, name, body, share: {"name": "one.snapshot", "size": len(SNAPSHOT)}),
    (f"GET {_C}/snapshots/one.snapshot", lambda fake, name, body, share: SNAPSHOT),
    (f"DELETE {_C}/snapshots/one.snapshot", lambda fake, name, body, share: True),
    (f"POST {_C}/snapshots/upload", _upload),
)
