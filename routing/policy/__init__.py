"""Who answers a request: the contract of policies, and the simplest one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from routing.chat import ChatRequest
from routing.cost.prices import LOCAL_PROVIDERS
from routing.errors import UnsupportedError


@dataclass(frozen=True, slots=True)
class Considered:
    """One model as it was looked at for a request: what its answer costs at most, and as long as its answers were.

    `None` is unknown.
    """

    model: str
    eligible: bool
    why_not: str | None = None
    most: Decimal | None = None
    typical: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """The models to try, by name, in this order, and why these.

    `rule` names the rule that decided, if one did. `barred` are models that must not be asked this, each with the
    reason, whatever goes wrong with the others: whoever falls back leaves them out. `considered` is there when it was
    asked for.
    """

    models: tuple[str, ...]
    reason: str
    rule: str | None = None
    barred: Mapping[str, str] = field(default_factory=dict)
    considered: tuple[Considered, ...] = ()

    def allowed(self, names: Sequence[str]) -> tuple[str, ...]:
        """Those of `names` that are not barred."""
        return tuple(name for name in names if name not in self.barred)


class Policy(Protocol):
    """Decides before a call is made. Its answer depends on nothing but the request and what is known of the models."""

    def plan(self, request: ChatRequest) -> Plan:
        """Name at least one of the models that the router has; raises `ModelError` when none may be asked."""
        ...


def asked_by_provider(name: str) -> str | None:
    """Where the model `name` sends what it is asked, as its provider tells; `None`: it is inside this process."""
    provider = name.partition("/")[0]
    return None if provider in LOCAL_PROVIDERS else f"it is asked at {provider}"


@dataclass(frozen=True, slots=True)
class InOrder:
    """Always the same models in the same order: the configured one, then its fallback.

    `leaves` says where a model sends what it is asked, `None` when that stays on this machine or network. By default
    it knows names only: a request that must not leave the machine is for the models inside this process.
    """

    models: tuple[str, ...]
    leaves: Callable[[str], str | None] = asked_by_provider

    def plan(self, request: ChatRequest) -> Plan:
        """The models, whatever is asked; raises `UnsupportedError` when none of them may be."""
        if not request.wants.local:
            return Plan(self.models, "configured")
        found = {name: self.leaves(name) for name in self.models}
        inside = tuple(name for name in self.models if found[name] is None)
        if not inside:
            raise UnsupportedError(
                f"Nothing of this request may leave the machine, and {self.models[0]} would: {found[self.models[0]]}.",
                model=self.models[0],
                hint="Name a model inside this process, such as extractive/default.",
            )
        barred = {name: f"nothing may leave the machine, and {where}" for name, where in found.items() if where}
        return Plan(inside, "configured", barred=barred)
