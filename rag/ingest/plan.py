"""What an ingestion will do: what a source offers, laid beside what is known of it. Nothing is read for that."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from rag.index.manifest import FileRecord
from rag.ingest.item import Item, PassedOver
from rag.ingest.labels import Labelling, labels_name
from rag.ingest.reading import READER_VERSION
from rag.ingest.settings import LoadingSettings

RACY_NS = 2_000_000_000
"""A file changed so shortly before it was looked at may have changed again within one tick of its file system's clock:
its stamp proves nothing, and it is hashed (as git does with its index)."""

Action = Literal["read", "unchanged", "missing", "passed"]


@dataclass(frozen=True, slots=True)
class Step:
    """What to do about one address: `item` as it is offered, `record` as it is known.

    "read" may still find it unchanged, when its bytes have the hash `known_hash`. "missing" was known and is offered no
    more; whether it is gone, its source must say.
    """

    action: Action
    item: Item | None = None
    record: FileRecord | None = None
    passed: PassedOver | None = None
    known_hash: str | None = None
    looked_ns: int = 0


@dataclass(frozen=True, slots=True)
class Looking:
    """How known files are judged: `reading` is how files are read now; `rehash` trusts no stamp, `afresh` no hash,
    `repeated` tells whether the texts with these fingerprints, which a file repeats and for which it was left out, are
    still there and still reason enough; `elsewhere` finds what is known of a file that this source did not offer yet.
    """

    reading: Callable[[str, str], str]
    rehash: bool = False
    afresh: bool = False
    repeated: Callable[[str], bool] = lambda fingerprints: True
    elsewhere: Callable[[str], FileRecord | None] = lambda source: None


def reading_name(loading: LoadingSettings, labels: Labelling = MappingProxyType({})) -> str:
    """Names what a document depends on besides the bytes; what was read otherwise is read again."""
    parts = [f"readers {READER_VERSION}"]
    parts += ["ocr"] if loading.ocr else []
    parts += ["pdf tables as text"] if loading.pdf_tables == "text" else []
    parts += [labels_name(labels)] if labels else []
    parts += [redaction_name(loading)] if loading.redact != "none" else []
    return ", ".join(parts)


def redaction_name(loading: LoadingSettings) -> str:
    """How `reading_name` ends for documents that were masked so."""
    return f"redact {loading.redact}"


def plan(offered: Iterable[Item | PassedOver], known: Iterable[FileRecord], looking: Looking) -> Iterator[Step]:
    """The steps, ordered by address, in one pass over both; each side must be ordered by address.

    Memory does not grow with the number of files.
    """
    records = iter(known)
    record = next(records, None)
    for each in offered:
        while record is not None and record.source < each.source:
            yield Step("missing", record=record)
            record = next(records, None)
        match = record if record is not None and record.source == each.source else None
        if match is not None:
            record = next(records, None)
        if isinstance(each, PassedOver):
            yield Step("passed", passed=each, record=match)
        else:
            yield _judged(each, match, looking)
    while record is not None:
        yield Step("missing", record=record)
        record = next(records, None)


def _judged(item: Item, record: FileRecord | None, looking: Looking) -> Step:
    now = time.time_ns()
    record = record or looking.elsewhere(item.source)
    if record is None:
        return Step("read", item, looked_ns=now)
    item = replace(item, name=_first_name(item, record))
    good = record.error is None and record.reading == looking.reading(item.source, record.root) and not looking.afresh
    if record.duplicate_of is not None:
        good = good and looking.repeated(record.duplicate_of)
    if not good:  # what could not be read is tried again: what stood in the way may be gone
        return Step("read", item, record, looked_ns=now)
    proven = bool(item.stamp) and item.stamp == record.stamp and item.changed_ns < record.seen_ns - RACY_NS
    if proven and not looking.rehash:
        return Step("unchanged", item, record, looked_ns=now)
    return Step("read", item, record, known_hash=record.hash, looked_ns=now)


def _first_name(item: Item, record: FileRecord) -> str:
    """A document keeps the name it got from the folder through which it was first read."""
    below = record.root.rstrip("/") + "/"
    return item.source.removeprefix(below) if item.source.startswith(below) else item.name
