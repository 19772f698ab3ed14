"""Public layouts: what is read from them, and what is wrong with those that are not of the layout."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest

from evals.dataset import GoldSpan
from evals.formats.beir import load_beir
from evals.formats.chunking import load_chunking
from evals.formats.folder import corpus_folder
from evals.formats.squad import load_squad
from plumbline.errors import InputError
from rag.types import Section
from tests.evals.conftest import write_rows

CONTEXT = "Parcels to Norway take 4 days 🙂. To Iceland 9 days."


def squad(path: Path, **changes: Any) -> Path:
    asked = {"id": "q1", "question": "How long to Iceland?", "answers": [{"text": "9 days", "answer_start": 44}]}
    unanswerable = {"id": "q2", "question": "Who?", "answers": [], "is_impossible": True}
    paragraph = {"context": CONTEXT, "qas": [{**asked, **changes}, unanswerable]}
    path.write_text(json.dumps({"data": [{"title": "Ship/ping", "paragraphs": [paragraph]}]}), encoding="utf-8")
    return path


def test_squad(tmp_path: Path) -> None:
    dataset, corpus = load_squad(squad(tmp_path / "en.json"), tmp_path / "unpacked")
    (file,) = corpus.iterdir()
    assert (file.name, file.read_text(encoding="utf-8")) == ("00000 Ship ping.txt", CONTEXT)
    first, second = dataset.examples
    assert first.spans == (GoldSpan(file.name, 44, 50, quote="9 days"),)
    assert (first.answers, first.answerable, first.group) == (("9 days",), True, "Ship/ping")
    assert (second.answers, second.answerable, second.documents) == ((), False, ())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ('{"data": [{"title": "x"}]}', "data.0.paragraphs: Field required"),
    ],
)
def test_squad_mistakes(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "en.json").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        load_squad(tmp_path / "en.json", tmp_path)


def test_squad_answers_stand_where_they_say(tmp_path: Path) -> None:
    path = squad(tmp_path / "en.json", answers=[{"text": "9 days", "answer_start": 43}])
    with pytest.raises(InputError, match="question q1: the answer '9 days' does not stand at 43"):
        load_squad(path, tmp_path)


@pytest.fixture
def beir(tmp_path: Path) -> Path:
    folder = tmp_path / "beir"
    (folder / "qrels").mkdir(parents=True)
    documents = [
        {"_id": "a/1", "title": "Norway", "text": "Four days."},
        {"_id": "b", "text": "Nine days."},
        {"_id": "void", "title": "", "text": " "},
        {"_id": "bare", "title": "Iceland", "text": ""},
    ]
    write_rows(folder / "corpus.jsonl", documents)
    queries = "\n".join(json.dumps({"_id": name, "text": f"query {name}"}) for name in ("1", "2", "3"))
    (folder / "queries.jsonl.gz").write_bytes(gzip.compress(queries.encode()))
    (folder / "qrels" / "test.tsv").write_text(
        "query-id\tcorpus-id\tscore\n1\ta/1\t2\n1\tb\t0\n2\tb\t1\n", encoding="utf-8"
    )
    return folder


def test_beir(beir: Path) -> None:
    dataset, corpus = load_beir(beir)
    assert corpus.path == beir / "corpus.jsonl"
    found = {document.name: document for document in corpus.documents}
    assert {name: document.text for name, document in found.items()} == {
        "a/1": "Four days.",
        "b": "Nine days.",
        "void": "",  # which may be judged all the same
        "bare": "Iceland",  # a title without a text can be found
    }
    assert found["a/1"].metadata == {"title": "Norway"}
    assert found["a/1"].sections == (Section(("Norway",), 0, len("Four days.")),)
    assert (found["b"].metadata, found["b"].sections) == ({}, ())
    assert (found["bare"].metadata, found["bare"].sections) == ({"title": "Iceland"}, ())
    first, second = dataset.examples  # query 3 has no judgement
    assert (first.question, first.grades, first.documents) == ("query 1", {"a/1": 2, "b": 0}, ("a/1",))
    assert second.documents == ("b",)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("qrels/test.tsv", "1 b 1\n", "test.tsv:1: '1 b 1' is not of the form"),
        ("qrels/test.tsv", "9\tb\t1\n", "judge the query '9'"),
        ("qrels/test.tsv", "1\tc\t1\n", "judge the document 'c', which is not in the corpus"),
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\n", "test.tsv holds no judgement"),
        ("qrels/train.tsv", "1\tb\t1\n", r"qrels of several splits\. Name one with --split: test, train\."),
        ("corpus.jsonl", '{"id": "b", "text": "x"}\n', "corpus.jsonl:1: '_id' is missing"),
        ("corpus.jsonl", '{"_id": "b", "text": "x"}\n{"_id": "b", "text": "y"}\n', "'b' comes twice"),
    ],
)
def test_beir_mistakes(beir: Path, file: str, content: str, message: str) -> None:
    (beir / file).write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        load_beir(beir)


@pytest.mark.parametrize("split", ["foo", "", "../qrels/test"])
def test_a_split_that_is_not_there_names_those_that_are(beir: Path, split: str) -> None:
    (beir / "qrels.dev.tsv").write_text("1\tb\t1\n", encoding="utf-8")
    with pytest.raises(InputError, match=rf"has no qrels of a split '{re.escape(split)}'\. There are: dev, test\."):
        load_beir(beir, split)
    assert load_beir(beir, "dev")[0].examples[0].grades == {"b": 1}


def test_a_folder_that_is_not_beirs(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no qrels. BEIR's layout: corpus.jsonl"):
        load_beir(tmp_path)


def test_chunking(tmp_path: Path) -> None:
    (tmp_path / "wiki.md").write_text(CONTEXT, encoding="utf-8")
    reference = {"content": "9 days", "start_index": 44, "end_index": 50}
    write_rows(tmp_path / "wiki.questions.jsonl", [{"question": "How long?", "references": [reference]}])
    dataset, texts = load_chunking(tmp_path)
    assert texts == [tmp_path / "wiki.md"]
    assert dataset.examples[0].spans == (GoldSpan("wiki.md", 44, 50, quote="9 days"),)
    (tmp_path / "wiki.md").unlink()
    with pytest.raises(InputError, match=r"wiki.md is missing"):
        load_chunking(tmp_path)


def test_corpora_are_written_once_and_whole(tmp_path: Path) -> None:
    texts = {"a.txt": "line\r\nline", "b.txt": "b"}
    corpus = corpus_folder(texts, tmp_path)
    assert (corpus / "a.txt").read_bytes() == b"line\r\nline"
    assert corpus_folder(texts, tmp_path) == corpus
    assert corpus_folder({**texts, "b.txt": "c"}, tmp_path) != corpus
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in tmp_path.glob("corpus-*")}
