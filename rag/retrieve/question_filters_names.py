"""What the documents of a knowledge base are called: in their names, folders, titles and short metadata."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, TypeVar

from plumbline.database import storage_errors
from plumbline.text.stopwords import STOPWORDS
from rag.index import tables
from rag.index.changes import Changes, UntilChanged
from rag.retrieve.question_filters_periods import Period, periods

if TYPE_CHECKING:
    from sqlalchemy import Engine

Key = TypeVar("Key", str, int)
Member = TypeVar("Member", str, int)

LONGEST_NAME = 8
"""Words of what counts as a name; more are a sentence."""
LONGEST_KEY = 4
"""Words of a name that are looked up together."""
_FOLDERS = 2  # the nearest, below the folder that was ingested
_SHORTEST = 3
_KIND = re.compile(r"\d+[a-z]{1,2}|[a-z]{1,2}\d+")
_MOSTLY = 0.6
_UNTELLING = frozenset(
    [
        "application",
        "author_url",
        "created",
        "creator",
        "creationdate",
        "encoding",
        "file",
        "generator",
        "modified",
        "moddate",
        "producer",
        "url",
        "version",
        "tenant",
        "groups",
    ]
)
_WORD = re.compile(r"[^\W_]+(?:['\u2019](?=s\b))?")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
FUNCTION_WORDS = frozenset(STOPWORDS["en"])
_FILLERS = frozenset({"dated", "filed", "final", "draft", "copy", "version", "signed", "scan", "revised"})


@cache
def unsaid(language: str | None) -> frozenset[str]:
    """Words in a name that nobody says, or that say nothing: function words of its language and of English, "final"."""
    return FUNCTION_WORDS | _FILLERS | frozenset(STOPWORDS.get(language or "en", ()))


@dataclass(frozen=True, slots=True)
class Identity:
    """What a document is called. `names` are what it may be called, each as its words in lower case, without periods;
    `periods` are those that its name and title speak of. `payload` has what a filter on documents can read.
    """

    document_id: str
    document: str
    names: tuple[tuple[str, ...], ...]
    periods: tuple[Period, ...]
    payload: Mapping[str, object]

    @property
    def unsaid(self) -> frozenset[str]:
        """Words of its names that nobody says."""
        language = self.payload.get("language")
        return unsaid(language if isinstance(language, str) else None)


@dataclass(frozen=True, slots=True)
class Names:
    """All identities, and their positions by what they are called and by the years they speak of.

    A key of `keys` is a word, or a run of words joined (as "footlocker"); `sorted_keys` has them in order. `kinds` are
    the keys that say what kind of document it is ("10k"); `initials` has, by the first letters of two to four words,
    the keys that the words make.
    """

    identities: tuple[Identity, ...]
    keys: Mapping[str, frozenset[int]]
    sorted_keys: tuple[str, ...]
    years: Mapping[int, frozenset[int]]
    kinds: frozenset[str]
    initials: Mapping[str, frozenset[str]]


NOTHING = Names((), {}, (), {}, frozenset(), {})
"""Without any documents."""
_Row = tuple[Any, ...]


class DocumentNames:
    """The names of the documents in the database behind `engine`, which lies at `path`; read again on changes.

    `names` raises `StateError` when the database cannot be read.
    """

    def __init__(self, engine: Engine, path: Path, changes: Changes) -> None:
        self._engine = engine
        self._path = path
        self._before: tuple[list[_Row], Names] = ([], NOTHING)
        self._kept = UntilChanged(changes, self._read)

    def names(self) -> Names:
        """The names as of now."""
        return self._kept.get()

    def sections(self, document_ids: Sequence[str]) -> list[str]:
        """The heading paths (joined by " > ") of documents, each once, sorted."""
        from sqlalchemy import select

        s = tables.sections().c
        query = select(s.path).where(s.document_id.in_(document_ids)).distinct()
        with storage_errors(self._path), self._engine.connect() as connection:
            return sorted(" > ".join(json.loads(path)) for path in connection.scalars(query))

    def _read(self) -> Names:
        from sqlalchemy import select

        documents, files = tables.documents(), tables.files().c
        d = documents.c
        query = select(d.id, d.name, d.source, d.media_type, d.language, d.created, d.metadata, files.root)
        query = query.select_from(documents).outerjoin(tables.files(), files.source == d.file)
        with storage_errors(self._path), self._engine.connect() as connection:
            rows: list[_Row] = [tuple(row) for row in connection.execute(query)]
        before, names = self._before
        if rows[: len(before)] == before:  # at most some were added, as a run of an ingestion does again and again
            names = index_of([_identity(*row) for row in rows[len(before) :]], names)
        else:  # most documents are as they were
            seen = dict(zip(before, names.identities, strict=True))
            names = index_of([seen.get(row) or _identity(*row) for row in rows])
        self._before = (rows, names)
        return names


def index_of(identities: Iterable[Identity], onto: Names = NOTHING) -> Names:
    """Identities with their keys, behind those in `onto`."""
    new = tuple(identities)
    if not new:
        return onto
    found = (*onto.identities, *new)
    keys: defaultdict[str, set[int]] = defaultdict(set)
    years: defaultdict[int, set[int]] = defaultdict(set)
    initials: defaultdict[str, set[str]] = defaultdict(set)
    for number, each in enumerate(new, len(onto.identities)):
        for period in each.periods:
            years[period.year].add(number)
        for words in (words for name in each.names for words in runs_of(name, each.unsaid)):
            key = "".join(words)
            keys[key].add(number)
            if len(words) > 1 and key.isalpha():
                initials["".join(word[0] for word in words)].add(key)
    all_keys = _joined(onto.keys, keys)
    kinds = frozenset(key for key in keys if _is_kind(key, [found[n].names for n in all_keys[key]]))
    return Names(
        found,
        all_keys,
        tuple(sorted((*onto.sorted_keys, *(key for key in keys if key not in onto.keys)))),
        _joined(onto.years, years),
        (onto.kinds - keys.keys()) | kinds,
        _joined(onto.initials, initials),
    )


def _is_kind(key: str, named: Sequence[tuple[tuple[str, ...], ...]]) -> bool:
    """ "10k", "8k", "v2": a number and a letter or two, mostly beside a word that names the document ("3m" is not)."""
    if not _KIND.fullmatch(key):
        return False
    beside = sum(any(word.isalpha() and is_telling(word) for name in names for word in name) for names in named)
    return beside >= _MOSTLY * len(named)


def _joined(before: Mapping[Key, frozenset[Member]], more: Mapping[Key, set[Member]]) -> dict[Key, frozenset[Member]]:
    return {**before, **{key: before.get(key, frozenset()).union(members) for key, members in more.items()}}


def runs_of(words: Sequence[str], unsaid: Collection[str] = FUNCTION_WORDS) -> Iterator[Sequence[str]]:
    """The words that can tell, and runs of them; none begins or ends with what is `unsaid`."""
    edges = [place for place, word in enumerate(words) if word not in unsaid]
    for start in edges:
        for last in edges:
            run = words[start : last + 1]
            if start <= last < start + LONGEST_KEY and is_telling("".join(run)):
                yield run


def is_telling(key: str) -> bool:
    """Whether a key can tell documents apart at all: no function word, no bare number, not a letter or two."""
    if key.isdigit() or key in FUNCTION_WORDS:
        return False
    return len(key) >= _SHORTEST or (key.isalnum() and not key.isalpha() and len(key) > 1) or not key.isascii()


def words_of(text: str) -> tuple[str, ...]:
    """The words of a name in lower case: "RefundPolicy_v2" gives refund, policy, v2."""
    return tuple(word.lower() for part in _WORD.findall(text) for word in _HUMP.split(part))


def identity(
    document_id: str, document: str, texts: Iterable[str] = (), payload: Mapping[str, object] | None = None
) -> Identity:
    """The identity of a document that is called `document`, and by these other texts."""
    named = (PurePath(document).stem, *texts)
    found = tuple(period for text in named for period in periods(text))
    names = dict.fromkeys(words_of(_without_periods(text)) for text in named)
    return Identity(
        document_id, document, tuple(name for name in names if 0 < len(name) <= LONGEST_NAME), found, payload or {}
    )


def _without_periods(text: str) -> str:
    for period in reversed(periods(text)):
        text = f"{text[: period.start]} {text[period.end :]}"
    return text


def _identity(
    document_id: str,
    name: str,
    source: str,
    media_type: str,
    language: str | None,
    created: str | None,
    metadata: str,
    root: str | None,
) -> Identity:
    own = json.loads(metadata)
    telling = [value for key, value in own.items() if isinstance(value, str) and key.lower() not in _UNTELLING]
    folders = _folders(source, root)
    payload = {
        **own,
        "source_document": name,
        "source": source,
        "document_id": document_id,
        "media_type": media_type,
        "language": language,
        "date_created": created or (str(own["modified"])[:10] if own.get("modified") else None),
    }
    return identity(document_id, name, [*telling, *folders], payload)


def _folders(source: str, root: str | None) -> list[str]:
    """The nearest folders in which a file lies, below the folder that was ingested."""
    if not root or not source.startswith(root):
        return []
    return list(PurePath(source[len(root) :].lstrip("/\\")).parts[:-1][-_FOLDERS:])
