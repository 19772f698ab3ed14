"""What documents are called, as far as it is known from before, is what reading everything anew finds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from plumbline.database import open_database
from rag.index.catalogue import Catalogue
from rag.index.changes import Changes
from rag.index.components import catalogue_component
from rag.index.fields import KnownFields
from rag.ingest.source.given import document_from_text
from rag.retrieve.question_filters_names import NOTHING, DocumentNames, identity, index_of
from rag.types import MetadataValue

FILES = (
    "Northwind_2022_10K.pdf",
    "Northwind_2021_10K.pdf",
    "handbook v2.docx",
    "v2.md",
    "Harbor/minutes.txt",
    "3M.md",
)
VALUES: tuple[MetadataValue, ...] = ("Acme Ltd", "2023-01-31", 5, 4.5, True, ("x", "y"), "long " * 60)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[tuple[Engine, Path, Changes]]:
    file = tmp_path / "knowledge.db"
    engine = open_database(file, [catalogue_component()])
    changes = Changes(file)
    yield engine, file, changes
    changes.close()
    engine.dispose()


puts = st.tuples(st.sampled_from(FILES), st.sampled_from(["company", "year", "tenant"]), st.sampled_from(VALUES))
steps = st.lists(st.one_of(puts, st.sampled_from(FILES)), min_size=1, max_size=8)


@given(steps)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_documents_come_change_and_go(
    opened: tuple[Engine, Path, Changes], taken: list[tuple[str, str, MetadataValue] | str]
) -> None:
    engine, file, _ = opened
    catalogue, names, fields = Catalogue(engine, file), DocumentNames(*opened), KnownFields(*opened)
    for step in taken:
        if isinstance(step, str):
            catalogue.remove_files([step])
        else:
            name, field, value = step
            said = {field: "acme"} if field == "tenant" else {field: value}
            catalogue.put_document(document_from_text("text", source=name, name=name, metadata=said), [])
        assert names.names() == DocumentNames(*opened).names()
        assert fields.fields() == KnownFields(*opened).fields()
    catalogue.remove_files(FILES)
    assert names.names() == NOTHING
    assert fields.fields().own == {}


def test_what_a_commit_did_not_touch_is_kept(opened: tuple[Engine, Path, Changes]) -> None:
    engine, file, _ = opened
    catalogue, names = Catalogue(engine, file), DocumentNames(*opened)
    catalogue.put_document(document_from_text("text", source="a", name="Northwind_2022_10K.pdf"), [])
    before = names.names()
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO sources VALUES ('/docs', 'now', '{}')")
    assert names.names() is before
    catalogue.put_document(document_from_text("text", source="b", name="Northwind_2023_10K.pdf"), [])
    assert names.names().identities[0] is before.identities[0]
    assert names.names().keys["northwind"] == {0, 1}


@given(st.lists(st.sampled_from(FILES), unique=True), st.integers(0, 6))
def test_names_may_be_put_together_in_parts(files: list[str], cut: int) -> None:
    found = [identity(name, name) for name in files]
    assert index_of(found[cut:], index_of(found[:cut])) == index_of(found)
