"""What reaches the terminal: names as they are, never markup, never control characters."""

from __future__ import annotations

import io
import re
from decimal import Decimal

import pytest
from rich.console import Console

from rag.ingest import show
from rag.ingest.report import FileOutcome, IngestReport, Progress
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


def test_a_report_is_read_at_80_columns() -> None:
    console = Console(file=io.StringIO(), width=80, highlight=False)
    reason = "none of its 12 pages holds text, as if scanned. For OCR set 'loading.ocr: true'."
    files = [
        FileOutcome("a", "a-very-long-name-of-a-report-2024.md", "added", 1, 0, 3, 3, 4000, 900, 0.25),
        FileOutcome("z", "scan.pdf", "failed", reason=reason),
        FileOutcome("m", "mail.eml", "updated", 2, 0, 1, 1, 50, notes=("photo.png: the format '.png' is not read",)),
    ]
    show.report(console, IngestReport(tuple(files), 0.1, Usage(), Decimal(0), "t"))
    lines = [line.rstrip() for line in printed(console).splitlines()]
    assert lines[0].startswith("failed scan.pdf: none of its 12 pages holds text")
    (heading,) = [line for line in lines if line.startswith("file ")]
    assert heading.split() == ["file", "outcome", "chunks", "characters", "seconds"]
    row = ["a-very-long-name-of-a-report-2024.md", "added", "3", "4,000", "0.25"]
    assert row in [line.split() for line in lines]
    assert "note mail.eml: photo.png: the format '.png' is not read" in lines


def test_vectors_used_again_are_seen(console: Console) -> None:
    again = FileOutcome("a", "a.md", "updated", 1, 0, 3, 1, 4000, 900, 0.25)
    show.report(console, IngestReport((again,), 0.1, Usage(), Decimal(0), "t"))
    heading, row, _ = (line.split() for line in printed(console).splitlines())
    assert heading == ["file", "outcome", "chunks", "embedded", "characters", "seconds"]
    assert row == ["a.md", "updated", "3", "1", "4,000", "0.25"]


def test_progress_is_one_line_of_80_columns() -> None:
    console = Console(file=io.StringIO(), width=80, highlight=False, force_terminal=True, color_system=None)
    last = outcome("a-folder/with-a-name-that-is-much-too-long-for-what-is-left-of-the-line.pdf", "added")
    with show.progress_bar(console) as advance:
        advance(Progress(12_345, 99_999, last, pages=1_739, chunks=36_410, tokens=4_500_000, seconds=100.0))
    frames = [frame for frame in re.split(r"[\r\n]", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", printed(console))) if frame]
    shown = [frame for frame in frames if "12,345/99,999 files" in frame]
    assert shown
    assert all(len(frame) <= 80 for frame in frames)
    assert all("1,739 pages · 36k chunks · 45k tokens/s" in frame for frame in shown)
    assert not any("too-long" in frame for frame in frames), "what does not fit is cut, not wrapped"
