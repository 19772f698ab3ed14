from __future__ import annotations

from pathlib import Path

import pytest

from evals.formats.cranfield import DOCUMENTS, QRELS, QUERIES
from evals.formats.judged_folder import load_judged
from plumbline.errors import InputError
from rag.types import Section

RECORDS = """.I 1
.T
wings in a
slipstream .
.A
brown, m.
.W
wings in a
slipstream .
  a study of a wing was
made .
.I 2
.T
.A
.B
.W
shear flow past a plate .
.I 3
.T
heat
.W
.I 4
.T
.W
"""


@pytest.fixture
def cranfield(tmp_path: Path) -> Path:
    (tmp_path / DOCUMENTS).write_text(RECORDS, encoding="utf-8")
    (tmp_path / QUERIES).write_text(".I 001\n.W\nwhat of\nwings .\n.I 007\n.W\nheat .\n", encoding="utf-8")
    (tmp_path / QRELS).write_text("1 0 1 3\n1 0 2 1\n2 0 3 4\n2 0 4 1\n", encoding="utf-8")
    return tmp_path


def test_cranfield(cranfield: Path) -> None:
    dataset, corpus = load_judged(cranfield)
    assert [document.name for document in corpus.documents] == ["1", "2", "3", "4"]
    first, second, third, void = corpus.documents
    assert void.text == ""
    assert (first.text, first.metadata) == ("a study of a wing was made .", {"title": "wings in a slipstream"})
    assert first.sections == (Section(("wings in a slipstream",), 0, len(first.text)),)
    assert (second.text, second.metadata, third.text) == ("shear flow past a plate .", {}, "heat")
    wings, heat = dataset.examples
    assert (wings.id, wings.question, wings.grades) == ("1", "what of wings .", {"1": 3, "2": 1})
    assert (heat.id, heat.documents) == ("2", ("3", "4"))  # qrels count queries by place


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1 0 1", f"{QRELS}:1: '1 0 1' is not of the form"),
        ("3 0 1 2", f"{QRELS}:1: there is no query 3"),
        ("1 0 9 2", "judge the document '9', which is not in the corpus"),
    ],
)
def test_mistakes(cranfield: Path, line: str, message: str) -> None:
    (cranfield / QRELS).write_text(line, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        load_judged(cranfield)


def test_there_are_no_splits(cranfield: Path) -> None:
    with pytest.raises(InputError, match=r"no splits. Leave out --split"):
        load_judged(cranfield, "train")
