"""The fields that a filter can name: what every chunk carries, and what the documents say of themselves.

A filter on a field that nothing has would silently find nothing, so it is refused, with the nearest names.
"""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from plumbline.database import storage_errors
from plumbline.errors import InputError
from rag.index import tables
from rag.index.changes import Changes, UntilChanged
from rag.index.filters import And, Eq, Exists, Filter, In, Not, Or, Range, Value, matches
from rag.ingest.labels import ACCESS
from rag.ingest.metadata import LONGEST

if TYPE_CHECKING:
    from sqlalchemy import Engine

Kind = Literal["text", "number", "boolean", "date"]

BUILT_IN: Mapping[str, Kind] = {
    "source_document": "text",
    "source": "text",
    "document_id": "text",
    "page_number": "number",
    "section_heading": "text",
    "date_created": "date",
    "date_from": "text",
    "start": "number",
    "end": "number",
    "hash": "text",
    "media_type": "text",
    "language": "text",
    "tenant": "text",
    "groups": "text",
}
"""What `rag.ingest.metadata.chunk_metadata` writes, and the two fields of access lists."""

OF_CHUNKS = frozenset({"page_number", "section_heading", "start", "end"})
"""The fields that differ between the chunks of one document."""

SHORT: Mapping[str, str] = {
    "name": "source_document",
    "file": "source_document",
    "document": "source_document",
    "path": "source",
    "page": "page_number",
    "section": "section_heading",
    "heading": "section_heading",
    "date": "date_created",
    "created": "date_created",
    "type": "media_type",
    "lang": "language",
}
"""Short names of built-in fields; a field that the documents themselves have under such a name comes first."""

DEEPEST = 250
"""How many parts of a filter may stand within one another; text that nests 100 deep makes some 200."""

_Told = tuple[str, frozenset[tuple[str, Kind]]]
_HOLDS: Mapping[Kind, str] = {"text": "text", "number": "numbers", "boolean": "true or false", "date": "dates"}
_DATE = re.compile(r"\d{4}(?:-\d\d(?:-\d\d.*)?)?", re.ASCII | re.DOTALL)
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?", re.ASCII)
_DATED = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


@dataclass(frozen=True, slots=True)
class Fields:
    """Names and kinds of the fields of one knowledge base; a field may hold values of several kinds."""

    own: Mapping[str, frozenset[Kind]] = field(default_factory=dict)

    def names(self) -> list[str]:
        """All names, sorted; short ones left out."""
        return sorted({*BUILT_IN, *self.own})

    def find(self, name: str) -> str:
        """The field that `name` means; raises `InputError` with the nearest names when there is none."""
        if not isinstance(name, str):
            raise InputError(f"{name!r} is no name of a field.", hint=f"There are: {', '.join(self.names())}.")
        if name in BUILT_IN or name in self.own:
            return name
        if name in SHORT:
            return SHORT[name]
        folded = {known.casefold(): known for known in (*SHORT, *self.names())}
        nearest = [folded[each] for each in difflib.get_close_matches(name.casefold(), folded, n=2)]
        hint = f"Did you mean {' or '.join(nearest)}? " if nearest else ""
        raise InputError(
            f"No document has a field '{name}' to filter by.", hint=f"{hint}There are: {', '.join(self.names())}."
        )

    def kinds(self, name: str) -> frozenset[Kind]:
        """What the field of this exact name holds."""
        return frozenset({BUILT_IN[name]}) if name in BUILT_IN else self.own[name]

    def check(self, name: str, value: Value) -> None:
        """Raise `InputError` when the field of this exact name never holds such a value, or nothing does."""
        given = _kind(value)
        held = self.kinds(name)
        may_be_date = "date" in held and isinstance(value, str)
        if given in held or (may_be_date and _DATE.fullmatch(str(value))):
            return
        shown = " or ".join(_HOLDS[kind] for kind in sorted(held))
        what = "is none" if may_be_date and held == {"date"} else f"is a {given}"
        raise InputError(f"The field {name} holds {shown}, and {_shown(value)} {what}.", hint=_advice(value, held))


class KnownFields:
    """The fields of the knowledge base in the database behind `engine`, which lies at `path`; read again on changes.

    `fields` raises `StateError` when the database cannot be read.
    """

    def __init__(self, engine: Engine, path: Path, changes: Changes) -> None:
        self._engine = engine
        self._path = path
        self._before: dict[int, tuple[int, _Told]] = {}
        self._kept = UntilChanged(changes, self._read)

    def fields(self, access: Filter | None = None) -> Fields:
        """The fields as of now, of the documents that may be seen with `access` (`rag.retrieve.access`)."""
        return self._kept.get().seen_with(access)

    def _read(self) -> _OfAudiences:
        from sqlalchemy import literal_column, select

        documents = tables.documents()
        query = select(literal_column("documents.rowid"), documents.c.metadata).select_from(documents)
        with storage_errors(self._path), self._engine.connect() as connection:
            # A mark of 64 bits in place of the text: this is kept for every document there is.
            rows = [(row_id, hash(metadata), metadata) for row_id, metadata in connection.execute(query)]
        before, told = self._before, dict[_Told, _Told]()
        self._before = now = {}
        for row_id, mark, metadata in rows:  # most documents are as they were, and tell what others tell too
            known = before.get(row_id)
            one = known[1] if known is not None and known[0] == mark else _told(metadata)
            now[row_id] = (mark, told.setdefault(one, one))
        found: dict[str, set[tuple[str, Kind]]] = {}
        for readers, fields in told:
            found.setdefault(readers, set()).update(fields)
        return _OfAudiences(found)


def _told(metadata: str) -> _Told:
    """Whom a document is for, and the names and kinds of the fields that it has."""
    own = json.loads(metadata)
    readers = json.dumps([own.get(name) for name in ACCESS])
    fields = ((name, _kind_of(value)) for name, value in own.items() if name not in BUILT_IN and value is not None)
    return readers, frozenset((name, kind) for name, kind in fields if kind is not None)


def _kind_of(value: object) -> Kind | None:
    """The kind of a value in a document's metadata; `None` for text that is too long to filter by."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if not isinstance(value, str):
        return "text"
    if len(value) > LONGEST:
        return None
    return "date" if _DATED.match(value) else "text"


@dataclass(frozen=True, slots=True)
class _OfAudiences:
    """The names and kinds of fields, by whom the documents that have them are for."""

    found: Mapping[str, Collection[tuple[str, Kind]]]
    _seen: dict[Filter | None, Fields] = field(default_factory=dict)

    def seen_with(self, access: Filter | None) -> Fields:
        """The fields of documents that may be seen so."""
        if access not in self._seen:
            own: dict[str, set[Kind]] = {}
            for readers, fields in self.found.items():
                if access is None or matches(access, dict(zip(ACCESS, json.loads(readers), strict=True))):
                    for name, kind in fields:
                        own.setdefault(name, set()).add(kind)
            self._seen[access] = Fields({name: frozenset(kinds) for name, kinds in own.items()})
        return self._seen[access]


def check_filter(condition: Filter, fields: Fields, depth: int = 0) -> Filter:
    """The same filter with short names written out; it stands `depth` deep in another.

    Raises `InputError` for a field that nothing has, a value of a kind that the field never holds, a range without
    bounds, and more than `DEEPEST` parts within one another.
    """
    if depth > DEEPEST:
        raise InputError(f"The filter is nested more than {DEEPEST} deep.", hint="Put parts side by side in And or Or.")
    match condition:
        case And(parts):
            return And(tuple(check_filter(part, fields, depth + 1) for part in parts))
        case Or(parts):
            return Or(tuple(check_filter(part, fields, depth + 1) for part in parts))
        case Not(part):
            return Not(check_filter(part, fields, depth + 1))
        case Exists(name):
            return Exists(fields.find(name))
        case Eq(name, value):
            return Eq(_checked(name, (value,), fields), value)
        case In(name, values):
            return In(_checked(name, values, fields), values)
        case Range(name, gte, gt, lte, lt):
            bounds = [bound for bound in (gte, gt, lte, lt) if bound is not None]
            if not bounds:
                raise InputError(f"The range of {name} has no bound.", hint="Give gte, gt, lte or lt, or use Exists.")
            return Range(_checked(name, bounds, fields), gte, gt, lte, lt)
    raise InputError(
        f"{condition!r} is no filter.",
        hint="A filter is made of Eq, In, Range, Exists, And, Or and Not (rag.index.filters), or is text for "
        "parse_filter.",
    )


def _checked(name: str, values: Iterable[Value], fields: Fields) -> str:
    found = fields.find(name)
    for value in values:
        fields.check(found, value)
    return found


def _kind(value: object) -> Kind:
    """What a value is; raises `InputError` for what nothing compares with, which callers without types may pass."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return "text"
    if isinstance(value, int | float) and not math.isnan(value):
        return "number"
    hint = (
        f"Write it as text: '{value.isoformat()}'."
        if isinstance(value, date)
        else "Give text, a number, true or false."
    )
    raise InputError(f"{value!r} is nothing to compare with.", hint=hint)


def _shown(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _advice(value: Value, held: frozenset[Kind]) -> str:
    if "text" in held:
        return f"As text it is '{_shown(value)}', in quotes."
    if "number" in held and isinstance(value, str):
        return "Write it without quotes." if _NUMBER.fullmatch(value) else "Give a number, such as 3."
    if "date" in held:
        return "Give one as 2023-01-31, 2023-01 or 2023."
    return "Give a number, such as 3." if "number" in held else "Give true or false."
