"""Labelled questions from JSONL: what each key means, and what every mistake is called."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evals.dataset import GoldSpan
from evals.rows import load_dataset
from plumbline.errors import InputError


def test_everything_a_line_can_say(jsonl: Callable[..., Path]) -> None:
    row = {
        "id": 7,
        "question": "How long?",
        "answers": ["30 days", "a month"],
        "document": "a.pdf",
        "page": 2,
        "pages": [["b.pdf", 3]],
        "spans": [{"start": 1, "end": 4}, {"document": "c.txt", "quote": "thirty days", "page": 1}],
        "group": "returns",
        "tags": {"language": "en", "year": 2026},
    }
    (example,) = load_dataset(jsonl(row)).examples
    assert (example.id, example.answers, example.answerable) == ("7", ("30 days", "a month"), True)
    assert example.spans == (GoldSpan("a.pdf", 1, 4), GoldSpan("c.txt", -1, -1, 1, "thirty days"))
    assert example.documents == ("a.pdf", "b.pdf", "c.txt")
    assert example.pages == (("b.pdf", 3), ("a.pdf", 2))
    assert (example.cluster, example.tags) == ("returns", {"language": "en", "year": "2026"})


def test_answerable_follows_from_the_answers_unless_it_is_said(jsonl: Callable[..., Path]) -> None:
    rows = [
        {"question": "a", "answers": ["x"]},
        {"question": "b", "answers": []},
        {"question": "c"},
        {"question": "d", "answerable": False},
        {"question": "e", "answerable": True},
    ]
    dataset = load_dataset(jsonl(*rows))
    assert [example.answerable for example in dataset.examples] == [True, False, None, False, True]
    assert [example.id for example in dataset.examples] == ["1", "2", "3", "4", "5"]


def test_blank_lines_and_gzip(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"question": "a"}\n\n{"question": "b"}\n'))
    dataset = load_dataset(path)
    assert (dataset.name, [example.id for example in dataset.examples]) == ("q", ["1", "3"])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('{"question": "a"', "rows.jsonl:2: this line is not JSON"),
        ("[1, 2]", "rows.jsonl:2: this line is a list, not an object"),
        ({"answers": ["x"]}, "rows.jsonl:2: 'question' is missing"),
        ({"question": "  "}, "rows.jsonl:2: 'question' is '  ': is blank"),
        ({"question": 3}, "rows.jsonl:2: 'question' is 3: input should be a valid string"),
        ({"question": "a", "answer": "x"}, "rows.jsonl:2: there is no key 'answer'. Did you mean 'answers'?"),
        ({"question": "a", "colour": "x"}, "Anything else goes under 'tags'."),
        ({"question": "a", "answers": "x"}, "'answers' is 'x'"),
        ({"question": "a", "answers": ["x", ""]}, "'answers[1]' is ''"),
        ({"question": "a", "answers": ["x"], "answerable": False}, "'answerable' is false, and there are 'answers'"),
        ({"question": "a", "answerable": "no"}, "'answerable' is 'no'"),
        ({"question": "a", "page": 2}, "'page' stands without 'document'"),
        ({"question": "a", "document": "d", "page": 0}, "'page' is 0"),
        ({"question": "a", "pages": [["d"]]}, "pages[0]"),
        ({"question": "a", "spans": [{"start": 1, "end": 2}]}, "a span says no 'document'"),
        ({"question": "a", "document": "d", "spans": [{"start": 5, "end": 2}]}, "start 5 is not before end 2"),
        ({"question": "a", "document": "d", "spans": [{"start": 5}]}, "'start' and 'end' come together"),
        ({"question": "a", "document": "d", "spans": [{"page": 1}]}, "neither 'start' and 'end' nor 'quote'"),
        ({"question": "a", "document": "d", "spans": [{"from": 1}]}, "there is no key 'spans[0].from'"),
        ({"question": "a", "id": "1"}, "examples 1 and 2 have the same id '1'"),
    ],
)
def test_mistakes_are_named_with_line_and_key(jsonl: Callable[..., Path], row: Any, message: str) -> None:
    path = jsonl({"question": "first"}, row)
    with pytest.raises(InputError) as caught:
        load_dataset(path)
    assert message in str(caught.value)


def test_files_that_are_none(tmp_path: Path, jsonl: Callable[..., Path]) -> None:
    with pytest.raises(InputError, match="There is no file"):
        load_dataset(tmp_path / "nowhere.jsonl")
    with pytest.raises(InputError, match="holds no question"):
        load_dataset(jsonl("", name="empty.jsonl"))
    (tmp_path / "latin.jsonl").write_bytes('{"question": "é"}'.encode("latin-1"))
    with pytest.raises(InputError, match="is not UTF-8"):
        load_dataset(tmp_path / "latin.jsonl")
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(b'{"question": "a"}')[:-9])
    with pytest.raises(InputError, match="no whole gzip"):
        load_dataset(tmp_path / "cut.jsonl.gz")


def test_the_hash_changes_with_labels_and_not_with_tags(jsonl: Callable[..., Path]) -> None:
    first = load_dataset(jsonl({"question": "a", "answers": ["x"]})).hash
    assert load_dataset(jsonl({"question": "a", "answers": ["x"], "tags": {"k": "v"}}, name="t.jsonl")).hash == first
    assert load_dataset(jsonl({"question": "a", "answers": ["y"]}, name="u.jsonl")).hash != first
