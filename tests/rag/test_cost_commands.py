"""`rag cost` and `rag prices`, as a user types them."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from plumbline.cli import main
from rag.config import open_home
from routing.chat import Tags, Usage
from routing.cost.ledger import LedgerEntry
from routing.cost.price_file import shipped_prices

Run = Callable[..., tuple[int, str, str]]
MINI, SONNET = "openai/gpt-4.1-mini", "anthropic/claude-sonnet-4-5"


@pytest.fixture
def rag(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLUMBLINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("PLUMBLINE_CONFIG", raising=False)

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["rag", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_:
            main()
        out, err = capsys.readouterr()
        return int(exit_.value.code or 0), out, err

    return run


@pytest.fixture
def spent(tmp_path: Path) -> None:
    """Five questions on each of ten days: three to a small model, one to a large, one at an unknown price."""
    home = open_home(tmp_path / "home")
    prices = shipped_prices()
    now = datetime.now(UTC)
    for day in range(1, 11):
        for number, model in enumerate([MINI, MINI, MINI, SONNET, "vllm/qwen"]):
            usage, tags = Usage(2000, 100, 1000), Tags("answer", f"tenant-{number}", key="web")
            at = now - timedelta(days=day)
            trace = f"{day}-{number}"
            home.ledger.record(
                LedgerEntry("chat", model, usage, prices.cost(model, usage), 1.0, trace, "a", tags, None, at),
                LedgerEntry("embedding", "embedded/wordllama", Usage(9), Decimal(0), 0.01, trace, "b", tags, None, at),
            )
    home.close()


# What ten of each cost: 1,000 x 0.4 + 1,000 x 0.1 + 100 x 1.6 = 660, and 3,000 + 300 + 1,500 = 4,800 micro-dollars.
MINIS, SONNETS = Decimal("0.0198"), Decimal("0.048")


@pytest.mark.usefixtures("spent")
def test_the_report_for_people_fits_eighty_columns(rag: Run) -> None:
    code, out, err = rag("cost", "--by", "model", "--reference", SONNET)
    assert (code, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 80
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "openai/gpt-4.1-mini 30 30 60 k 50% 3,000 $0.0198" in lines
    assert "vllm/qwen 10 10 20 k 50% 1,000 unknown" in lines
    assert "total 50 100 100 k 50% 5,000 $0.0678 +" in lines
    text = " ".join(lines)
    assert "vector database – not configured (routing.costs.vector_database)" in text
    assert "0.5 s of this machine: not configured (routing.costs.local_hour)" in text
    assert "10 of 100 calls have no known price: they are in no sum" in text
    assert "routing saved $0.1242 of $0.1440 at anthropic/claude-sonnet-4-5" in text
    assert "by the last 10 days; without 10 calls of unknown price" in text
    assert "model API $0.0678 +" in text


@pytest.mark.usefixtures("spent")
def test_the_report_as_json(rag: Run) -> None:
    settings = ["--set", "routing.costs.local_hour=3.6", "--set", "routing.costs.transfer={per_gb: 0.09, gb: 100}"]
    code, out, _ = rag("cost", "--by", "tenant", "--json", *settings)
    report = json.loads(out)
    assert code == 0
    assert report["lines"][0]["name"] == "tenant-3"
    assert report["total"]["cost"] == float(MINIS + SONNETS)
    assert (report["total"]["unpriced"], report["unpriced_in_queries"], report["queries"]) == (10, 10, 50)
    assert report["cost_per_1000_queries"] == 1.356
    parts = {part["name"]: part["cost"] for part in report["parts"]}
    assert (parts["compute"], parts["model API"], parts["vector database"]) == (0.0005, 0.0678, None)
    assert 2 < parts["transfer"] < 4
    # 30 x 1,000 x (0.4 - 0.1) + 10 x 1,000 x (3 - 0.3) micro-dollars
    assert report["saved_by_caching"]["saved"] == 0.036
    assert report["saved_by_routing"] is None
    assert report["forecast"]["days"] == 10
    assert report["forecast"]["low"] is not None


@pytest.mark.usefixtures("spent")
def test_the_lines_as_csv(rag: Run, tmp_path: Path) -> None:
    code, out, _ = rag("cost", "--by", "model", "--csv", "-")
    rows = {row["model"]: row for row in csv.DictReader(io.StringIO(out))}
    assert code == 0
    assert (rows[MINI]["cost"], rows[SONNET]["cost"], rows["vllm/qwen"]["unpriced"]) == ("0.01980", "0.0480", "10")
    assert rows[MINI]["cached_input_tokens"] == "30000"
    code, out, _ = rag("cost", "--csv", "days.csv")
    assert "total" in out
    assert len((tmp_path / "days.csv").read_text(encoding="utf-8").splitlines()) == 11


@pytest.mark.usefixtures("spent")
def test_some_days_of_one_tenant(rag: Run) -> None:
    day = (datetime.now(UTC) - timedelta(days=3)).date().isoformat()
    _, out, _ = rag("cost", "--since", day, "--until", day, "--tenant", "tenant-0", "--json")
    report = json.loads(out)
    assert (report["since"], report["until"], report["total"]["calls"]) == (day, day, 2)


def test_nothing_spent_is_said(rag: Run) -> None:
    assert rag("cost")[:2] == (0, "No call in this time: there is nothing to report.\n")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["cost", "--by", "tenants"], "--by tenants: there are no such lines. Did you mean 'tenant'?"),
        (["cost", "--since", "last week"], "--since last week: this is not a day. Write it as 2026-11-30."),
        (["cost", "--since", "2026-02-02", "--until", "2026-01-01"], "There is no day from 2026-02-02 until"),
        (["cost", "--reference", "openai/nothing"], "There is no price of openai/nothing"),
        (["cost", "--csv", "no/folder.csv"], "no/folder.csv cannot be written: No such file or directory"),
        (["cost", "--csv", "-", "--json"], "--csv - and --json would both be printed."),
        (["prices", "openai/gpt-4.1-minii"], "There is no price of openai/gpt-4.1-minii"),
        (["prices", "check", "--source", "nowhere.json"], "The prices in nowhere.json cannot be read"),
        (
            ["prices", "--set", "routing.prices={a/b: {inptu: 1}}"],
            "routing.prices.a/b.inptu: 1: there is no such key. Did you mean 'input'?",
        ),
        (["prices", "--set", "routing.prices={a/b: {output: 1}}"], "price of a/b: 'input' is missing"),
    ],
)
def test_what_is_wrong_is_said_with_the_exit_code_of_usage(rag: Run, arguments: list[str], says: str) -> None:
    code, out, err = rag(*arguments)
    assert (code, out) == (2, "")
    assert says in " ".join(err.split())


def test_prices_of_all_and_of_one(rag: Run) -> None:
    code, out, _ = rag("prices")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    assert len(out.splitlines()) > 60
    code, out, _ = rag("prices", "openai/gpt-5.4-2026-03-05")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "tier input cached output" in lines
    assert "batch > 272,000 2.5 0.25 11.25" in lines
    assert "genai-prices 0.2.3" in out
    assert "embedded/wordllama" in rag("prices", "embedded/wordllama")[1]


def test_prices_as_json(rag: Run) -> None:
    _, out, _ = rag("prices", "anthropic/claude-haiku-5*", "--json")
    rows: list[dict[str, Any]] = json.loads(out)
    assert [(row["tier"], row["above"], row["input"], row["cache_write_1h"]) for row in rows] == [
        ("standard", None, 0.1, 0.2),
        ("standard", 100000, 0.5, 1.0),
        ("batch", None, 0.05, 0.1),
        ("batch", 100000, 0.25, 0.5),
    ]


def test_a_check_ends_with_1_when_a_price_differs(rag: Run) -> None:
    code, out, _ = rag("prices", "check")
    assert code == 0
    assert out.startswith("0 of ")
    own = "routing.prices={openai/text-embedding-3-small: {input: 0.03}}"
    code, out, _ = rag("prices", "check", "--set", own)
    assert code == 1
    assert "openai/text-embedding-3-small standard input 0.03 0.02 1.5" in " ".join(out.split())
    code, out, _ = rag("prices", "check", "--set", own, "--json")
    (found,) = json.loads(out)["differences"]
    assert (code, found["ours"], found["theirs"], found["ratio"]) == (1, 0.03, 0.02, 1.5)


def test_no_name_in_a_csv_file_is_a_formula(rag: Run, tmp_path: Path) -> None:
    names = ["=1+2", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "＝1", "a=1", 'a,"b"', "Zürich", ""]
    home = open_home(tmp_path / "home")
    for name in names:
        tags = Tags("answer", name)
        home.ledger.record(LedgerEntry("chat", MINI, Usage(1), Decimal("0.1"), 1.0, name, "a", tags, None))
    home.close()
    code, out, _ = rag("cost", "--by", "tenant", "--csv", "-")
    assert code == 0
    told = {row["tenant"] for row in csv.DictReader(io.StringIO(out, newline=""))}
    assert told == {*(f"'{name}" for name in names[:7]), *names[7:]}


def test_what_no_tenant_can_be_called_is_a_clear_error(rag: Run) -> None:
    code, _, err = rag("cost", "--tenant", "caf\udce9")
    assert code == 2
    assert "is not a name" in err
