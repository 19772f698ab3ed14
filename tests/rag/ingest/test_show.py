"""What reaches the terminal: names as they are, never markup, never control characters."""

from __future__ import annotations

import io
from decimal import Decimal

import pytest
from rich.console import Console

from rag.ingest import show
from rag.ingest.report import FileOutcome, IngestReport
from routing.chat import Usage

EVIL = "kb[/red]\x1b]0;owned\x07\x9b2J.txt"
SEEN = "kb[/red]\ufffd]0;owned\ufffd\ufffd2J.txt"


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=200, highlight=False)


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def outcome(name: str, outcome: str, reason: str | None = None) -> FileOutcome:
    return FileOutcome(name, name, outcome, reason=reason)  # type: ignore[arg-type]  # a table of values


def test_skipped_files_are_one_line_per_reason(console: Console) -> None:
    files = [outcome(f"{n}.xyz", "skipped", "the format '.xyz' is not read") for n in range(3)]
    files += [outcome("link", "skipped", "not a regular file"), outcome(EVIL, "failed", "bad [/bold] bytes")]
    show.report(console, IngestReport(tuple(files), 0.1, Usage(), Decimal(0), "t"))
    lines = printed(console).splitlines()
    assert "skipped: 3 × the format '.xyz' is not read" in lines
    assert "skipped: 1 × not a regular file" in lines
    assert any(SEEN in line and "bad [/bold] bytes" in line for line in lines)
    assert not any("0.xyz" in line for line in lines)
