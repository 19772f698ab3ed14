"""`rag serve` and `curl` of the documentation, run in this process: the application answers, no port is opened."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

URL = re.compile(r"http://127\.0\.0\.1:8000(?P<path>/\S*)$")


class DocsServer:
    """Serves the knowledge bases that the page's last `rag serve` names; `INGESTION` and `DOCUMENT_ID` in an address
    stand for the ids that an earlier answer gave."""

    def __init__(self) -> None:
        self._host: Any = None
        self._client: Any = None
        self._ids: dict[str, str] = {}

    def serve(self, folders: Sequence[str]) -> str:
        """Start in place of what ran before; returns what the command prints."""
        pytest.importorskip("fastapi")
        from fastapi.testclient import TestClient

        from rag.serve.app import create_app
        from rag.serve.commands import greeting
        from rag.serve.host import Host

        self.stop()
        self._host = Host.open(folders or ["kb"])
        self._client = TestClient(create_app(self._host), base_url="http://127.0.0.1:8000")
        self._client.__enter__()
        self._client.portal.call(self._host.warm_up)
        return str(greeting(self._host, "127.0.0.1", 8000))

    def curl(self, arguments: Sequence[str]) -> str:
        """What `curl` prints; knows -H, -d, -F, -X and -N."""
        assert self._client is not None, "a page must show `rag serve` before `curl`"
        response = self._client.request(**self._read(list(arguments)))
        for name, value in re.findall(r'"(ingestion|document_id)":"(\w+)"', response.text):
            self._ids[name.upper()] = value
        return str(response.text)

    def stop(self) -> None:
        """Close what was opened."""
        if self._client is not None:
            self._client.portal.call(self._host.ingestions.finish)
            self._client.portal.call(self._host.aclose)
            self._client.__exit__(None, None, None)
            self._client = self._host = None

    def _read(self, arguments: list[str]) -> dict[str, Any]:
        headers: dict[str, str] = {}
        files: list[tuple[str, Any]] = []
        found: dict[str, Any] = {"method": None, "url": None, "headers": headers, "content": None}
        while arguments:
            match arguments.pop(0):
                case "-N":
                    continue
                case "-X":
                    found["method"] = arguments.pop(0)
                case "-d":
                    found["content"] = arguments.pop(0)
                case "-H":
                    name, _, value = arguments.pop(0).partition(": ")
                    headers[name] = value
                case "-F":
                    field, _, path = arguments.pop(0).partition("=@")
                    files.append((field, (Path(path).name, Path(path).read_bytes())))
                case address:
                    match = URL.match(address)
                    assert match, f"curl: what is '{address}'?"
                    found["url"] = re.sub(r"INGESTION|DOCUMENT_ID", lambda word: self._ids[word.group()], match["path"])
        sends = found["content"] is not None or files
        found["method"] = found["method"] or ("POST" if sends else "GET")
        return {**found, "files": files or None}
