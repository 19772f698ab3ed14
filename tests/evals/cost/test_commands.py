from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from evals.cost.commands import register
from plumbline import cli

Rag = Callable[..., tuple[int, str, str]]


@pytest.fixture
def rag(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Rag:
    """Runs `rag bench cost …` in the folder of documents; gives exit code, output, errors."""

    def build() -> typer.Typer:
        app = typer.Typer(pretty_exceptions_enable=False)
        register(app)
        return app

    monkeypatch.setattr(cli, "build_app", build)
    monkeypatch.setenv("COLUMNS", "150")
    monkeypatch.chdir(folder)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["rag", *arguments])
        code = 0
        try:
            cli.main()
        except SystemExit as stopped:
            code = int(stopped.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return run


OWN = ("bench", "cost", "--log", "questions.jsonl", "--docs", "docs", "--out", "out")


def test_without_arguments_the_sample_is_asked(rag: Rag) -> None:
    code, out, _ = rag("bench", "cost", "--queries", "4")
    assert code == 0
    for word in ("extractive", "small †", "large †", "generate", "prompt caching", "not measured", "assumed"):
        assert word in out
    assert {path.name for path in Path("bench-cost").iterdir()} == {
        *("cost.json", "cost.csv", "cost.png", "cost.html", "rows.jsonl", "work")
    }


def test_a_log_and_documents_of_ones_own(rag: Rag) -> None:
    code, out, err = rag(*OWN, "--config", "default", "--config", "simulated/gpt-4o", "--json")
    assert (code, err) == (0, "")
    result = json.loads(out)
    assert [config["config"] for config in result["configs"]] == ["default", "gpt-4o"]
    assert [config["simulated"] for config in result["configs"]] == [False, True]
    assert result["workload"]["done"] == 4
    assert result == json.loads(Path("out/cost.json").read_text("utf-8"))
    again = json.loads(rag(*OWN, "--config", "default", "--config", "simulated/gpt-4o", "--json")[1])
    assert again == result


def test_a_suite_file_under_flags(rag: Rag) -> None:
    Path("own.yaml").write_text("extends: default\nretrieval: {top_n: 1}\n", "utf-8")
    Path("suite.yaml").write_text(
        "name: ours\ndocs: docs\nlog: questions.jsonl\nseed: 4\n"
        "configs:\n  one: {config: own.yaml}\n  three: {settings: {retrieval.top_n: 3}}\n",
        "utf-8",
    )
    code, out, _ = rag("bench", "cost", "--suite", "suite.yaml", "--queries", "2", "--out", "out", "--json")
    assert code == 0
    result = json.loads(out)
    assert (result["name"], result["workload"]["planned"]) == ("ours", 2)
    assert [config["config"] for config in result["configs"]] == ["one", "three"]
    code, _, err = rag("bench", "cost", "--suite", "suite.yaml", "--out", "out")
    assert (code, "workload differs" in " ".join(err.split())) == (2, True)
    assert rag("bench", "cost", "--suite", "suite.yaml", "--out", "out", "--afresh")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--log", "questions.jsonl"), "say with docs which documents"),
        (("--docs", "docs"), "say with log (or questions) what to ask"),
        (("--log", "no.jsonl", "--docs", "docs"), "There is no file"),
        (("--budget", "much"), "--budget much: this is no amount of dollars"),
        (("--config", "simulated/gpt4o"), "Did you mean 'gpt-4o'?"),
        (("--config", "default", "--config", "default"), "two configurations called 'default'"),
        (("--config", "openai", "--budget", "0.001"), "one call of openai/"),
        (("--suite", "no.yaml"), "There is no file no.yaml"),
        (("--suite", "wrong.yaml"), "wrong.yaml:2: querys: 3: there is no such key. Did you mean 'queries'?"),
        (("--suite", "empty.yaml"), "empty.jsonl holds no question"),
    ],
)
def test_bad_input_is_an_error_that_names_it(rag: Rag, arguments: tuple[str, ...], message: str) -> None:
    Path("wrong.yaml").write_text("name: x\nquerys: 3\n", "utf-8")
    Path("empty.yaml").write_text("docs: docs\nquestions: empty.jsonl\n", "utf-8")
    Path("empty.jsonl").write_text("\n", "utf-8")
    code, out, err = rag("bench", "cost", *arguments)
    assert (code, out) == (2, "")
    assert message in " ".join(err.split())
    assert not Path("bench-cost").exists()


def test_an_interrupted_run_says_how_to_go_on(rag: Rag, monkeypatch: pytest.MonkeyPatch) -> None:
    from evals.cost.lane import Lane

    async def interrupt(self: Lane, query: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Lane, "ask", interrupt)
    code, out, err = rag(*OWN, "--config", "default")
    assert (code, out) == (130, "")
    assert "run the same command again" in err
