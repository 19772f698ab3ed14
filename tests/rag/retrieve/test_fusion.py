from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from plumbline.errors import ConfigError, CorruptStateError
from rag.index.store import Found, Search
from rag.retrieve.feedback import Neighbours
from rag.retrieve.fuse import dbsf, rrf, weighted
from rag.retrieve.fusion import build_fusion
from rag.retrieve.learned import FEATURES_VERSION, FILE, Certificate, Fitted, FusionArtifact, Way, load_artifact
from rag.retrieve.settings import RetrievalSettings

FOUND = Found([("a", 0.9), ("b", 0.8), ("c", 0.5)], [("c", 12.0), ("a", 9.0), ("d", 2.0)])
SEARCH = Search(10, text="what")


def artifact(use: Way = "learned", **changes: object) -> FusionArtifact:
    certificate = Certificate(
        use=use, certified=True, metric="ndcg@10", questions=90, delta=0.05, margin=0.01, values={}, comparisons=()
    )
    fitted = Fitted(at="2026-01-01T00:00:00+00:00", data="mine", data_hash="0", questions=90, cross_validated=0.7)
    made = FusionArtifact(
        features=FEATURES_VERSION,
        embedder="embedded/wordllama",
        scorer="bm25",
        candidates=100,
        weights={"lexical": 1.0, "dense": 0.0},
        neighbours=0.2,
        dense_weight=0.5,
        fitted=fitted,
        certificate=certificate,
    )
    return made.model_copy(update=changes)


def settings(**values: object) -> RetrievalSettings:
    return RetrievalSettings.model_validate(values)


def test_the_fusions_that_need_no_labels(tmp_path: Path) -> None:
    for name, wanted in (
        ("rrf", rrf([FOUND.dense, FOUND.lexical], 7)),
        ("dbsf", dbsf([FOUND.dense, FOUND.lexical])),
        ("weighted", weighted(FOUND.dense, FOUND.lexical, 0.15)),
    ):
        fusion = build_fusion(settings(fusion=name, rrf_k=7), "embedded/wordllama", "bm25", tmp_path)
        assert (fusion.name, fusion.feedback) == (name, None)
        assert fusion.fuse(FOUND, SEARCH) == wanted
    for name in ("rrf", "dbsf", "weighted"):
        near = build_fusion(settings(fusion=name, neighbours=0.3), "embedded/wordllama", "bm25", tmp_path)
        assert near.feedback == Neighbours(0.3)
    chosen = build_fusion(settings(dense_weight=1.0), "embedded/wordllama", "bm25", tmp_path)
    assert chosen.fuse(FOUND, SEARCH)[0][0] == "a"


@pytest.mark.parametrize(
    ("use", "order"), [("learned", "cadb"), ("lexical", "cadb"), ("dense", "abcd"), ("weighted", "acbd")]
)
def test_what_is_certified_is_used(tmp_path: Path, use: Way, order: str) -> None:
    artifact(use).save(tmp_path)
    fusion = build_fusion(settings(fusion="learned"), "embedded/wordllama", "bm25", tmp_path)
    assert "".join(id_ for id_, _ in fusion.fuse(FOUND, SEARCH)) == order
    assert fusion.fuse(Found([], []), SEARCH) == []
    assert (fusion.feedback is not None) == (use == "learned")


def test_a_complete_search_leaves_nothing_to_guess(tmp_path: Path) -> None:
    complete = replace(SEARCH, complete=True)
    whole = [*FOUND.lexical, ("b", 0.0)]
    plain = build_fusion(settings(dense_weight=0.5), "embedded/wordllama", "bm25", tmp_path)
    assert plain.fuse(FOUND, complete) == weighted(FOUND.dense, whole, 0.5)
    assert plain.fuse(FOUND, SEARCH) == weighted(FOUND.dense, FOUND.lexical, 0.5)
    artifact("weighted").save(tmp_path)
    learned = build_fusion(settings(fusion="learned"), "embedded/wordllama", "bm25", tmp_path)
    assert learned.fuse(FOUND, complete) == weighted(FOUND.dense, whole, 0.5)


def test_without_neighbours_there_is_no_feedback(tmp_path: Path) -> None:
    artifact(neighbours=0.0).save(tmp_path)
    assert build_fusion(settings(fusion="learned"), "embedded/wordllama", "bm25", tmp_path).feedback is None


def test_an_artifact_comes_back(tmp_path: Path) -> None:
    made = artifact()
    assert made.save(tmp_path) == tmp_path / FILE
    assert load_artifact(tmp_path) == made
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


@pytest.mark.parametrize(
    ("embedder", "scorer", "candidates", "named"),
    [
        ("st/other", "bm25", 100, "the embedder embedded/wordllama, and st/other is used"),
        ("embedded/wordllama", "rank-bm25", 100, "the lexical scorer bm25"),
        ("embedded/wordllama", "bm25", 50, "retrieval.candidates 100, and 50 is used"),
    ],
)
def test_what_was_fitted_for_something_else_is_refused(
    tmp_path: Path, embedder: str, scorer: str, candidates: int, named: str
) -> None:
    artifact().save(tmp_path)
    with pytest.raises(ConfigError, match=named) as caught:
        build_fusion(settings(fusion="learned", candidates=candidates), embedder, scorer, tmp_path)
    assert "rag fit fusion" in str(caught.value)


def test_a_missing_and_a_damaged_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing was fitted"):
        load_artifact(tmp_path)
    (tmp_path / FILE).write_text("{", encoding="utf-8")
    with pytest.raises(CorruptStateError, match="cannot be read"):
        load_artifact(tmp_path)
    text = artifact().model_dump_json().replace('"neighbours":0.2', '"neighbours":-1')
    (tmp_path / FILE).write_text(text, encoding="utf-8")
    with pytest.raises(CorruptStateError, match="neighbours"):
        load_artifact(tmp_path)
