"""What the adapters of Cohere share: clients of the v2 API, and how messages name it."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from plumbline.extras import require
from routing.models.bounds import bounds
from routing.models.clients import ClientPool, Connections
from routing.models.direct import way_to
from routing.models.failures import Endpoint

COHERE_ADDRESS = "https://api.cohere.com"
COHERE_KEY = "CO_API_KEY"
_CONNECT_SECONDS = 10.0


class CohereClient:
    """The SDK's client with the HTTP client under it, which the SDK itself does not close. Retries are ours."""

    def __init__(self, base_url: str, api_key: str, timeout: float) -> None:
        sdk = require("cohere", "cohere")
        # On aiohttp where the SDK can use it, which takes less time per call.
        kind = sdk.DefaultAioHttpClient if find_spec("httpx_aiohttp") is not None else sdk.DefaultAsyncHttpxClient
        # A redirect would turn the request into another one.
        self._http = kind(
            timeout=require("httpx", "cohere").Timeout(timeout, connect=_CONNECT_SECONDS),
            follow_redirects=False,
            **way_to(base_url),
            **bounds(),
        )
        self.sdk: Any = sdk.AsyncClientV2(
            api_key, base_url=base_url, max_retries=0, httpx_client=self._http, log_warning_experimental_features=False
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()


def cohere_clients(
    base_url: str, api_key: str, timeout: float, connections: Connections | None
) -> ClientPool[CohereClient]:
    """One client per event loop, shared by the models with these `connections`."""
    shared = connections or Connections()
    return shared.pool(("cohere", base_url, api_key, timeout), lambda: CohereClient(base_url, api_key, timeout))


def cohere_endpoint(name: str, base_url: str) -> Endpoint:
    """How messages name a model of Cohere."""
    return Endpoint(f"cohere/{name}", "cohere", "Cohere", base_url, COHERE_KEY)
