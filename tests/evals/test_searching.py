from __future__ import annotations

from evals.searching import ALONE, ways_to_search
from rag.retrieve.settings import QuestionSettings, RerankSettings, RetrievalSettings

FUSED = ALONE | {name: {"mode": "hybrid", "fusion": name} for name in ("rrf", "weighted")}


def test_the_configured_way_comes_first_and_none_twice() -> None:
    ways = ways_to_search(RetrievalSettings(), FUSED)
    assert list(ways) == ["hybrid", "bm25", "dense", "rrf"]  # hybrid is weighted
    assert list(ways_to_search(RetrievalSettings(mode="dense"), ALONE)) == ["dense", "bm25"]
    assert list(ways_to_search(RetrievalSettings(mode="lexical"), ALONE)) == ["bm25", "dense"]


def test_the_others_do_without_what_is_added_to_a_search() -> None:
    asked = RetrievalSettings(
        mode="lexical",
        candidates=50,
        neighbours=0.2,
        rerank=RerankSettings(model="maxsim"),
        question=QuestionSettings(hyde=True),
    )
    ways = ways_to_search(asked, FUSED)
    assert list(ways) == ["lexical", "bm25", "dense", "rrf", "weighted"]
    assert ways["lexical"] is asked
    for name in ("bm25", "dense", "rrf", "weighted"):
        plain = ways[name]
        assert (plain.neighbours, plain.rerank, plain.question) == (0.0, RerankSettings(), QuestionSettings())
        assert plain.candidates == 50
    assert (ways["bm25"].mode, ways["rrf"].fusion) == ("lexical", "rrf")
