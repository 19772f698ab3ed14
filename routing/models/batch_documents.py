"""What both providers' batches answer with, read without trust."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from routing.models.failures import Endpoint, calling, invalid


async def fetched(client: Any, endpoint: Endpoint, path: str, query: Mapping[str, object] | None = None) -> Any:
    """The JSON at `path`; raises `ModelError`."""
    async with calling(endpoint, None):
        return await client.get(path, cast_to=object, options={"params": query or {}})


def mapping_of(document: Any, endpoint: Endpoint) -> Mapping[str, Any]:
    """The document, which must be a JSON object; raises `InvalidResponseError`."""
    if not isinstance(document, Mapping):
        raise invalid(endpoint, f"is not a JSON object; it begins with {str(document)[:80]!r}")
    return document


def id_of(document: Any, endpoint: Endpoint) -> str:
    """The id of a batch or a file; raises `InvalidResponseError` when it has none."""
    found = mapping_of(document, endpoint).get("id")
    if not isinstance(found, str) or not found:
        raise invalid(endpoint, "is a batch without an id")
    return found


def section(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The object under `name`; an empty one where there is none."""
    found = document.get(name)
    return found if isinstance(found, Mapping) else {}


def listed(page: Mapping[str, Any], endpoint: Endpoint) -> list[Mapping[str, Any]]:
    """The batches on a page of a list; raises `InvalidResponseError` when it is none."""
    data = page.get("data")
    if not isinstance(data, list):
        raise invalid(endpoint, "is no list of batches")
    return [mapping_of(each, endpoint) for each in data]
