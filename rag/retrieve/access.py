"""Who may see what: documents that belong to a tenant or to groups are found by theirs alone.

A document says whom it is for in its metadata, `tenant` (one name) and `groups` (one or more); one that says nothing is
for everybody. The rule is a filter that every store applies inside its search, so that nothing is ranked, counted or
cut off at `k` that may not be seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from plumbline.errors import InputError
from rag.index.filters import And, Eq, Exists, Filter, In, Not, Or
from routing.chat import Tags

TENANT = "tenant"
GROUPS = "groups"


@dataclass(frozen=True, slots=True)
class Access:
    """Who asks. Without a tenant or group only what is for everybody is seen; `everything` is for the owner.

    `key`, the name of an API key, and `session`, a conversation, change nothing of what is seen: limits, budgets and
    the ledger go by them.
    """

    tenant: str | None = None
    groups: tuple[str, ...] = ()
    everything: bool = False
    key: str | None = None
    session: str | None = None

    def __post_init__(self) -> None:
        """Raise `InputError` for what is no name: it would be taken for somebody else's, or for nobody's."""
        groups: object = self.groups
        if isinstance(groups, str | bytes | Mapping) or not isinstance(groups, Iterable):
            raise InputError(f"Groups are several names, not {groups!r}.", hint="Access(groups=('staff',)).")
        object.__setattr__(self, "groups", tuple(self.groups))
        names: tuple[object, ...] = self.groups if self.tenant is None else (self.tenant, *self.groups)
        for name in names:
            if not isinstance(name, str) or not name.strip():
                raise InputError(f"A tenant and a group have a name, which {name!r} is not.")

    def tags(self, purpose: str) -> Tags:
        """Whose calls these are, for limits, budgets and the ledger."""
        return Tags(purpose, self.tenant, session=self.session, key=self.key)

    def condition(self) -> Filter | None:
        """What a point must satisfy to be seen; `None`: nothing."""
        return None if self.everything else _condition(self.tenant, self.groups)


ANYBODY = Access()
"""For whom nothing is known of."""
EVERYTHING = Access(everything=True)
"""For whoever owns the knowledge base."""


def access(given: Access | None, tenant: str | None) -> Access:
    """What a call's `access` and `tenant` come to; raises `InputError` when they contradict each other, or are none."""
    if given is None:
        return ANYBODY if tenant is None else Access(tenant)
    if not isinstance(given, Access):
        raise InputError(
            f"access is {given!r}, of type {type(given).__name__} and no Access.",
            hint="For example: access=Access('acme', groups=('staff',)), from rag.retrieve.access.",
        )
    if tenant is not None and given.tenant != tenant:
        raise InputError(
            f"The tenant is '{tenant}', and access is for '{given.tenant}'.", hint="Give the tenant in Access alone."
        )
    return given


@lru_cache(maxsize=1024)
def _condition(tenant: str | None, groups: tuple[str, ...]) -> Filter:
    """One object for equal questions: stores remember what a filter came to."""
    for_all: Filter = Not(Exists(TENANT))
    for_any: Filter = Not(Exists(GROUPS))
    return And(
        (
            for_all if tenant is None else Or((for_all, Eq(TENANT, tenant))),
            for_any if not groups else Or((for_any, In(GROUPS, groups))),
        )
    )
