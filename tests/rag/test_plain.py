"""How answers and reports read as plain text."""

from __future__ import annotations

from decimal import Decimal

import pytest

from rag.ingest.report import FileOutcome, IngestReport
from rag.plain import money, place, plain_answer, plain_report, seconds, short, unwrapped
from rag.types import Answer, Citation
from routing.chat import Usage

CITATION = Citation("handbook.pdf", "d1", 3, "Returns", 10, 20, 0, 8, "30  days\nonly", "supported")


def answer(**changes: object) -> Answer:
    values: dict[str, object] = {
        "question": "How long?", "text": "30 days.", "refused": False, "confidence": 0.834, "citations": (CITATION,),
        "claims": (), "hits": (), "usage": Usage(), "cost": Decimal("0.00012"), "timings": {"total": 0.0123},
        "model": "openai/x", "trace_id": "t",
    }  # fmt: skip
    return Answer(**{**values, **changes})  # type: ignore[arg-type]  # a table of values


def test_an_answer_shows_evidence_confidence_and_price() -> None:
    assert str(answer()).splitlines() == [
        "30 days.",
        "  [1] handbook.pdf · page 3 · Returns: '30 days only' (supported)",
        "  confidence 0.83 (not calibrated) · openai/x · $0.000120 · 12 ms",
    ]


def test_an_unknown_price_and_a_fallback_are_said() -> None:
    shown = plain_answer(answer(cost=None, degraded="x could not be reached."))
    assert "price unknown" in shown
    assert "note: x could not be reached." in shown


def test_a_report_names_what_failed_and_why() -> None:
    files = (
        FileOutcome("/d/a.pdf", "a.pdf", "added", pages=2, chunks=3, notes=("1 of 2 pages hold no text (scanned?)",)),
        FileOutcome("/d/b.pdf", "b.pdf", "failed", reason="it is empty (zero bytes)."),
    )
    report = IngestReport(files, 1.5, Usage(), Decimal(0), "t")
    assert plain_report(report).splitlines() == [
        "1 added, 1 failed; 2 pages, 3 chunks; 1.5 s, $0.00",
        "  failed: b.pdf: it is empty (zero bytes).",
        "  note: a.pdf: 1 of 2 pages hold no text (scanned?)",
    ]
    assert str(IngestReport((), 0.1, Usage(), None, "t")) == "nothing to do; 100 ms, price unknown"


def test_skipped_files_do_not_flood_a_report() -> None:
    files = tuple(FileOutcome(f"/d/{n}.x", f"{n}.x", "skipped", reason="not read") for n in range(1200))
    lines = plain_report(IngestReport(files, 1.5, Usage(), Decimal(0), "t")).splitlines()
    assert lines[1:] == ["  skipped: 1,200 × not read"]


def test_nothing_from_a_document_steers_the_terminal() -> None:
    hostile = "a\x1b[2Jb\x9bc\x7f\r\ud800\td"
    assert unwrapped(hostile) == "a\ufffd[2Jb\ufffdc\ufffd \ufffd\td"
    assert "\x1b" not in plain_answer(answer(text=hostile, degraded=hostile))


@pytest.mark.parametrize(
    ("cost", "shown"),
    [
        (None, "price unknown"),
        (Decimal(0), "$0.00"),
        (Decimal("12.345"), "$12.34"),
        (Decimal("0.0000021"), "$0.000002"),
    ],
)
def test_money(cost: Decimal | None, shown: str) -> None:
    assert money(cost) == shown


def test_small_pieces() -> None:
    assert (seconds(0.0004), seconds(0.25), seconds(61)) == ("0 ms", "250 ms", "61.0 s")
    assert place("a.csv", None, None) == "a.csv"
    assert short("a  b\n" * 10, 6) == "a b a…"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("one\ntwo", "one two"),
        ("one\n\ntwo", "one\n\ntwo"),
        ("list:\n- a\n- b", "list:\n- a\n- b"),
        ("steps:\n1. a\n2) b", "steps:\n1. a\n2) b"),
        ("| a |\n| b |", "| a |\n| b |"),
    ],
)
def test_wrapped_prose_is_unwrapped_and_structure_kept(text: str, shown: str) -> None:
    assert unwrapped(text) == shown
    assert len(unwrapped(text)) == len(text)
