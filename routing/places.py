"""Whether what a model is asked stays on this machine or in its own network."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

from routing.cost.prices import LOCAL_PROVIDERS

# Named one by one: what `ipaddress` calls private also holds tunnels and addresses kept for documents.
_OWN = tuple(
    ip_network(network)
    for network in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7", "fe80::/10")
)


def leaves_by(provider: str, address: str | None) -> str | None:
    """Where a request to a model of `provider`, at `address` if it has one, goes outside; `None`: it stays.

    What stays are the models inside this process, and servers whose address is "localhost" or a number of a private
    network (RFC 1918, RFC 4193). Other names are not looked up: what they stand for may change.
    """
    if address is None:
        return None if provider in LOCAL_PROVIDERS else f"it is asked at {provider}"
    try:
        host = urlsplit(address).hostname or ""
    except ValueError:
        return f"it is asked at {address}"
    if not host:
        return "it is asked at an address that names no host"
    return None if _is_own(host) else f"it is asked at {host}, which is no private address"


def is_own(address: str) -> bool:
    """Whether the server at this URL is on this machine or in its own network."""
    return leaves_by("", address) is None


def _is_own(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address.version == network.version and address in network for network in _OWN)
