"""An explained search tells every step, and marks the words that were read in the query."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from plumbline.cli import main
from rag import RAG
from rag.retrieve.access import EVERYTHING
from rag.retrieve.explain import explained, merged
from rag.retrieve.output import ExplainOutput
from rag.retrieve.show import explanation

QUERY = "How long does shipping to Iceland take?"


@pytest.fixture
def filled(kb: RAG, docs: Path) -> RAG:
    (docs / "iceland.md").write_text("# Iceland\n\nShipped parcels take 9 days to Iceland; shipping is £30.", "utf-8")
    kb.ingest(docs)
    return kb


def shown(kb: RAG, query: str, **options: object) -> str:
    out = io.StringIO()
    found = kb.explain(query, access=EVERYTHING, **options)  # type: ignore[arg-type]  # options of the test
    hits = explained(found, kb.parts.store, kb.parts.catalogue)
    explanation(Console(file=out, width=400, force_terminal=True), found, hits)
    return " ".join(out.getvalue().split())


async def test_words_are_marked_as_they_are_read(filled: RAG) -> None:
    found = await filled.aexplain(QUERY)
    best = explained(found, filled.parts.store, filled.parts.catalogue)[0]
    marked = [best.hit.chunk.text[start:end] for start, end in best.matched]
    assert best.hit.document == "iceland.md"
    assert marked == ["Iceland", "Shipped", "take", "Iceland", "shipping"]


def test_words_of_what_stands_around_a_hit_are_read_in_its_language_too(tmp_path: Path, home: Path) -> None:
    (tmp_path / "buch.md").write_text(
        "# Handbuch\n\nDie Käufer müssen die Quittungen vorlegen, damit das Geld erstattet wird.\n\nDie Häfen und die "
        "Märkte sind alt, und die Häuser an den Plätzen werden jedes Jahr gestrichen.\n",
        "utf-8",
    )
    settings = {"chunking.size": 24, "chunking.overlap": 0, "retrieval.expand": "section"}
    with RAG.open(tmp_path / "kb", home=home, environ={}, settings=settings) as kb:
        kb.ingest(tmp_path / "buch.md")
        found = kb.explain("Welches Haus an welchem Platz?", top_k=1)
        (hit,) = explained(found, kb.parts.store, kb.parts.catalogue)
        text = hit.hit.chunk.text
        assert "Quittungen" in text
        assert [text[start:end] for start, end in hit.matched] == ["Häuser", "Plätzen"]


def test_every_step_is_told(filled: RAG) -> None:
    found = filled.explain(QUERY, condition="name = 'iceland.md'")
    (hit,) = found.hits
    assert (found.store, found.fusion, found.rerank, found.notes) == ("embedded", "weighted", None, ())
    assert (hit.dense_rank, hit.lexical_rank, hit.fused_rank, hit.rerank_score) == (1, 1, 1, None)
    assert hit.fused_score == hit.score
    (searched,) = found.searches
    assert searched.asked.text == QUERY
    assert len(searched.found.dense) == 1


def test_it_is_printed_with_ranks_filter_and_words_in_bold(filled: RAG) -> None:
    out = shown(filled, QUERY, condition="name = 'iceland.md'")
    assert "searched “How long does shipping to Iceland take?” where source_document = 'iceland.md'" in out
    assert "1 by meaning, 1 by words" in out
    assert "meaning #1" in out
    assert "words #1" in out
    assert "\x1b[1;32mIceland\x1b[0m" in out
    assert "Nothing found." in shown(filled, '"words that never stand so"')


def test_an_excerpt_shows_where_most_words_stand(kb: RAG, tmp_path: Path) -> None:
    (tmp_path / "long.md").write_text("Iceland. " + "Nothing here. " * 40 + "Shipping to Iceland takes long.", "utf-8")
    kb.ingest(tmp_path / "long.md")
    out = shown(kb, "shipping Iceland takes")
    assert "Shipping" in out
    assert "…" in out


def test_control_characters_of_documents_are_not_printed(kb: RAG, tmp_path: Path) -> None:
    (tmp_path / "evil.md").write_text("Shipping \x1b]0;title\x07 to Iceland", "utf-8")
    kb.ingest(tmp_path / "evil.md")
    assert "\x1b]0;" not in shown(kb, "shipping")


def test_as_json(filled: RAG, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    kb = str(filled.parts.path)
    monkeypatch.setattr("sys.argv", ["rag", "search", QUERY, "--kb", kb, "--home", str(home), "--explain", "--json"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    out = json.loads(capsys.readouterr().out)
    assert set(out) == set(ExplainOutput.model_fields)
    assert out["hits"][0]["matched"]
    assert out["searches"][0]["filter"] is None


def test_hits_that_were_moved_apart_say_where_they_stood(tmp_path: Path, home: Path, docs: Path) -> None:
    for name in ("one", "two"):
        (docs / f"{name}.md").write_text("Shipping to Iceland takes long, and shipping to Iceland costs much.", "utf-8")
    settings = {"retrieval.rerank.diversity": 0.3}
    with RAG.open(tmp_path / "kb", home=home, environ={}, settings=settings) as kb:
        kb.ingest(docs)
        found = kb.explain(QUERY)
        ranks = [hit.relevance_rank for hit in found.hits]
        assert ranks != sorted(ranks, key=str)
        assert sorted(filter(None, ranks)) == list(range(1, len(ranks) + 1))
        out = shown(kb, QUERY)
        assert f"diversity 0.3: {sum(rank != at for at, rank in enumerate(ranks, 1))} hits moved to another rank" in out
        assert f"by relevance #{ranks[1]}" in out
        output = ExplainOutput.of(found, explained(found, kb.parts.store, kb.parts.catalogue))
    assert (output.diversity, [hit.relevance_rank for hit in output.hits]) == (0.3, ranks)


def test_hits_that_were_not_moved_say_nothing_of_it(filled: RAG) -> None:
    found = filled.explain(QUERY)
    output = ExplainOutput.of(found, explained(found, filled.parts.store, filled.parts.catalogue))
    assert (output.diversity, {hit.relevance_rank for hit in output.hits}) == (None, {None})
    assert "relevance" not in shown(filled, QUERY)


def test_spans_are_merged() -> None:
    assert merged([(5, 9), (0, 2), (8, 12), (12, 13)]) == ((0, 2), (5, 12), (12, 13))
    assert merged([]) == ()
