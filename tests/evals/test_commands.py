"""`rag eval` from the shell: tables, JSON, exit codes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from plumbline.cli import main
from tests.evals.conftest import write_rows


@pytest.fixture(autouse=True)
def inside(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(shop)
    monkeypatch.setenv("PLUMBLINE_HOME", str(shop / "home"))
    monkeypatch.setenv("COLUMNS", "160")


def rag(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["rag", *arguments])
    try:
        main()
    except SystemExit as stopped:
        return int(stopped.code or 0)
    return 0


def test_a_suite(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], shop: Path) -> None:
    assert rag(monkeypatch, "eval", "suite.yaml", "--gate") == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "shop: 4 questions, 3 configurations" in out
    assert "correct *" in out
    assert "extractive is the same as default" in out
    assert "verdict lexical and more: no difference to default shown" in out
    assert len(list((shop / "experiments").glob("EXP-*-001/report.html"))) == 1


def test_the_gate_fails_where_the_primary_metric_is_worse(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], shop: Path
) -> None:
    """Twelve questions, of which a configuration whose model cannot be reached gets none right."""
    pytest.importorskip("openai")
    questions = [
        {
            "id": str(number),
            "question": f"How many days do parcels to land{number} take?",
            "answers": [f"{number} days"],
        }
        for number in range(20, 32)
    ]
    write_rows(shop / "questions.jsonl", questions)
    for number in range(20, 32):
        text = f"Parcels to land{number} take {number} days."
        (shop / "corpus" / f"land{number}.txt").write_text(text, encoding="utf-8")
    suite = (shop / "suite.yaml").read_text(encoding="utf-8")
    dead = "generation.model: 'openai-compatible/m@http://127.0.0.1:9/v1', routing.retry.attempts: 1"
    worse = suite.replace("retrieval.mode: lexical, retrieval.top_n: 2", dead)
    assert worse != suite
    (shop / "suite.yaml").write_text(worse, encoding="utf-8")
    assert rag(monkeypatch, "eval", "suite.yaml", "--gate", "--json") == 1
    output = json.loads(capsys.readouterr().out)
    assert output["gate"] == {"passed": False, "reasons": output["gate"]["reasons"]}
    assert output["gate"]["reasons"][0] == "lexical and more answered none of its 12 questions"
    assert output["gate"]["reasons"][1].startswith("lexical and more is worse than default on correct: -")
    assert rag(monkeypatch, "eval", "suite.yaml") == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("correct,", "corect,"), "primary"),
        (("corpus: corpus", "corpus: nowhere"), "There is no file or folder"),
        (("name: shop", "naem: shop"), "Did you mean 'name'"),
        (("name: shop", "name: [shop"), "not valid YAML"),
    ],
)
def test_a_broken_suite_is_exit_2(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    shop: Path,
    change: tuple[str, str],
    message: str,
) -> None:
    text = (shop / "suite.yaml").read_text(encoding="utf-8")
    (shop / "suite.yaml").write_text(text.replace(*change), encoding="utf-8")
    assert rag(monkeypatch, "eval", "suite.yaml", "--gate") == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert not (shop / "experiments").exists()


def test_an_empty_data_set_is_exit_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], shop: Path
) -> None:
    (shop / "questions.jsonl").write_text("", encoding="utf-8")
    assert rag(monkeypatch, "eval", "suite.yaml", "--json") == 2
    assert "holds no question" in json.loads(capsys.readouterr().err)["error"]["message"]


def test_a_span_that_is_not_in_the_document_is_exit_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], shop: Path
) -> None:
    row = {"id": "gone", "question": "?", "document": "returns.txt", "spans": [{"start": 5000, "end": 5010}]}
    write_rows(shop / "questions.jsonl", [row | {"answers": ["never"]}])
    assert rag(monkeypatch, "eval", "suite.yaml") == 2
    assert "Example 'gone': the gold span 5000-5010 lies outside returns.txt" in " ".join(
        capsys.readouterr().err.split()
    )
    assert not list((shop / "experiments").iterdir())


def test_a_primary_metric_that_applies_to_no_question_is_exit_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], shop: Path
) -> None:
    suite = (shop / "suite.yaml").read_text(encoding="utf-8").replace("recall@1", "page_hit@3")
    (shop / "suite.yaml").write_text(f"{suite}primary: page_hit@3\n", encoding="utf-8")
    assert rag(monkeypatch, "eval", "suite.yaml", "--gate") == 2
    assert "'page_hit@3' applies to no question" in " ".join(capsys.readouterr().err.split())


def test_a_gate_that_cannot_compare_anything_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], shop: Path
) -> None:
    assert rag(monkeypatch, "eval", "suite.yaml", "--gate", "--limit", "1") == 1
    assert "lexical and more and default have fewer than two questions to compare correct on" in " ".join(
        capsys.readouterr().out.split()
    )


def test_retrieval(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], shop: Path) -> None:
    write_rows(
        shop / "corpus.jsonl",
        [{"_id": "n", "title": "Norway", "text": "Four days."}, {"_id": "i", "text": "Iceland takes nine days."}],
    )
    write_rows(
        shop / "queries.jsonl", [{"_id": "1", "text": "parcels to Norway"}, {"_id": "2", "text": "parcels to Iceland"}]
    )
    (shop / "qrels.test.tsv").write_text("query-id\tcorpus-id\tscore\n1\tn\t1\n2\ti\t1\n", encoding="utf-8")
    assert rag(monkeypatch, "eval", "retrieval", str(shop), "--metric", "ndcg@10", "--metric", "mrr", "--json") == 0
    output = json.loads(capsys.readouterr().out)
    assert (output["queries"], output["documents"], output["baseline"]) == (2, 2, "bm25")
    found = {(score["config"], score["metric"]): score["interval"]["estimate"] for score in output["scores"]}
    assert found["bm25", "ndcg@10"] == found["hybrid", "mrr"] == 1.0
    assert {config for config, _ in found} == {"hybrid", "bm25", "dense", "rrf", "dbsf"}  # hybrid is weighted
    assert rag(monkeypatch, "eval", "retrieval", str(shop), "--limit", "1") == 0
    assert "1 queries, 2 documents" in capsys.readouterr().out
    assert rag(monkeypatch, "eval", "retrieval", str(shop), "--metric", "ngcd@10") == 2


def test_chunking(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], shop: Path) -> None:
    text = "Parcels to Norway take 4 days.\n\n" + "Other things are said here, too. " * 60
    (shop / "text.md").write_text(text, encoding="utf-8")
    reference = {"content": "Parcels to Norway take 4 days.", "start_index": 0, "end_index": 30}
    write_rows(shop / "text.questions.jsonl", [{"question": "How long to Norway?", "references": [reference]}])
    arguments = ("eval", "chunking", str(shop), "--top-k", "1", "--json", "--set", "chunking.overlap=0")
    scores = {}
    for size in (32, 400):
        assert rag(monkeypatch, *arguments, "--set", f"chunking.size={size}") == 0
        output = json.loads(capsys.readouterr().out)
        scores[size] = {
            score["metric"]: score["interval"]["estimate"] for score in output["scores"] if score["config"] == "hybrid"
        }
    assert scores[32]["char_recall@1"] == scores[400]["char_recall@1"] == 1.0
    assert scores[32]["char_precision@1"] > 3 * scores[400]["char_precision@1"]
