from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from routing.models.retry_after import retry_after

SOON = (datetime.now(UTC) + timedelta(hours=1)).isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": " 12 "}, 12.0),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "x", "retry-after": "3"}, 3.0),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 -0000"}, 0.0),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({}, None),
    ],
)
def test_as_http_says_it(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [("1s", 1.0), ("6m0s", 360.0), ("17ms", 0.017), ("1h2m3.5s", 3723.5), ("2m", 120.0), ("soon", None), ("", None)],
)
def test_a_limit_of_openai_that_is_used_up(reset: str, seconds: float | None) -> None:
    headers = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": reset}
    assert retry_after(headers) == (None if seconds is None else pytest.approx(seconds))


def test_the_last_of_the_limits_that_are_used_up_counts() -> None:
    headers = {
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "2s",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "9s",
    }
    assert retry_after(headers) == 9.0
    assert retry_after(headers | {"x-ratelimit-remaining-tokens": "512"}) == 2.0
    assert retry_after(headers | {"retry-after": "1"}) == 1.0


def test_a_limit_of_anthropic_that_is_used_up() -> None:
    headers = {"anthropic-ratelimit-input-tokens-remaining": "0", "anthropic-ratelimit-input-tokens-reset": SOON}
    waited = retry_after(headers)
    assert waited is not None
    assert 3000 < waited <= 3600
    assert retry_after({"anthropic-ratelimit-input-tokens-remaining": "0"}) is None
