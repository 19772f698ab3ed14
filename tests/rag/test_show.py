"""What reaches the terminal: names as they are, never markup, never control characters."""

from __future__ import annotations

import io
from dataclasses import replace
from decimal import Decimal

import pytest
from rich.console import Console

from rag import show
from rag.types import Answer, Chunk, Citation, Hit
from routing.chat import Usage

EVIL = "kb[/red]\x1b]0;owned\x07\x9b2J.txt"
SEEN = "kb[/red]\ufffd]0;owned\ufffd\ufffd2J.txt"


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=200, highlight=False)


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_hits(console: Console) -> None:
    show.hits(console, [Hit(Chunk("c", EVIL, 0, 0, len(EVIL), EVIL, 3, section=EVIL), EVIL, 1.0)])
    assert printed(console).count(SEEN) == 3
    assert "\x1b" not in printed(console)


def test_an_answer_keeps_its_citation_marks_in_place(console: Console) -> None:
    text = "Red\x1b[31m stays. Blue."
    cited = Citation(EVIL, "d", None, None, 0, 5, 0, text.index(" Blue"), EVIL, "supported")
    answer = Answer(
        "q", text, False, 0.5, (cited,), (), (), Usage(), Decimal(0), {"total": 0.1}, EVIL, "t", degraded=EVIL
    )
    show.answer(console, answer)
    assert "Red\ufffd[31m stays. [1] Blue." in printed(console)
    assert "\x1b" not in printed(console)
    assert "\x1b" not in str(replace(answer, refused=True))
