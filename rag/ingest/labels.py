"""What a user says of all documents of a source: whose they are, and anything else to filter by.

Labels stay with the source until others are given, so that no later run, of whatever part of it, makes public what was
given to a tenant.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from plumbline.errors import InputError
from rag.types import Document, MetadataValue, text_hash

ACCESS = ("tenant", "groups")
"""Whom a document is for (`rag.retrieve.access`): what is read in a file is not asked."""
PROVENANCE = frozenset(
    {
        "source_document",
        "source",
        "document_id",
        "page_number",
        "section_heading",
        "date_created",
        "date_from",
        "start",
        "end",
        "hash",
        "media_type",
        "language",
    }
)
"""What every chunk carries about where it comes from (`rag.ingest.metadata`); nothing that is said takes its place."""

Labelling = Mapping[str, MetadataValue]


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of the sources in `by_root`."""

    by_root: Mapping[str, Labelling] = field(default_factory=dict)

    def of(self, source: str, root: str) -> Labelling:
        """The labels of the file `source`, read as part of `root`: those of the innermost source around it."""
        around = [each for each in (source, root, *_above(source)) if each in self.by_root]
        return self.by_root[max(around, key=len)] if around else {}


@dataclass(frozen=True, slots=True)
class LabelUse:
    """Of how many sources a label is said, and how many values of it there are; each of a list counts."""

    name: str
    sources: int
    values: int


def in_use(by_root: Mapping[str, Labelling]) -> tuple[LabelUse, ...]:
    """The labels that are said of sources, by name."""
    said: dict[str, list[MetadataValue]] = {}
    for labels in by_root.values():
        for name, value in labels.items():
            said.setdefault(name, []).append(value)
    return tuple(LabelUse(name, len(values), len(_distinct(values))) for name, values in sorted(said.items()))


def _distinct(values: Iterable[MetadataValue]) -> set[tuple[type, object]]:
    """True and 1 are two values."""
    return {(type(each), each) for value in values for each in (value if isinstance(value, tuple) else (value,))}


def _above(source: str) -> Iterator[str]:
    """What an address lies below, each with and without a "/" at its end."""
    for at, character in enumerate(source):
        if character == "/":
            yield source[:at]
            yield source[: at + 1]


def checked(labels: Mapping[str, object]) -> Labelling:
    """Labels as documents carry them, dates as text; raises `InputError` for what a filter could not compare or find.

    Without a name in it, `groups` closes a document to everybody.
    """
    given: object = labels
    if not isinstance(given, Mapping):
        raise InputError(
            f"labels is {given!r}, of type {type(given).__name__} and no mapping of names to values.",
            hint="For example: labels={'tenant': 'acme', 'year': 2024}.",
        )
    return {name: _access(name, value) if name in ACCESS else _value(name, value) for name, value in labels.items()}


def _access(name: str, value: object) -> MetadataValue:
    """Whom documents are for: a tenant is one name, groups are any number of them."""
    names = _names(value) if name == "groups" else None
    found = (value,) if names is None else names
    if not all(isinstance(each, str) and each.strip() for each in found):
        raise InputError(f"The label '{name}' must be {'names' if name == 'groups' else 'a name'}, not {value!r}.")
    return str(value) if name == "tenant" else tuple(map(str, found))


def _value(name: object, value: object) -> MetadataValue:
    if not isinstance(name, str) or not name.strip():
        raise InputError(f"A label needs a name, which {name!r} is not.", hint="For example: labels={'year': 2024}.")
    if name in PROVENANCE:
        raise InputError(
            f"'{name}' says where a passage comes from and cannot be a label.", hint="Give the label another name."
        )
    if (names := _names(value)) is not None:
        return names
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise InputError(
        f"The label '{name}' is {value!r}.", hint="Labels are text, numbers, dates, true or false, or lists of text."
    )


def _names(value: object) -> tuple[str, ...] | None:
    """A list of texts; sets are sorted."""
    if not isinstance(value, list | tuple | set | frozenset) or not all(isinstance(each, str) for each in value):
        return None
    return tuple(sorted(value)) if isinstance(value, set | frozenset) else tuple(value)


def labelled(document: Document, labels: Labelling, *, trusted: bool) -> Document:
    """The document with its labels. Only a `trusted` one, which a program handed over, says itself whom it is for.

    Raises `InputError` for what such a one says and nothing could store.
    """
    own = document.metadata
    if trusted:
        _require_storable(own)
    else:
        own = {name: value for name, value in own.items() if name not in ACCESS}
    if not labels and own == document.metadata:
        return document
    return replace(document, metadata={**own, **labels})


def _require_storable(metadata: Mapping[str, object]) -> None:
    for name in ACCESS:
        if metadata.get(name) is not None:
            _access(name, metadata[name])
    try:
        json.dumps(dict(metadata), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError(f"Its metadata cannot be stored: {error}.", hint="Give texts and finite numbers.") from error


def labels_name(labels: Labelling) -> str:
    """Names labels, so that what was read with others is read again; empty without any."""
    if not labels:
        return ""
    return f"labels {text_hash(json.dumps(dict(labels), sort_keys=True, ensure_ascii=False))[:16]}"
