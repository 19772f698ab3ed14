"""URLs as they are opened, and as they are shown and stored: without credentials."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from plumbline.errors import InputError

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_SECRET = re.compile(
    r"(?:x-(?:amz|goog|ms)-[^=]*|awsaccesskeyid|expires|sig|signature|[^=]*(?:token|secret|password)[^=]*|pass|pwd"
    r"|auth|[^=]*api[-_]?key)(?:=.*)?|(?:key|code)=.{20,}",
    re.IGNORECASE,
)
"""Query parameters that let whoever has the URL in: signatures, tokens, keys."""
_SAFE_IN_NAMES = "/:=&~+!$,;'@()*[]-._"
_SAFE = "/%:=&?~+!$,;'@()*[]-._"


def scheme_of(target: str) -> str:
    """The scheme of a URL in lower case; "" for a path, such as `C:\\docs`."""
    found = _SCHEME.match(target)
    return found.group(1).lower() if found else ""


def is_http(url: str) -> bool:
    """Whether a web server is asked for `url`."""
    return scheme_of(url) in ("http", "https")


def address(url: str) -> str:
    """`url` without user, password, secret parameters and fragment, in printable ASCII.

    A "?" or "#" means what it means on the web only there; elsewhere it belongs to the name of the file.
    """
    if not is_http(url):
        scheme, _, rest = url.partition("://")
        host, slash, path = rest.partition("/")
        return f"{scheme.lower()}://{quote(host.rpartition('@')[2])}{slash}{quote(path, safe=_SAFE_IN_NAMES)}"
    parts = urlsplit(url)
    kept = (each for each in parts.query.split("&") if not _SECRET.fullmatch(unquote(each)))
    query = quote("&".join(kept), safe=_SAFE)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme.lower(), quote(host, safe=_SAFE), quote(parts.path, safe=_SAFE), query, ""))


def last_part(url: str) -> str:
    """What a citation calls it: the last part of the path, or the host where there is none."""
    if is_http(url):
        parts = urlsplit(url)
        name = unquote(parts.path, errors="replace").rstrip("/").rpartition("/")[2] or parts.hostname or url
    else:
        name = url.rstrip("/").rpartition("/")[2]
    return "".join(each if each.isprintable() else "\ufffd" for each in name)


def read_url_list(path: Path) -> list[str]:
    """The URLs in a text file, one a line, without empty lines and what follows a "#" that begins a word.

    Raises `InputError` naming the line that is no URL.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror or str(error)) if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputError(f"Cannot read the list of URLs '{path}': {reason}.") from error
    urls = []
    for number, line in enumerate(lines, 1):
        if url := re.sub(r"(?:^|\s)#.*", "", line).strip():
            check(url, f"{path}, line {number}")
            urls.append(url)
    if not urls:
        raise InputError(f"There is no URL in '{path}'.", hint="Write one a line, such as https://example.org/a.pdf.")
    return urls


def check(url: str, place: str) -> None:
    """Raise an `InputError` that names `place` when `url` is none."""
    try:
        parts = urlsplit(url)
        good = bool(scheme_of(url)) and not any(each.isspace() for each in url) and (parts.port or 1) > 0
        good = good and (bool(parts.hostname) or not is_http(url))
    except ValueError:  # an IPv6 address without its bracket, a port that is no number
        good = False
    if not good:
        shown = url if "@" not in url else "…@" + url.rpartition("@")[2]
        raise InputError(f"{place}: '{shown[:200]}' is not a URL.", hint="A URL reads https://host/path.")
