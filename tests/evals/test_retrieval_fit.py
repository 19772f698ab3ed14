from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from evals.retrieval_fit import fit_fusion
from plumbline.cli import main
from plumbline.errors import InputError
from rag import RAG
from rag.retrieve.learned import FILE, load_artifact
from tests.evals.conftest import write_rows

THINGS = ["lamp", "kettle", "bicycle", "tent", "violin", "camera", "blender", "rug"]
PLACES = ["Norway", "Iceland", "Peru", "Kenya", "Japan", "Chile", "Malta", "Nepal"]


@pytest.fixture
def parcels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in BEIR's layout: 64 documents on what it costs to send a thing to a place, a question about each."""
    monkeypatch.setenv("PLUMBLINE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    pairs = [(thing, place) for thing in THINGS for place in PLACES]
    texts = [
        f"To send a {thing} to {place} costs {number + 3} euros. A {thing} is packed in a box of its own."
        for number, (thing, place) in enumerate(pairs)
    ]
    write_rows(tmp_path / "corpus.jsonl", [{"_id": str(n), "text": text} for n, text in enumerate(texts)])
    write_rows(
        tmp_path / "queries.jsonl",
        [{"_id": f"q{n}", "text": f"price of a {thing} for {place}"} for n, (thing, place) in enumerate(pairs)],
    )
    judged = "".join(f"q{n}\t{n}\t1\n" for n in range(len(pairs)))
    (tmp_path / "qrels.train.tsv").write_text(f"query-id\tcorpus-id\tscore\n{judged}", encoding="utf-8")
    return tmp_path


def rag(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["rag", *arguments])
    try:
        main()
    except SystemExit as stopped:
        return int(stopped.code or 0)
    return 0


def test_fit_and_use(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], parcels: Path) -> None:
    assert rag(monkeypatch, "fit", "fusion", ".", "--json") == 0
    output = json.loads(capsys.readouterr().out)
    assert (output["questions"], output["left_out"]) == (64, 0)
    artifact = output["artifact"]
    assert (artifact["embedder"], artifact["candidates"]) == ("embedded/wordllama", 100)
    assert "bm25" in artifact["scorer"]
    assert artifact["fitted"]["questions"] + artifact["certificate"]["questions"] == 64
    assert 0 < output["cross_validated"]["estimate"] <= 1
    assert load_artifact(Path(output["path"]).parent).model_dump(mode="json") == artifact
    assert rag(monkeypatch, "eval", "retrieval", ".", "--metric", "mrr", "--json", "--limit", "4") == 0
    scores = json.loads(capsys.readouterr().out)["scores"]
    assert {score["config"] for score in scores} == {"hybrid", "bm25", "dense", "rrf", "dbsf", "learned"}
    assert rag(monkeypatch, "fit", "fusion", ".", "--margin", "0.5") == 0
    shown = capsys.readouterr().out
    assert "64 questions, 22 of them fitted on" in shown
    assert "certified: learned, at most 0.5 worse than the better half, with an error of 5%" in shown


def test_questions_about_a_knowledge_base(parcels: Path) -> None:
    rows = (json.loads(line) for line in (parcels / "queries.jsonl").read_text(encoding="utf-8").splitlines())
    questions = [
        {
            "question": row["text"],
            "document": "all.md",
            "spans": [{"quote": f"To send a {words[3]} to {words[5]}"}],
            "group": row["_id"],
        }
        for row in rows
        if (words := row["text"].split())
    ]
    write_rows(
        parcels / "mine.jsonl", [*questions, {"question": "Who chairs the football association?", "answers": []}]
    )
    corpus = [json.loads(line)["text"] for line in (parcels / "corpus.jsonl").read_text(encoding="utf-8").splitlines()]
    (parcels / "docs").mkdir()
    (parcels / "docs" / "all.md").write_text("\n\n".join(corpus), encoding="utf-8")
    chunks = {"chunking.size": 32, "chunking.overlap": 0}
    with RAG.open("kb", settings=chunks) as kb:
        kb.ingest("docs")
    output = fit_fusion("mine.jsonl", kb="kb", settings=chunks, metric="char_recall@5")
    assert (output.questions, output.left_out) == (64, 1)
    assert output.artifact.certificate.metric == "char_recall@5"
    assert output.path == str(Path("kb") / FILE)
    with RAG.open("kb", settings=chunks | {"retrieval.fusion": "learned"}) as kb:
        assert "violin" in kb.search("a violin for Peru")[0].chunk.text
        assert kb.explain("a violin for Peru").fusion == "learned"


def test_what_cannot_be_fitted(parcels: Path) -> None:
    with pytest.raises(InputError, match=r"Only 5 of the 5 .* 50 are needed"):
        fit_fusion(parcels, limit=5)
    with pytest.raises(InputError, match="has labels for page_hit@10"):
        fit_fusion(parcels, metric="page_hit@10")
    with pytest.raises(InputError, match="delta"):
        fit_fusion(parcels, delta=0)
    write_rows(parcels / "mine.jsonl", [{"question": "Why?", "document": "all.md"}])
    with pytest.raises(InputError, match="holds questions, and no documents"):
        fit_fusion("mine.jsonl")
    with pytest.raises(InputError, match="no knowledge base in elsewhere"):
        fit_fusion("mine.jsonl", kb="elsewhere")
