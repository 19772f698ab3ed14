"""Who answers a request: the contract of policies, and the simplest one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from routing.chat import ChatRequest


@dataclass(frozen=True, slots=True)
class Plan:
    """The models to try, by name, in this order, and why these."""

    models: tuple[str, ...]
    reason: str


class Policy(Protocol):
    """Decides before a call is made. Its answer must depend on nothing but the request."""

    def plan(self, request: ChatRequest) -> Plan:
        """Name at least one of the models that the router has."""
        ...


@dataclass(frozen=True, slots=True)
class InOrder:
    """Always the same models in the same order: the configured one, then its fallback."""

    models: tuple[str, ...]

    def plan(self, request: ChatRequest) -> Plan:
        """The models, whatever is asked."""
        del request
        return Plan(self.models, "configured")
