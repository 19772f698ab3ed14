"""Known fields: read from the documents, kept until they change; filters on others are refused."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import Engine

from plumbline.database import open_database
from plumbline.errors import CorruptStateError, InputError
from rag.index.catalogue import Catalogue
from rag.index.changes import Changes, UntilChanged
from rag.index.components import catalogue_component
from rag.index.fields import Fields, KnownFields, check_filter
from rag.index.filters import And, Eq, Exists, Filter, In, Not, Or, Range
from rag.types import Document, MetadataValue

FIELDS = Fields({"author": frozenset({"text"}), "page": frozenset({"text", "number"}), "issued": frozenset({"date"})})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "knowledge.db"


@pytest.fixture
def engine(file: Path) -> Iterator[Engine]:
    opened = open_database(file, [catalogue_component()])
    yield opened
    opened.dispose()


def put(engine: Engine, file: Path, name: str, **metadata: MetadataValue) -> None:
    Catalogue(engine, file).put_document(Document(name, name, name, "text", "h", "text/plain", metadata=metadata), [])


def test_fields_are_those_of_the_documents_and_follow_them(engine: Engine, file: Path) -> None:
    changes = Changes(file)
    known = KnownFields(engine, file, changes)
    assert known.fields() == Fields()
    put(engine, file, "a", author="Mara", issued="2023-01-31", stars=4, draft=False, tags=("x", "y"))
    put(engine, file, "b", stars=4.5, issued="soon", hash="its own", abstract="long " * 100)
    first = known.fields()
    assert first.own == {
        "author": {"text"},
        "issued": {"date", "text"},
        "stars": {"number"},
        "draft": {"boolean"},
        "tags": {"text"},
    }
    assert known.fields() is first
    put(engine, file, "b", abstract="short")
    assert known.fields().own["issued"] == {"date"}
    assert "abstract" in known.fields().own
    changes.close()


def test_changes_of_another_connection_are_counted(engine: Engine, file: Path) -> None:
    changes = Changes(file)
    numbers = count(1)
    kept = UntilChanged(changes, lambda: next(numbers))
    assert [kept.get(), kept.get()] == [1, 1]
    other = open_database(file, [catalogue_component()])
    put(other, file, "a")
    other.dispose()
    assert [kept.get(), kept.get()] == [2, 2]
    changes.close()


def test_a_damaged_database_is_said(tmp_path: Path) -> None:
    damaged = tmp_path / "knowledge.db"
    damaged.write_text("no database at all, but text that goes on for a while" * 20)
    changes = Changes(damaged)
    with pytest.raises(CorruptStateError, match="damaged"):
        UntilChanged(changes, lambda: None).get()
    changes.close()


def test_short_names_are_written_out_and_give_way_to_the_documents_own() -> None:
    condition = And((Eq("name", "a"), Not(In("type", ("x",))), Or((Exists("date"), Range("created", gte="2023")))))
    assert check_filter(condition, Fields()) == And(
        (
            Eq("source_document", "a"),
            Not(In("media_type", ("x",))),
            Or((Exists("date_created"), Range("date_created", gte="2023"))),
        )
    )
    assert check_filter(Eq("page", "iv"), FIELDS) == Eq("page", "iv")


def nested(depth: int) -> Filter:
    condition: Filter = Exists("author")
    for _ in range(depth):
        condition = Not(condition)
    return condition


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        (Eq("autor", "x"), "No document has a field 'autor' to filter by. Did you mean author"),
        (Not(Exists("zzz")), "There are: author, date_created, date_from"),
        (Eq("page_number", "3"), "page_number holds numbers, and '3' is a text. Write it without quotes."),
        (And((Range("author", gte=3),)), "author holds text, and 3 is a number. As text it is '3', in quotes."),
        (Range("date_created", lt=2023), "date_created holds dates, and 2023 is a number. Give one as 2023-01-31"),
        (Range("date_created", gte="yesterday"), "date_created holds dates, and 'yesterday' is none."),
        (Eq("date_created", "2023-1-5"), "date_created holds dates, and '2023-1-5' is none."),
        (In("author", ("a", True)), "and true is a boolean"),
        (Range("author"), "no bound"),
        (Range("page_number", gte=float("nan")), "nan is nothing to compare with. Give text, a number"),
        (Eq("author", None), "None is nothing to compare with"),  # type: ignore[arg-type]  # from callers without types
        (In("author", (b"x",)), "b'x' is nothing to compare with"),  # type: ignore[arg-type]  # the same
        (Eq("date_created", date(2023, 1, 31)), "Write it as text: '2023-01-31'"),  # type: ignore[arg-type]  # the same
        (Eq(3, "x"), "3 is no name of a field"),  # type: ignore[arg-type]  # the same
        (nested(5000), "nested more than 250 deep"),
    ],
)
def test_what_cannot_hold_is_refused(condition: Filter, said: str) -> None:
    with pytest.raises(InputError) as raised:
        check_filter(condition, FIELDS)
    assert said in str(raised.value)


def test_what_is_no_filter_is_refused() -> None:
    with pytest.raises(InputError, match="is no filter"):
        check_filter("page = 3", FIELDS)  # type: ignore[arg-type]  # what a caller without types may pass
