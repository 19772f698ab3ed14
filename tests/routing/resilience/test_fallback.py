"""Who is asked when a model fails."""

from __future__ import annotations

import pytest

from plumbline.errors import ConfigError
from routing.errors import (
    AuthenticationError,
    BadRequestError,
    BreakerOpenError,
    BudgetError,
    ConnectionFailedError,
    ContentFilterError,
    ContextLengthError,
    DeadlineError,
    InvalidResponseError,
    LimitError,
    ModelError,
    ModelNotFoundError,
    OverloadedError,
    RateLimitError,
    SchemaError,
    UnsupportedError,
)
from routing.models.catalog import DEFAULT_CATALOG
from routing.resilience.fallback import chain, reason_of
from routing.settings import RoutingSettings


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (ConnectionFailedError, "down"),
        (OverloadedError, "down"),
        (InvalidResponseError, "down"),
        (SchemaError, "down"),
        (BreakerOpenError, "down"),
        (RateLimitError, "rate_limited"),
        (LimitError, "rate_limited"),
        (ContextLengthError, "too_long"),
        (ContentFilterError, "content_filter"),
        (DeadlineError, "too_slow"),
        (BudgetError, "budget"),
        (BadRequestError, None),
        (AuthenticationError, None),
        (ModelNotFoundError, None),
        (UnsupportedError, None),
    ],
)
def test_every_failure_has_its_reason(kind: type[ModelError], reason: str | None) -> None:
    assert reason_of(kind("it failed", model="m")) == reason


def test_without_chains_the_one_fallback_is_for_all_reasons() -> None:
    chains = chain(RoutingSettings(), "openai/a")
    assert (chains.otherwise, chains.by_reason) == (("extractive/default",), {})
    assert chains.models == ("openai/a", "extractive/default")
    assert chain(RoutingSettings(fallback="none"), "openai/a").otherwise == ()
    assert chain(RoutingSettings(), "extractive/default").models == ("extractive/default",)


def test_chains_end_in_the_one_fallback() -> None:
    b, c, d = (f"vllm/{name}@http://localhost:8000" for name in "bcd")
    settings = RoutingSettings(fallbacks={"down": [b, c], "too_long": ["extractive/default", d], "budget": []})
    chains = chain(settings, "openai/a", DEFAULT_CATALOG.check_chat_model)
    assert chains.by_reason == {
        "down": (b, c, "extractive/default"),
        "too_long": ("extractive/default", d),
        "budget": (),
    }
    assert chains.models == ("openai/a", "extractive/default", b, c, d)


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (["anthropic/b", "openai/a"], "openai/a → anthropic/b → openai/a"),
        (["anthropic/b", "openai/c", "anthropic/b"], "openai/a → anthropic/b → openai/c → anthropic/b"),
    ],
)
def test_a_chain_with_a_cycle_is_refused(names: list[str], shown: str) -> None:
    with pytest.raises(ConfigError, match=shown) as raised:
        chain(RoutingSettings(fallbacks={"down": names}), "openai/a")
    assert raised.value.key == "routing.fallbacks.down"


def test_a_chain_with_what_is_no_model_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"'opnai/b' in routing\.fallbacks\.too_slow is not a model"):
        chain(RoutingSettings(fallbacks={"too_slow": ["opnai/b"]}), "openai/a", check=DEFAULT_CATALOG.check_chat_model)
