"""From settings to the policy, and to the models that it may name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from plumbline.errors import ConfigError
from routing.models.catalog import parse_name
from routing.models.facts import ModelFacts, chat_facts
from routing.places import leaves_by
from routing.policy.fitting import P50, Candidate, unseen
from routing.policy.rules import RulesPolicy
from routing.resilience.fallback import Reason
from routing.settings import RoutingSettings

NO_FALLBACK = "none"


@dataclass(frozen=True, slots=True)
class Routes:
    """Who answers what. `configured` has every model that may be asked by its full name, as it was written.

    The first is the one that answers unless a rule says otherwise. `by_reason` is for the router.
    """

    policy: RulesPolicy
    configured: Mapping[str, str]
    by_reason: Mapping[Reason, tuple[str, ...]]

    def wanted(self, name: str) -> str:
        """The full name of the model that a request asks for by `name`, full or as it was written.

        Raises `UnknownModelError` for one that may not answer.
        """
        full = next((full for full, configured in self.configured.items() if configured == name), name)
        self.policy.check_wanted(full)
        return full


def build_routes(
    settings: RoutingSettings,
    model: str,
    *,
    p50: P50 = unseen,
    facts: Callable[[str], ModelFacts] = chat_facts,
) -> Routes:
    """The policy over `model`, which answers unless a rule says otherwise, and all that the settings name.

    Raises `ConfigError` when two servers have models of one name, which could not be told apart.
    """
    fallback = None if settings.fallback == NO_FALLBACK else settings.fallback
    configured = _configured(settings, model)
    by_reason = {reason: tuple(map(_full, chain)) for reason, chain in settings.fallbacks.items()}
    policy = RulesPolicy(
        [rule.model_copy(update={"use": [_full(name) for name in rule.use]}) for rule in settings.rules],
        [Candidate(full, leaves(name), facts(full)) for full, name in configured.items()],
        default=_full(model),
        fallback=None if fallback is None else _full(fallback),
        by_reason=by_reason,
        p50=p50,
    )
    return Routes(policy, configured, by_reason)


def _configured(settings: RoutingSettings, model: str) -> dict[str, str]:
    """Every model that may be asked by its full name, as it was written; raises as `build_routes`."""
    named = [("generation.model", model)]
    named += [(f"routing.rules ({rule.name})", name) for rule in settings.rules for name in rule.use]
    named += [(f"routing.fallbacks.{reason}", name) for reason, chain in settings.fallbacks.items() for name in chain]
    if settings.fallback != NO_FALLBACK:
        named.append(("routing.fallback", settings.fallback))
    configured: dict[str, str] = {}
    where: dict[str, str] = {}
    for key, name in named:
        full = _full(name)
        if configured.setdefault(full, name) != name:
            raise ConfigError(
                f"{where[full]} names '{configured[full]}' and {key} '{name}', which are both called '{full}'; "
                "they could not be told apart.",
                key=key,
                value=name,
                hint="Serve one of them under another name.",
            )
        where.setdefault(full, key)
    return configured


def leaves(name: str) -> str | None:
    """Where the model `name`, as configured, sends what it is asked; `None`: it stays on this machine or network."""
    parsed = parse_name(name)
    return f"it is asked at {name}" if parsed is None else leaves_by(parsed.provider, parsed.address)


def _full(name: str) -> str:
    parsed = parse_name(name)
    return name if parsed is None else parsed.full
