"""The embedded store scores as its settings say, also from its file."""

from __future__ import annotations

from pathlib import Path

import pytest

from plumbline.database import open_database
from rag.index import components
from rag.index.embedded import EmbeddedStore
from rag.index.lexical import LexicalIndex
from rag.index.lexical.fields import FieldReader
from rag.index.lexical.make import lexical_index
from rag.index.lexical.reference import ReferenceIndex
from rag.index.settings import LexicalSettings
from rag.index.store import Search
from rag.testing.store import DIM, sample_points


def opened(folder: Path, lexical: LexicalSettings) -> EmbeddedStore:
    file = folder / "knowledge.db"
    engine = open_database(file, [components.catalogue_component(), components.embedded_store_component()])
    return EmbeddedStore(engine, file, dim=DIM, lexical=lexical)


def test_the_scorer_is_that_of_the_settings() -> None:
    assert isinstance(lexical_index(LexicalSettings()), LexicalIndex)
    reference = lexical_index(LexicalSettings(scorer="rank-bm25", k1=1.5, b=0.5))
    assert isinstance(reference, ReferenceIndex)
    assert (reference.k1, reference.b) == (1.5, 0.5)


@pytest.mark.parametrize("scorer", ["bm25", "rank-bm25"])
async def test_a_store_scores_alike_before_and_after_it_was_written(tmp_path: Path, scorer: str) -> None:
    settings = LexicalSettings.model_validate({"scorer": scorer, "k1": 2.0, "b": 0.1, "title_weight": 2})
    points = sample_points()
    store = opened(tmp_path, settings)
    await store.upsert(points)
    search = Search(10, text="harbour granite item 7")
    before = (await store.search(search)).lexical
    await store.compact()
    again = opened(tmp_path, settings)
    after = (await again.search(search)).lexical
    assert not again.rebuilt
    assert after == before == (await store.search(search)).lexical
    reader = FieldReader(settings)
    index = lexical_index(settings)
    index.append(map(reader.weighted, points))
    found, scores = index.search(reader.read("harbour granite item 7"), 10)
    expected = [(points[at].id, score) for at, score in zip(found.tolist(), scores.tolist(), strict=True)]
    assert before == expected
    other = opened(tmp_path, settings.model_copy(update={"k1": 0.5}))
    assert (await other.search(search)).lexical != before
