"""The command `rag assess-data`: output for people and for machines, exit codes, who let low quality pass."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from plumbline.errors import InputError
from rag.ingest.quality.command import register

pytest.importorskip("rensa")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("PLUMBLINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "120")
    app = typer.Typer()
    app.callback()(lambda: None)
    register(app)

    def invoke(*arguments: object) -> Result:
        return CliRunner().invoke(app, ["assess-data", *map(str, arguments)])

    return invoke


@pytest.fixture
def poor(tmp_path: Path) -> Path:
    folder = tmp_path / "poor [red]"
    folder.mkdir()
    for number in range(4):
        (folder / f"empty{number}.txt").write_bytes(b"")
    (folder / "plan_v1.txt").write_text("Das GerÃ¤t ist groÃŸ und \ufffd, the", encoding="utf-8")
    (folder / "plan_v2.txt").write_text("Das GerÃ¤t ist groÃŸ und \ufffd, a", encoding="utf-8")
    return folder


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    file = tmp_path / "questions.jsonl"
    file.write_text('{"question": "How long is the warranty?", "answers": ["2 years"]}\n', encoding="utf-8")
    return file


def test_good_data_passes(run: Any) -> None:
    corpus = Path(__file__).parents[4] / "examples" / "corpus"
    result = run(corpus)
    assert result.exit_code == 0, result.output
    assert "good enough to answer from" in result.output
    assert "--questions FILE" in result.output


def test_poor_data_fails_and_says_what_to_do(run: Any, poor: Path, questions: Path) -> None:
    result = run(poor, "--questions", questions)
    assert result.exit_code == 1
    assert "poor [red]" in result.output
    assert "fix the data first" in result.output
    assert "66.7% of the files could not be read" in result.output
    assert "→ decode these files as UTF-8" in result.output
    assert "plan_v1.txt, chars" in result.output


def test_json(run: Any, poor: Path, questions: Path) -> None:
    result = run(poor, "--questions", questions, "--json")
    assert result.exit_code == 1
    shown = json.loads(result.stdout)
    assert set(shown) == {
        "source", "kind", "documents", "unread", "characters", "total", "of", "pass_mark", "passed", "dimensions",
        "sensitive", "sensitive_examples", "override",
    }  # fmt: skip
    assert (shown["documents"], shown["unread"], shown["passed"], shown["override"]) == (2, 4, False, None)
    assert shown["total"] == pytest.approx(sum(each["score"] for each in shown["dimensions"].values()))
    mojibake = next(e for e in shown["dimensions"]["accuracy"]["evidence"] if e["measure"] == "mojibake")
    assert mojibake["lost"] == 5
    assert set(mojibake["examples"][0]) == {"document", "text", "page", "start", "end"}


def test_an_override_is_recorded_and_shown(run: Any, poor: Path, questions: Path) -> None:
    allow = ("--allow-low-quality", "--by", "Ann Berg", "--reason", "pilot only")
    result = run(poor, "--questions", questions, *allow)
    assert result.exit_code == 0, result.output
    assert "let through by Ann Berg: pilot only" in result.output
    shown = json.loads(run(poor, "--questions", questions, *allow, "--json").stdout)
    assert shown["override"]["by"] == "Ann Berg"
    assert not shown["passed"]
    history = json.loads(run("--history", "--json").stdout)
    assert [(each["source"], each["reason"]) for each in history] == [(str(poor), "pilot only")] * 2
    assert history[0]["total"] == shown["total"]
    assert datetime.fromisoformat(history[0]["time"]).tzinfo is not None
    assert "Ann Berg" in run("--history").output


def test_what_passes_needs_no_override(run: Any) -> None:
    corpus = Path(__file__).parents[4] / "examples" / "corpus"
    assert run(corpus, "--allow-low-quality", "--by", "A", "--reason", "B").exit_code == 0
    assert "Nobody has" in run("--history").output


@pytest.mark.parametrize("given", [(), ("--by", "Ann"), ("--reason", "why"), ("--by", " ", "--reason", "why")])
def test_an_override_says_who_and_why(run: Any, poor: Path, given: tuple[str, ...]) -> None:
    result = run(poor, "--allow-low-quality", *given)
    assert isinstance(result.exception, InputError)
    assert "--by NAME" in str(result.exception)


def test_without_a_source(run: Any) -> None:
    assert isinstance(run().exception, InputError)


def test_the_age_limit(run: Any, poor: Path) -> None:
    limit = json.loads(run(poor, "--max-age-days", "3", "--json").stdout)["dimensions"]["timeliness"]["measures"]
    assert limit["max_age_days"] == 3


def test_a_weak_dimension_is_named_though_the_total_suffices(run: Any, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    text = "Größere Zelte dürfen zurückgegeben werden, wenn sie trocken sind. Über Öfen später. " * 60
    (corpus / "a.txt").write_text(text.encode().decode("cp1252", "replace"), encoding="utf-8")
    result = run(corpus)
    assert result.exit_code == 0
    assert "enough in all, but accuracy below 2" in result.output
