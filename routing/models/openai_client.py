"""Clients of the `openai` SDK, for OpenAI and for every server that speaks its interface."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from plumbline.extras import require
from routing.models.bounds import bounds
from routing.models.clients import ClientPool, Connections
from routing.models.direct import way_to
from routing.models.failures import Endpoint

if TYPE_CHECKING:
    from openai import AsyncOpenAI

OPENAI_ADDRESS = "https://api.openai.com/v1"


def openai_endpoint(provider: str, name: str, base_url: str, key_variable: str | None) -> Endpoint:
    """How messages name a model behind the `openai` SDK."""
    service = {"openai": "OpenAI", "vllm": "The vLLM server"}.get(provider, "The server")
    return Endpoint(f"{provider}/{name}", "openai", service, base_url, key_variable)


def openai_clients(
    provider: str, base_url: str, api_key: str | None, timeout: float, connections: Connections | None = None
) -> ClientPool[AsyncOpenAI]:
    """SDK clients for one server, shared by the models with these `connections`.

    Keys and account headers of OpenAI never go to another server.
    """

    def make() -> AsyncOpenAI:
        sdk = require("openai", "openai")
        own = provider == "openai"
        foreign = {} if own else {"OpenAI-Organization": sdk.Omit(), "OpenAI-Project": sdk.Omit()}
        client: AsyncOpenAI = sdk.AsyncOpenAI(
            api_key=api_key or "none",
            base_url=base_url,
            max_retries=0,
            default_headers=foreign,
            http_client=fastest_http(sdk, timeout, base_url),
        )
        return client

    return (connections or Connections()).pool((provider, base_url, api_key, timeout), make)


def fastest_http(sdk: Any, timeout: float, base_url: str) -> Any:
    """An HTTP client for an SDK: on aiohttp where that is installed, which takes less time per call.

    It follows no redirect, which would turn a POST into a GET of something else, and asks a server of one's own machine
    or network through no proxy that the environment names.
    """
    kind = sdk.DefaultAioHttpClient if _aiohttp_is_installed() else sdk.DefaultAsyncHttpxClient
    limits = sdk.Timeout(timeout, connect=min(timeout, 10.0))
    return kind(timeout=limits, follow_redirects=False, **way_to(base_url), **bounds())


def _aiohttp_is_installed() -> bool:
    return find_spec("aiohttp") is not None
