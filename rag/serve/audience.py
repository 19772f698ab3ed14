"""Whom requests and documents are for: what a key may see and remove, and whose an upload becomes.

Nothing but `Access.condition()` decides what may be seen: inside the store's search, and here for what is listed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from plumbline.errors import InputError
from rag.index.filters import matches
from rag.ingest.labels import Labelling, checked
from rag.retrieve.access import ANYBODY, EVERYTHING, Access
from rag.serve.errors import FieldError, InvalidFieldError
from rag.serve.keys import Key

LONGEST_FOLDER_BYTES = 255
"""What file systems take for one name."""
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789-_")


@dataclass(frozen=True, slots=True)
class Audience:
    """Those whom documents are for; without a tenant or group, everybody. `groups` are sorted, each once."""

    tenant: str | None = None
    groups: tuple[str, ...] = ()

    @property
    def labels(self) -> Labelling:
        """What is said of the documents (`rag.ingest.labels`); empty for everybody."""
        tenant = {} if self.tenant is None else {"tenant": self.tenant}
        return checked({**tenant, **({"groups": self.groups} if self.groups else {})})

    def folder(self) -> str:
        """The name of a folder for nobody else, hidden, so that whoever ingests a folder around it passes it over.

        Capital letters are written in numbers, since some file systems do not tell them from small ones. Raises
        `InputError` when the name would be longer than file systems take.
        """
        name = self._name()
        if len(name) > LONGEST_FOLDER_BYTES:
            raise InputError(
                f"The names of the tenant and of the groups are too long for a folder: {len(name)} bytes of "
                f"{LONGEST_FOLDER_BYTES}.",
                hint="Name fewer groups, or give them shorter names.",
            )
        return name

    @classmethod
    def of_folder(cls, name: str) -> Audience | None:
        """The audience that has this folder, or `None` for a folder that `folder` does not name."""
        fields = [part.partition("=") for part in name.removeprefix(".").split("+")]
        tenants = [unquote(value) for key, _, value in fields if key == "tenant"]
        groups = tuple(unquote(value) for key, _, value in fields if key == "group")
        found = cls(tenants[0] if tenants else None, groups)
        return found if found != EVERYBODY and found._name() == name else None

    def _name(self) -> str:
        parts = [] if self.tenant is None else [f"tenant={encoded(self.tenant)}"]
        return "." + "+".join([*parts, *(f"group={encoded(group)}" for group in self.groups)])


EVERYBODY = Audience()


def encoded(name: str) -> str:
    """A name in small ASCII letters, digits, "-" and "_"; every other byte of its UTF-8 is "%" and two digits."""
    return "".join(chr(byte) if byte in _PLAIN else f"%{byte:02x}" for byte in name.encode())


def access_of(key: Key | None, *, loopback: bool) -> Access:
    """What a request may see. Where no key is needed, this machine's own user sees everything."""
    if key is None:
        return EVERYTHING if loopback else ANYBODY
    return Access(key.tenant, key.groups, key=key.name)


def may_see(access: Access, labels: Mapping[str, Any]) -> bool:
    """Whether a document, or what else has `tenant` and `groups`, may be seen."""
    condition = access.condition()
    return condition is None or matches(condition, labels)


def may_remove(access: Access, row: Mapping[str, Any]) -> bool:
    """Whether a document of the catalogue may be removed by whom it belongs to: what everybody sees is no tenant's."""
    return access.everything or (may_see(access, row) and row["tenant"] == access.tenant)


def audience_of(access: Access, groups: Sequence[str]) -> Audience:
    """Whose an upload becomes: the tenant's, and of its groups those that are named.

    Raises `InvalidFieldError` for a group that is not the key's own, and for more groups than a folder's name can hold.
    """
    foreign = [group for group in groups if not group or not (access.everything or group in access.groups)]
    if foreign:
        message = f"The key is not of the group '{foreign[0]}'."
        hint = f"Its groups are: {', '.join(access.groups)}." if access.groups else "It has no groups."
        raise InvalidFieldError(message, hint=hint, errors=[FieldError("group", message)])
    audience = Audience(access.tenant, tuple(sorted(set(groups))))
    try:
        audience.folder()
    except InputError as error:
        raise InvalidFieldError(error.message, hint=error.hint, errors=[FieldError("group", error.message)]) from error
    return audience
