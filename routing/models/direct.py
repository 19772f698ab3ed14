"""How an HTTP client gets to a server: straight, where it is one's own."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any

from routing.places import is_own


def way_to(base_url: str) -> Mapping[str, Any]:
    """The arguments of a client of `httpx`'s kind by which a server of one's own machine or network is asked through no
    proxy that the environment names; certificates are still those of the system, or of SSL_CERT_FILE.
    """
    if not is_own(base_url):
        return {}
    if base_url.startswith("http:"):
        return {"trust_env": False}
    return {"trust_env": False, "verify": ssl.create_default_context()}
