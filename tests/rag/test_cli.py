"""The command `rag`: output for people and for machines, exit codes, interruption."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from plumbline.cli import build_app, exit_code, main
from plumbline.errors import ConfigError, InputError, MissingExtraError, PlumblineError, StorageError
from rag.errors import KnowledgeBaseMismatchError
from routing.errors import AuthenticationError

FILES_TO_INTERRUPT = 3000


class Shell:
    """Runs `rag` in this process."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self._capsys = capsys
        self._monkeypatch = monkeypatch

    def __call__(self, *arguments: object) -> tuple[int, str, str]:
        self._monkeypatch.setattr(sys, "argv", ["rag", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_:
            main()
        out, err = self._capsys.readouterr()
        return int(exit_.value.code or 0), out, err

    def json(self, *arguments: object) -> Any:
        code, out, err = self(*arguments, "--json")
        assert code == 0, err
        return json.loads(out)


@pytest.fixture
def rag(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLUMBLINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "120")
    for variable in ("PLUMBLINE_KB", "PLUMBLINE_CONFIG", "OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(variable, raising=False)
    return Shell(tmp_path, capsys, monkeypatch)


def test_one_command_from_folder_to_answer(rag: Shell, docs: Path) -> None:
    code, out, err = rag("ask", "How many days does a parcel to Iceland take?", "--docs", docs)
    assert code == 0
    assert "9 days" in out
    assert "more/shipping 🙂.md · Shipping" in out
    assert "supported" in out
    assert "not calibrated" in out
    assert "$0.00" in out
    assert "3 added" in err
    code, out, err = rag("ask", "How many days does a parcel to Iceland take?", "--docs", docs)
    assert (code, err) == (0, ""), "a second run has nothing to say about the documents"
    assert (rag.folder / "kb" / "knowledge.db").exists()


def test_ask_as_json(rag: Shell, docs: Path) -> None:
    answer = rag.json("ask", "How many days does a parcel to Iceland take?", "--docs", docs)
    assert set(answer) == {
        "question", "text", "refused", "confidence", "calibrated", "citations", "usage", "cost", "timings", "model",
        "cached", "degraded", "note", "trace_id",
    }  # fmt: skip
    assert answer["refused"] is False
    assert answer["calibrated"] is False
    assert answer["cost"] == 0
    assert answer["model"] == "extractive/default"
    assert len(answer["trace_id"]) == 32
    citation = answer["citations"][0]
    assert set(citation) == {
        "document", "document_id", "page", "section", "start", "end", "answer_start", "answer_end", "quote", "verdict",
    }  # fmt: skip
    assert answer["text"][citation["answer_start"] : citation["answer_end"]] == citation["quote"]
    text = (docs / citation["document"]).read_text(encoding="utf-8")
    assert text[citation["start"] : citation["end"]] == citation["quote"]


def test_search_as_json(rag: Shell, docs: Path) -> None:
    rag("ingest", docs)
    hits = rag.json("search", "gift cards", "--top-k", 2)
    assert len(hits) == 2
    assert set(hits[0]) == {"document", "document_id", "page", "section", "start", "end", "text", "score"}
    assert hits[0]["document"] == "returns.md"
    assert hits[0]["text"] == (docs / "returns.md").read_text(encoding="utf-8")[hits[0]["start"] : hits[0]["end"]]
    assert hits[0]["score"] >= hits[1]["score"]


def test_ingest_for_people_and_as_json(rag: Shell, docs: Path) -> None:
    (docs / "empty.txt").write_bytes(b"")
    code, out, _ = rag("ingest", docs)
    assert code == 5
    assert "returns.md" in out
    assert "zero bytes" in out
    assert "3 added, 1 failed" in out
    code, out, _ = rag("ingest", docs, "--json")
    report = json.loads(out)
    assert code == 5
    assert report["counts"] == {"added": 0, "updated": 0, "unchanged": 3, "removed": 0, "failed": 1, "skipped": 0}
    (failed,) = [file for file in report["files"] if file["outcome"] == "failed"]
    assert failed["document"] == "empty.txt"
    assert failed["reason"]


def test_watching_goes_with_nothing_that_is_done_once(rag: Shell, docs: Path) -> None:
    code, _, err = rag("ingest", docs, "--watch", "--dry-run", "--rehash")
    assert (code, "--watch does not go with --dry-run and --rehash." in err) == (2, True)
    assert not (rag.folder / "kb").exists()


def test_an_export_is_the_same_bytes_wherever_it_goes(rag: Shell, docs: Path) -> None:
    ingested = subprocess.run([sys.executable, "-m", "plumbline.cli", "ingest", docs], check=False)
    assert ingested.returncode == 0
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "plumbline.cli", "export"]
    piped = subprocess.run(command, env=environment, capture_output=True, check=True).stdout
    subprocess.run([*command, "all.jsonl"], env=environment, check=True)
    assert piped == (rag.folder / "all.jsonl").read_bytes()
    assert "🙂" in piped.decode()


def test_an_export_that_cannot_be_written(rag: Shell, docs: Path) -> None:
    rag("ingest", docs)
    code, _, err = rag("export", "nowhere/all.jsonl")
    assert (code, "Cannot write to 'nowhere/all.jsonl'" in err) == (2, True)
    if Path("/dev/full").exists():
        code, _, err = rag("export", "/dev/full")
        assert (code, "Cannot write to '/dev/full': No space left on device." in err) == (3, True)


def test_a_folder_that_is_gone_keeps_its_documents_until_that_is_confirmed(rag: Shell, docs: Path) -> None:
    rag("ingest", docs)
    docs.rename(docs.with_name("elsewhere"))
    code, _, err = rag("ingest", docs)
    assert code == 2
    assert "--allow-empty" in err
    assert len(rag.json("status")["documents"]) == 3
    code, out, _ = rag("ingest", docs, "--allow-empty")
    assert code == 0
    assert "3 removed" in out


def test_status_and_trace(rag: Shell, docs: Path) -> None:
    answer = rag.json("ask", "Are gift cards returned?", "--docs", docs)
    state = rag.json("status")
    assert [d["document"] for d in state["documents"]] == ["more/shipping 🙂.md", "returns.md", "shops.csv"]
    assert state["rerank"] == "none"
    assert state["built_with"]["embedder"] == "embedded/wordllama"
    assert state["store"] == "embedded"
    code, out, _ = rag("status")
    assert code == 0
    assert "rerank" in out
    assert "3 (0 pages" in out
    code, out, _ = rag("trace", answer["trace_id"][:10])
    assert code == 0
    for part in ("ask", "retrieve", "chat extractive/default", "ledger", "$0.00", "question: Are gift cards returned?"):
        assert part in out, f"{part} is missing in:\n{out}"
    trace = rag.json("trace", answer["trace_id"])
    assert trace["trace_id"] == answer["trace_id"]
    assert trace["cost"] == 0
    assert [call["kind"] for call in trace["calls"]] == ["embedding", "chat"]
    assert trace["spans"][0]["name"] == "ask"
    assert {span["depth"] for span in trace["spans"]} == {0, 1, 2}
    assert rag("trace")[0] == 0
    assert rag("trace", "feed")[0] == 2


def test_status_shows_the_labels_in_use(rag: Shell, docs: Path) -> None:
    rag("ingest", docs / "returns.md")
    assert rag.json("status")["labels"] == []
    rag("ingest", docs / "shops.csv", "--tenant", "acme", "--label", "year=2024")
    rag("ingest", docs / "more", "--tenant", "acme", "--group", "staff", "--group", "board")
    assert rag.json("status")["labels"] == [
        {"name": "groups", "sources": 1, "values": 2},
        {"name": "tenant", "sources": 2, "values": 1},
        {"name": "year", "sources": 1, "values": 1},
    ]
    _, out, _ = rag("status")
    assert "groups: 2 values, said of 1 source\n" in re.sub(" +", " ", out).replace(" \n", "\n")


def test_names_are_never_markup(rag: Shell, docs: Path) -> None:
    assert rag("ingest", docs, "--kb", "kb[/red]x")[0] == 0
    code, out, _ = rag("status", "--kb", "kb[/red]x")
    assert code == 0
    assert "kb[/red]x" in out


def test_a_terminal_that_lacks_a_character(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd()), "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "plumbline.cli", "status", "--kb", str(tmp_path / "malmö 🙂"), "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert json.loads(done.stderr)["error"]["message"].endswith("malm? ?.")


def test_search_for_people(rag: Shell, docs: Path) -> None:
    rag("ingest", docs)
    code, out, _ = rag("search", "gift cards")
    assert code == 0
    assert "returns.md · Returns policy" in out
    assert "words #1" in out


@pytest.mark.parametrize("command", [("ask", "x"), ("search", "x"), ("status",)])
def test_without_a_knowledge_base(rag: Shell, command: tuple[str, ...]) -> None:
    code, out, err = rag(*command)
    assert (code, out) == (2, "")
    assert "There is no knowledge base in kb" in err
    assert "rag ingest FOLDER" in err
    assert not (rag.folder / "kb").exists()


def test_errors_as_json(rag: Shell) -> None:
    code, out, err = rag("ask", "x", "--json")
    assert (code, out) == (2, "")
    assert json.loads(err)["error"]["type"] == "InputError"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["ask", "", "--docs", "docs"], 2, "question is empty"),
        (["ask", "x" * 100_000, "--docs", "docs"], 2, "100,000 characters"),
        (["ask", "x", "--docs", "nowhere"], 2, "no file or folder"),
        (["ask", "x", "--docs", "docs", "--set", "retrieval.topk=4"], 2, "Did you mean 'top_k'"),
        (["ask", "x", "--docs", "docs", "--set", "retrieval"], 2, "KEY=VALUE"),
        (["ask", "x", "--docs", "docs", "--set", "=3"], 2, "--set =3: this is not of the form KEY=VALUE"),
        (["ask", "x", "--docs", "docs", "--set", "retrieval.top_n=50"], 2, "argument: retrieval: top_n (50) is larger"),
        (["ask", "x", "--docs", "docs", "--set", "a=["], 2, "--set a=[: the value is not YAML"),
        (["ask", "x", "--docs", "docs", "--config", "opneai"], 2, "Did you mean 'openai'"),
        (["ask", "x", "--docs", "docs", "--model", "opneai/gpt-5"], 2, "Did you mean 'openai/gpt-5'"),
        (["ask", "x", "--docs", "docs", "--model", "openai/gpt-5"], 4, "OPENAI_API_KEY"),
        (["ask", "x", "--docs", "docs", "--model", "anthropic/claude-sonnet-5"], 4, "ANTHROPIC_API_KEY"),
    ],
)
def test_mistakes(rag: Shell, docs: Path, arguments: list[str], code: int, message: str) -> None:
    found, _, err = rag(*arguments)
    assert found == code, err
    assert message in " ".join(err.split())


def test_what_a_search_could_not_do_is_said_beside_its_hits(rag: Shell, docs: Path) -> None:
    pytest.importorskip("openai")
    rag("ingest", docs)
    gone = ["retrieval.rerank.model=vllm/gone@http://127.0.0.1:9", "routing.retry.attempts=1"]
    settings = [part for each in gone for part in ("--set", each)]
    code, out, err = rag("search", "gift cards", *settings)
    assert code == 0
    assert "chars" in out
    assert "Not reranked: The vLLM server" in " ".join(err.split())
    assert rag.json("search", "gift cards", *settings)
    assert rag("search", "gift cards") == (0, out, "")


def test_a_filter_that_holds_nowhere_is_shown(rag: Shell, docs: Path) -> None:
    rag("ingest", docs)
    code, out, err = rag("search", "gift cards", "--where", "type = pdf")
    assert (code, out.strip()) == (0, "Nothing found.")
    assert err == "No chunk matches media_type = 'pdf'. See docs/filters.md.\n"
    code, out, err = rag("search", '"no such words"', "--where", "type = text/markdown")
    assert (code, out.strip()) == (0, "Nothing found.")
    assert "Searched within media_type = 'text/markdown'" in err, "some chunks match the filter"
    explained = rag.json("search", "gift cards", "--where", "type = pdf", "--explain")
    assert (explained["hits"], explained["notes"]) == ([], ["No chunk matches media_type = 'pdf'."])


def test_a_question_within_a_filter_that_holds_nowhere_is_refused_and_says_so(rag: Shell, docs: Path) -> None:
    rag("ingest", docs)
    asked = ("ask", "How long is the refund window?", "--where")
    code, out, err = rag(*asked, "type = pdf")
    assert (code, err) == (0, "")
    assert "No chunk matches media_type = 'pdf'." in out
    answer = rag.json(*asked, "type = pdf")
    assert (answer["refused"], answer["note"]) == (True, "No chunk matches media_type = 'pdf'.")
    assert rag.json(*asked, "type = text/markdown")["note"] is None


def test_an_explained_search_names_no_reranker_where_there_is_none(rag: Shell, docs: Path) -> None:
    rag("ingest", docs)
    code, out, err = rag("search", "gift cards", "--explain", "--set", "retrieval.rerank.diversity=0.5")
    assert code == 0, err
    assert "fusion: weighted" in out
    assert "reranker" not in out


def test_a_model_that_cannot_be_reached(rag: Shell, docs: Path) -> None:
    pytest.importorskip("openai")
    model = "vllm/nothing@http://127.0.0.1:9"
    quick = ["--set", "routing.retry.attempts=1"]
    code, out, err = rag("ask", "Are gift cards returned?", "--docs", docs, "--model", model, *quick)
    assert code == 0, err
    assert "extractive/default" in out
    assert "127.0.0.1:9" in " ".join(out.split())
    code, _, err = rag("ask", "Are gift cards returned?", "--model", model, *quick, "--set", "routing.fallback=none")
    assert code == 4
    assert "127.0.0.1:9" in err


def test_help_and_version(rag: Shell) -> None:
    code, out, _ = rag("--help")
    assert code == 0
    for command in ("ask", "ingest", "search", "status", "trace"):
        assert command in out
    code, out, _ = rag("--version")
    assert code == 0
    assert out.startswith("plumbline ")
    assert rag("unknown")[0] == 2


def test_building_the_command_line_imports_nothing_heavy() -> None:
    script = (
        "import sys; from plumbline.cli import build_app; build_app();"
        "heavy = ('numpy', 'sqlalchemy', 'pydantic', 'kreuzberg', 'openai', 'opentelemetry');"
        "print([m for m in heavy if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PlumblineError("x"), 1),
        (ConfigError("x"), 2),
        (InputError("x"), 2),
        (MissingExtraError("openai", "openai"), 2),
        (StorageError("x"), 3),
        (KnowledgeBaseMismatchError("x"), 3),
        (AuthenticationError("x", model="m"), 4),
    ],
)
def test_exit_codes(error: PlumblineError, code: int) -> None:
    assert exit_code(error) == code


def test_commands_are_registered_once() -> None:
    names = [command.callback.__name__ for command in build_app().registered_commands if command.callback]
    assert len(names) == len(set(names))


def _interruptible() -> None:
    """What is to be interrupted hears of it, as background jobs of some shells do not, and never outruns us."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.nice(10)


def test_ctrl_c_in_the_middle_of_an_ingestion(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    for number in range(FILES_TO_INTERRUPT):
        (docs / f"note-{number:04}.md").write_text(f"# Note {number}\n\n" + f"Fact {number} is true. " * 100, "utf-8")
    environment = {**os.environ, "PLUMBLINE_HOME": str(tmp_path / "home"), "PYTHONPATH": str(Path.cwd())}
    command = [sys.executable, "-m", "plumbline.cli", "ingest", str(docs), "--kb", str(tmp_path / "kb")]
    process = subprocess.Popen(
        command,
        env=environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=_interruptible,
    )
    database = tmp_path / "kb" / "knowledge.db"
    waited = time.monotonic() + 60
    while _documents(database) < 3 and time.monotonic() < waited:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "run the same command again" in err
    assert "Traceback" not in err
    stored = _documents(database)
    assert 3 <= stored < FILES_TO_INTERRUPT
    again = subprocess.run([*command, "--json"], env=environment, capture_output=True, text=True, check=True)
    counts = json.loads(again.stdout)["counts"]
    assert counts["added"] + counts["unchanged"] + counts["updated"] == FILES_TO_INTERRUPT
    assert counts["unchanged"] >= stored - 1
    assert _documents(database) == FILES_TO_INTERRUPT


def _documents(database: Path) -> int:
    import sqlite3

    try:
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
            return int(connection.execute("SELECT count(*) FROM documents").fetchone()[0])
    except sqlite3.Error:
        return 0


def test_status_shows_how_budgets_stand(rag: Shell, docs: Path, tmp_path: Path) -> None:
    config = tmp_path / "budgets.yaml"
    config.write_text("routing:\n  budgets: [{name: everything, period: total, limit: 12.5}]\n")
    rag("ingest", docs / "returns.md", "--config", config)
    state = rag.json("status", "--config", config)
    (budget,) = state["budgets"]
    assert (budget["name"], budget["limit"], budget["spent"], budget["soft_reached"]) == ("everything", 12.5, 0, False)
    assert state["left_alone"] == []
    code, out, _ = rag("status", "--config", config)
    assert code == 0
    assert "everything" in out
    assert "$0.00 of $12.50" in out
