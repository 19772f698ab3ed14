"""Reads from the headers of an answer how long a provider asks to be left alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# What is left of each limit, and when it is whole again: OpenAI's after a time like "6m0s", Anthropic's at a moment.
_LIMITS = (
    *((f"x-ratelimit-remaining-{what}", f"x-ratelimit-reset-{what}") for what in ("requests", "tokens")),
    *(
        (f"anthropic-ratelimit-{what}-remaining", f"anthropic-ratelimit-{what}-reset")
        for what in ("requests", "tokens", "input-tokens", "output-tokens")
    ),
)
_SPAN = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")
_UNITS = (3600.0, 60.0, 1.0, 0.001)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from `retry-after-ms` or `Retry-After` (seconds, or an HTTP date: RFC 9110, 10.2.3).

    Without either, the time until the last of the limits that are used up is whole again. `None`: it does not say.
    """
    for header, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(header, "").strip()
        if re.fullmatch(r"\d+(\.\d+)?", value):
            return float(value) * scale
    date = _seconds_until(_http_date(headers.get("retry-after", "")))
    if date is not None:
        return date
    waits = [_reset(headers[reset]) for left, reset in _LIMITS if headers.get(left) == "0" and reset in headers]
    return max((wait for wait in waits if wait is not None), default=None)


def _reset(value: str) -> float | None:
    """A span of time ("1h2m3.5s", "17ms") or a moment (RFC 3339)."""
    value = value.strip()
    span = _SPAN.fullmatch(value)
    if value and span is not None:
        return sum(float(part) * unit for part, unit in zip(span.groups("0"), _UNITS, strict=True))
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return _seconds_until(moment)


def _http_date(value: str) -> datetime | None:
    try:
        return parsedate_to_datetime(value)
    except ValueError:
        return None


def _seconds_until(moment: datetime | None) -> float | None:
    if moment is None:
        return None
    if moment.tzinfo is None:  # "-0000": in UTC, by a server that does not know its own zone
        moment = moment.replace(tzinfo=UTC)
    return max((moment - datetime.now(UTC)).total_seconds(), 0.0)
