"""Without the extra nothing is asked, for nothing could be scored."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from evals import evaluate_retrieval, evaluate_suite
from plumbline.errors import MissingExtraError


@pytest.mark.parametrize("package", ["scipy", "matplotlib", "jinja2"])
def test_a_missing_package_is_noticed_before_anything_is_asked(
    shop: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"'{package}'.*plumbline\[eval\]"):
        evaluate_suite(shop / "suite.yaml", out=shop / "out", home=shop / "home")
    assert not (shop / "out").exists()
    assert not (shop / "home").exists()


def test_search_asks_for_it_too(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy", None)
    (shop / "corpus.jsonl").write_text('{"_id": "n", "text": "Norway"}\n', encoding="utf-8")
    (shop / "queries.jsonl").write_text('{"_id": "1", "text": "Norway"}\n', encoding="utf-8")
    (shop / "qrels.test.tsv").write_text("1\tn\t1\n", encoding="utf-8")
    with pytest.raises(MissingExtraError):
        evaluate_retrieval(shop, home=shop / "home")
    assert not list((shop / "home").glob("evals/kb-*"))
