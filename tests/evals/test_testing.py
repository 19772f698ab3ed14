"""`assert_eval` passes where answers are good enough and says by how much they are not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from evals import assert_eval
from plumbline.errors import InputError
from rag import RAG


@pytest.fixture
def kb(shop: Path) -> Iterator[RAG]:
    with RAG.open(shop / "kb", home=shop / "home", environ={}) as base:
        base.ingest(shop / "corpus")
        yield base


def test_a_knowledge_base(shop: Path, kb: RAG) -> None:
    assert_eval(kb, shop / "questions.jsonl", at_least={"correct": 0.9}, at_most={"cost": 0.0})
    with pytest.raises(AssertionError, match=r"kb: correct is 1.000 \[.*\], should be at least 1.1 \(4 questions"):
        assert_eval(kb, shop / "questions.jsonl", at_least={"correct": 1.1})
    with pytest.raises(AssertionError, match="should be at most 1e-09"):
        assert_eval(kb, shop / "questions.jsonl", at_most={"latency": 1e-9})


def test_to_be_sure_takes_the_interval(shop: Path, kb: RAG) -> None:
    with pytest.raises(AssertionError, match=r"correct is 1\.000"):
        assert_eval(kb, shop / "questions.jsonl", at_least={"correct": 0.9}, sure=True)


def test_a_metric_that_applies_to_nothing_is_no_success(shop: Path, kb: RAG) -> None:
    with pytest.raises(AssertionError, match="page_hit@1 applies to no question"):
        assert_eval(kb, shop / "questions.jsonl", at_least={"page_hit@1": 0.0})


def test_a_suite(shop: Path) -> None:
    assert_eval(shop / "suite.yaml", at_least={"correct": 0.9}, out=shop / "out", home=shop / "home")
    with pytest.raises(InputError, match="does not measure mrr"):
        assert_eval(shop / "suite.yaml", at_least={"mrr": 0.9}, out=shop / "out", home=shop / "home")


def test_bounds_are_needed(kb: RAG) -> None:
    with pytest.raises(InputError, match="needs data, and bounds"):
        assert_eval(kb)
