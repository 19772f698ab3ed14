"""Reads labelled retrieval data from a folder, in the files its publishers give: SciFact (BEIR), XQuAD, Cranfield and
the chunking evaluation set. A set that is not in the folder is left out.
"""

from __future__ import annotations

import gzip
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO


@dataclass(frozen=True, slots=True)
class RetrievalSet:
    """Passages, questions and what is relevant: `qrels[question][passage]` is a gain above 0, both by position.

    `titles` are those that the passages begin with, "" for one without; empty where no passage has any.
    """

    name: str
    passages: tuple[str, ...]
    questions: tuple[str, ...]
    qrels: tuple[dict[int, float], ...]
    language: str = "en"
    titles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SpanSet:
    """Whole texts and questions whose answers are spans, (start, end) in code points, of text `texts[i]`."""

    name: str
    texts: tuple[str, ...]
    questions: tuple[str, ...]
    sources: tuple[int, ...]
    spans: tuple[tuple[tuple[int, int], ...], ...]


def _open(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8")
    return path.open(encoding="utf-8")


def _json_lines(path: Path) -> Iterator[dict[str, Any]]:
    with _open(path) as file:
        yield from (json.loads(line) for line in file if line.strip())


def scifact(folder: Path) -> RetrievalSet | None:
    """SciFact's claims (training split) against its abstracts; titles stand before the text."""
    if not (folder / "scifact").is_dir():
        return None
    folder = folder / "scifact"
    corpus = list(_json_lines(folder / "corpus.jsonl.gz"))
    place = {row["_id"]: i for i, row in enumerate(corpus)}
    relevant: dict[str, dict[int, float]] = defaultdict(dict)
    for line in (folder / "qrels.train.tsv").read_text().splitlines()[1:]:
        query, document, gain = line.split("\t")
        if float(gain) > 0:
            relevant[query][place[document]] = float(gain)
    rows = [row for row in _json_lines(folder / "queries.train.jsonl.gz") if row["_id"] in relevant]
    return RetrievalSet(
        "scifact",
        tuple(f"{row['title']}\n{row['text']}" for row in corpus),
        tuple(row["text"] for row in rows),
        tuple(relevant[row["_id"]] for row in rows),
        titles=tuple(row["title"] for row in corpus),
    )


def xquad(folder: Path, language: str = "en") -> RetrievalSet | None:
    """XQuAD's questions against all its paragraphs; the one that holds the answer is relevant."""
    path = folder / "xquad" / f"{language}.json"
    if not path.exists():
        return None
    passages: list[str] = []
    questions: list[str] = []
    qrels: list[dict[int, float]] = []
    for article in json.loads(path.read_text(encoding="utf-8"))["data"]:
        for paragraph in article["paragraphs"]:
            for question in paragraph["qas"]:
                questions.append(question["question"])
                qrels.append({len(passages): 1.0})
            passages.append(paragraph["context"])
    return RetrievalSet(f"xquad-{language}", tuple(passages), tuple(questions), tuple(qrels), language)


def cranfield(folder: Path) -> RetrievalSet | None:
    """Cranfield's questions against its abstracts; grades 1 to 4 of `QRelsCorrectedforTRECeval` are gains."""
    folder = folder / "cranfield"
    if not folder.is_dir():
        return None
    records = _records(folder / "cran.all.1400")
    passages = [record.get("W", "") for record in records]
    questions = [record.get("W", "") for record in _records(folder / "cran.qry")]
    named = [(record.get("T", "").rstrip(" ."), text) for record, text in zip(records, passages, strict=True)]
    titles = tuple(title if text.startswith(title) else "" for title, text in named)
    qrels: list[dict[int, float]] = [{} for _ in questions]
    for line in (folder / "QRelsCorrectedforTRECeval").read_text().splitlines():
        query, _, document, gain = line.split()
        if float(gain) > 0:
            qrels[int(query) - 1][int(document) - 1] = float(gain)
    return RetrievalSet("cranfield", tuple(passages), tuple(questions), tuple(qrels), titles=titles)


def _records(path: Path) -> list[dict[str, str]]:
    """The fields of each record by their letter; an abstract (.W) begins with its title (.T)."""
    found = []
    for record in re.split(r"^\.I +\d+\s*$", path.read_text(), flags=re.MULTILINE)[1:]:
        fields = re.findall(r"^\.([A-Z])\s*\n(.*?)(?=^\.[A-Z]\s*$|\Z)", record, flags=re.MULTILINE | re.DOTALL)
        found.append({letter: " ".join(text.split()) for letter, text in fields})
    return found


def chunking(folder: Path) -> list[SpanSet]:
    """The corpora of the chunking evaluation, each with its questions and the spans that answer them."""
    found = []
    for path in sorted((folder / "chunking").glob("*.questions.jsonl")):
        name = path.name.removesuffix(".questions.jsonl")
        rows = list(_json_lines(path))
        spans = tuple(tuple((r["start_index"], r["end_index"]) for r in row["references"]) for row in rows)
        text = (folder / "chunking" / f"{name}.md").read_text(encoding="utf-8")
        found.append(SpanSet(f"chunking-{name}", (text,), tuple(r["question"] for r in rows), (0,) * len(rows), spans))
    return found
