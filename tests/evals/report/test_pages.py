"""Pages hold everything they need, and what comes from outside stays text."""

from __future__ import annotations

import re
from pathlib import Path

from evals.harness import evaluate_suite
from evals.report.figures import as_svg, new_figure, write_png
from tests.evals.conftest import write_rows

HOSTILE = '<script>alert(1)</script> & "quotes" {{ 7 * 7 }}'


def test_hostile_text_stays_text(shop: Path) -> None:
    write_rows(
        shop / "questions.jsonl",
        [{"id": "<b>id</b>", "question": f"Norway? {HOSTILE}", "answers": ["4 days"], "document": "evil.txt"}],
    )
    (shop / "corpus" / "evil.txt").write_text(f"Parcels to Norway take 4 days. {HOSTILE}", encoding="utf-8")
    output = evaluate_suite(shop / "suite.yaml", out=shop / "out", home=shop / "home")
    page = (Path(output.folder) / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "<b>id" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "{{ 7 * 7 }}" in page
    loads = re.findall(r"""(?:src|href)=["'](?!#)[^"']*|url\((?!#)[^)]*|@import[^;]*""", page)
    assert not loads


def test_figures_become_svg_and_png(tmp_path: Path) -> None:
    figure, axes = new_figure(4, 2)
    axes.plot([0, 1], [0, 1])
    axes.set_xlabel("share <of> all & more")
    svg = as_svg(figure)
    assert svg.startswith("<svg ")
    assert "share &lt;of&gt; all &amp; more" in svg
    assert as_svg(figure) == svg
    assert not re.search(r'<svg[^>]* (?:width|height)="', svg)
    write_png(figure, tmp_path / "f.png")
    assert (tmp_path / "f.png").read_bytes().startswith(b"\x89PNG")


def test_letters_that_the_font_lacks_stay_text_without_a_warning() -> None:
    figure, axes = new_figure(4, 2)
    axes.set_xlabel("雪")
    assert "雪" in as_svg(figure)
