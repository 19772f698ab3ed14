"""No proxy stands before one's own servers."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator

import pytest

from routing.models.direct import way_to
from routing.testing.chat import REQUEST
from routing.testing.server import FakeProvider
from tests.routing.models.adapters import PROVIDERS, SDKS, Provider, adapter


@pytest.fixture
async def proxied(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[bytes]]:
    """What the proxy hears that the environment names."""
    heard: list[bytes] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readline())
        writer.write(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        yield heard


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_server_of_ones_own_is_asked_directly(provider: Provider, proxied: list[bytes]) -> None:
    pytest.importorskip(SDKS[provider])
    async with FakeProvider() as server:
        model = adapter(provider, server.url)
        assert (await model.complete(REQUEST)).text == server.script.text
        await model.close()
    assert proxied == []


def test_others_are_asked_as_the_environment_says() -> None:
    assert way_to("https://api.openai.com/v1") == {}
    assert way_to("http://models.example:8000/v1") == {}
    assert way_to("http://192.168.1.5:8000/v1") == {"trust_env": False}
    own = way_to("https://10.0.0.5/v1")
    assert own["trust_env"] is False
    assert isinstance(own["verify"], ssl.SSLContext), "of the environment SSL_CERT_FILE alone counts"
