"""The plan lays what is offered beside what is known, in one pass over both."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.index.manifest import FileRecord
from rag.ingest.item import Item, PassedOver
from rag.ingest.plan import RACY_NS, Looking, Step, plan, reading_name
from rag.ingest.settings import LoadingSettings

READING = "readers 1"
SEEN = time.time_ns()
LOOKING = Looking(lambda source, root: READING)


def item(source: str, stamp: str = "1-2-3", changed_ns: int = SEEN - 10 * RACY_NS) -> Item:
    return Item(source, source.rsplit("/", 1)[-1], source, 1, stamp, changed_ns)


def record(source: str, stamp: str = "1-2-3") -> FileRecord:
    return FileRecord(source, "/docs", stamp, SEEN, "abc", READING)


def one(offered: Item, known: FileRecord, looking: Looking = LOOKING) -> Step:
    (step,) = plan([offered], [known], looking)
    return step


def test_an_equal_stamp_proves_that_nothing_changed() -> None:
    assert one(item("/docs/a.txt"), record("/docs/a.txt")).action == "unchanged"


@pytest.mark.parametrize(
    ("offered", "known", "looking"),
    [
        (item("/docs/a.txt", "9-2-3"), record("/docs/a.txt"), LOOKING),
        (item("/docs/a.txt", ""), record("/docs/a.txt", ""), LOOKING),
        (item("/docs/a.txt", changed_ns=SEEN - RACY_NS // 2), record("/docs/a.txt"), LOOKING),
        (item("/docs/a.txt"), record("/docs/a.txt"), replace(LOOKING, rehash=True)),
    ],
    ids=["another stamp", "no stamp", "changed just before it was looked at", "no stamp is trusted"],
)
def test_what_is_not_proven_is_hashed(offered: Item, known: FileRecord, looking: Looking) -> None:
    step = one(offered, known, looking)
    assert (step.action, step.known_hash) == ("read", "abc")


@pytest.mark.parametrize(
    ("known", "looking"),
    [
        (replace(record("/docs/a.txt"), error="it is damaged"), LOOKING),
        (replace(record("/docs/a.txt"), reading="readers 0"), LOOKING),
        (replace(record("/docs/a.txt"), duplicate_of="f"), replace(LOOKING, repeated=lambda fingerprints: False)),
        (record("/docs/a.txt"), replace(LOOKING, afresh=True)),
    ],
    ids=["failed before", "read otherwise before", "a duplicate of what is gone", "afresh"],
)
def test_what_must_be_read_whatever_its_bytes_are(known: FileRecord, looking: Looking) -> None:
    step = one(item("/docs/a.txt"), known, looking)
    assert (step.action, step.known_hash) == ("read", None)


def test_what_is_passed_over_is_not_missing() -> None:
    steps = list(plan([PassedOver("/docs/a.txt", "a.txt", "no permission")], [record("/docs/a.txt")], LOOKING))
    assert [(step.action, step.record is not None) for step in steps] == [("passed", True)]


def test_a_document_keeps_the_name_it_had_first() -> None:
    step = one(item("/docs/more/a.txt"), record("/docs/more/a.txt"))
    assert step.item is not None
    assert step.item.name == "more/a.txt"


@given(st.sets(st.text("ab/-0é😀", min_size=1)), st.sets(st.text("ab/-0é😀", min_size=1)))
def test_every_address_is_met_once(offered: set[str], known: set[str]) -> None:
    steps = list(plan(map(item, sorted(offered)), map(record, sorted(known)), LOOKING))

    def sources(action: str) -> list[str]:
        found = [step.item or step.record for step in steps if step.action == action]
        return [each.source for each in found if each is not None]

    assert sources("missing") == sorted(known - offered)
    assert sources("unchanged") == sorted(known & offered)
    assert sources("read") == sorted(offered - known)


def test_what_a_text_depends_on_is_named() -> None:
    plain = reading_name(LoadingSettings())
    assert reading_name(LoadingSettings(workers=3, max_seconds=1)) == plain
    assert reading_name(LoadingSettings(redact="all")) != plain
    assert reading_name(LoadingSettings(ocr=True)) != plain
    assert reading_name(LoadingSettings(pdf_tables="text")) != plain
