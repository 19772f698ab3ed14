"""Which failures another model may cure, for what reason it is asked, and which one it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from plumbline.errors import ConfigError
from routing.errors import (
    BudgetError,
    ContentFilterError,
    ContextLengthError,
    DeadlineError,
    InvalidResponseError,
    LimitError,
    ModelError,
    RateLimitError,
    TransientError,
    UnknownModelError,
)
from routing.settings import RoutingSettings

Reason = Literal["down", "rate_limited", "too_long", "content_filter", "too_slow", "budget"]


def reason_of(error: ModelError) -> Reason | None:
    """Why another model should be asked, or `None` when its user has to know: a wrong key, a malformed request.

    What our own limits refuse is "rate_limited", what the breaker refuses "down". An answer that cannot be read, or
    does not satisfy its schema, is "down" too.
    """
    for kind, reason in _REASONS.items():
        if isinstance(error, kind):
            return reason
    return None


_REASONS: dict[type[ModelError], Reason] = {
    BudgetError: "budget",
    ContextLengthError: "too_long",
    ContentFilterError: "content_filter",
    RateLimitError: "rate_limited",
    LimitError: "rate_limited",
    DeadlineError: "too_slow",
    InvalidResponseError: "down",
    TransientError: "down",
}


@dataclass(frozen=True, slots=True)
class Chains:
    """The models to try after `primary`, in order: `otherwise`, or those of `by_reason` where it has the reason."""

    primary: str
    otherwise: tuple[str, ...]
    by_reason: dict[Reason, tuple[str, ...]]

    @property
    def models(self) -> tuple[str, ...]:
        """Every model that may be asked, each once."""
        named = [self.primary, *self.otherwise, *(name for names in self.by_reason.values() for name in names)]
        return tuple(dict.fromkeys(named))


def chain(settings: RoutingSettings, primary: str, check: Callable[[str], None] | None = None) -> Chains:
    """The chains of fallbacks for each reason; each ends in the settings' `fallback`, unless that is "none".

    A chain of no models means that the error is raised. `check` raises `UnknownModelError` for what is no model.
    Raises `ConfigError`, which names the chain, when one comes back to a model that has failed by then, or names what
    is no model.
    """
    last = () if settings.fallback in ("none", primary) else (settings.fallback,)
    by_reason: dict[Reason, tuple[str, ...]] = {}
    for reason, names in settings.fallbacks.items():
        key = f"routing.fallbacks.{reason}"
        _check_turns(key, names, primary)
        if check is not None:
            _check_names(key, names, check)
        by_reason[reason] = tuple(names) + (last if names and last and last[0] not in names else ())
    return Chains(primary, last, by_reason)


def _check_turns(key: str, names: list[str], primary: str) -> None:
    asked = [primary]
    for name in names:
        if name in asked:
            raise ConfigError(
                f"The chain of fallbacks {' → '.join([*asked, name])} comes back to a model that has failed by then.",
                key=key,
                value=names,
                hint=f"Name '{name}' once; the model that answers first is not its own fallback.",
            )
        asked.append(name)


def _check_names(key: str, names: list[str], check: Callable[[str], None]) -> None:
    for name in names:
        try:
            check(name)
        except UnknownModelError as error:
            raise ConfigError(
                f"'{name}' in {key} is not a model: {error.message}", key=key, value=name, hint=error.hint
            ) from error
