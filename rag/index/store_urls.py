"""The addresses of stores: what is wrong with one, and what of it may be shown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

_PASSWORD = re.compile(r"(//[^/:@]*):[^/]*@")
_HTTP = frozenset({"http", "https", "qdrant", "qdrants"})


def parsed(url: str) -> SplitResult:
    """The parts of a URL, all of them empty where it cannot be taken apart."""
    try:
        return urlsplit(url)
    except ValueError:  # brackets that are no address
        return SplitResult("", "", "", "", "")


def without_password(url: str | None) -> str | None:
    """A URL as it may be shown, however wrong it is."""
    return None if url is None else _PASSWORD.sub(r"\1@", url)


def wrong_part(url: str, schemes: Sequence[str]) -> str | None:
    """Says which part of a URL that is to begin with one of `schemes` is not understood; `None`: none.

    What PostgreSQL itself reads (several hosts, none at all, options) is left to it. No password is told.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return "its host is no address"
    if parts.scheme not in schemes:
        begins = f"it begins with '{parts.scheme}:' and" if parts.scheme else "it begins"
        return f"{begins} not with {' or '.join(f'{each}://' for each in schemes)}"
    if not parts.netloc and not url.startswith(f"{parts.scheme}://"):
        return f"after '{parts.scheme}:' there is no '//'"
    if parts.scheme in _HTTP and not parts.hostname:
        return "it names no host"
    if "," not in parts.netloc and not _is_port(parts):
        return f"its port '{parts.netloc.rpartition(':')[2]}' is no number up to 65535"
    if parts.scheme in _HTTP and (parts.query or parts.fragment):
        return f"its end '{'?' if parts.query else '#'}…' is not understood"
    return None


def _is_port(parts: SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:
        return False
