"""Who may ask: a valid key, or, where no keys exist, this machine and no foreign web page.

Without keys the server would answer whatever reaches it, and a browser reaches localhost on behalf of any page. So a
host name that is not this machine's is refused (DNS rebinding), and so is what another origin sends (cross-site
requests; Fetch Metadata, W3C, and the Origin header, RFC 6454).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from rag.serve.errors import ForbiddenError, UnauthorizedError
from rag.serve.keys import Key, KeyRing

GUARDED = ("/api/", "/v1/")
METRICS = "/metrics"
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True, slots=True)
class Guard:
    """Admits requests. `loopback` says that the server listens on this machine alone."""

    keys: KeyRing
    loopback: bool

    def admit(self, method: str, path: str, headers: Mapping[bytes, bytes]) -> Key | None:
        """The key that a request carries, or `None` where none is needed; raises `RequestError`."""
        if not path.startswith((*GUARDED, METRICS)):
            return None
        if self.keys.any() and not (path == METRICS and self.loopback):
            key = self._with_key(headers)
            if path == METRICS and key.tenant is not None:
                raise ForbiddenError("What all tenants ask and cost is not shown to one of them.")
            return key
        self._from_here(method, headers)
        return None

    def _with_key(self, headers: Mapping[bytes, bytes]) -> Key:
        scheme, _, token = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise UnauthorizedError(
                "This server needs an API key.",
                hint="Send the header 'Authorization: Bearer plk_…'. Keys are made with: rag keys add NAME",
                headers={"www-authenticate": "Bearer"},
            )
        key = self.keys.check(token.strip())
        if key is None:
            raise UnauthorizedError(
                "The API key is not known, or was revoked.",
                hint="Make a new one with: rag keys add NAME",
                headers={"www-authenticate": 'Bearer error="invalid_token"'},
            )
        return key

    def _from_here(self, method: str, headers: Mapping[bytes, bytes]) -> None:
        host = headers.get(b"host", b"").decode("latin-1")
        if self.loopback and not is_loopback(_hostname(f"//{host}")):
            raise ForbiddenError(
                f"The host name '{host}' is not this machine's, and without API keys only this machine is served.",
                hint="Ask for 127.0.0.1 or localhost, or make a key with: rag keys add NAME",
            )
        origin = headers.get(b"origin", b"").decode("latin-1")
        site = headers.get(b"sec-fetch-site", b"").decode("latin-1")
        foreign = bool(origin) and _netloc(origin) != host
        if foreign or (site in ("cross-site", "same-site") and method not in SAFE_METHODS):
            raise ForbiddenError(
                f"A web page of {origin or 'another site'} may not use this server.",
                hint="Use the page that the server itself shows, or make a key with: rag keys add NAME",
            )


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _hostname(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""
