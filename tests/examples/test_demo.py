"""The demo answers what the documents hold, with page and section, and refuses what they do not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from examples import demo
from rag import RAG


def test_demo_prints_answers_evidence_and_what_comes_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["demo", "--kb", str(tmp_path / "kb")])
    monkeypatch.setenv("COLUMNS", "200")
    demo.main()
    demo.main()  # once more: nothing to read again
    first, second = capsys.readouterr().out.split("What to do next")[:2]
    assert "6 added; 11 pages" in first
    assert "annual-review-2025.pdf · page 4" in first
    assert "6 unchanged" in second
    for expected in ("confidence", "tokens in", "$0.00", "retrieve", "trace"):
        assert expected in first


def test_demo_questions(tmp_path: Path) -> None:
    with RAG.open(tmp_path / "kb", home=tmp_path / "home") as kb:
        kb.ingest(demo.CORPUS)
        solar, delivery, auditor = (kb.ask(question) for question in demo.QUESTIONS)
    assert "8 August 2025" in " ".join(solar.text.split())
    assert ("annual-review-2025.pdf", 4) in [(citation.document, citation.page) for citation in solar.citations]
    assert "£14.00" in delivery.text
    assert delivery.citations[0].section == "Delivery and collection > European Union, Norway and Switzerland"
    assert auditor.refused
    assert auditor.citations == ()
