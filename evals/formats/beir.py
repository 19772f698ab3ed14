"""BEIR's layout: `corpus.jsonl`, `queries.jsonl`, `qrels/SPLIT.tsv`, each perhaps gzipped.

Source: Thakur et al., "BEIR: A Heterogeneous Benchmark for Zero-shot Evaluation of Information Retrieval Models"
(2021). Files may also lie side by side with the split in their names: `queries.SPLIT.jsonl`, `qrels.SPLIT.tsv`.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, Field

from evals.dataset import Dataset, Example, checked
from evals.formats.entries import Entries, entries
from evals.rows import read_lines, read_typed
from plumbline.errors import InputError

HEADINGS = ("query-id", "corpus-id", "score")


class _Entry(BaseModel):
    id: str = Field(alias="_id")
    text: str
    title: str = ""


def load_beir(folder: Path, split: str | None = None) -> tuple[Dataset, Entries]:
    """The queries that have judgements, with their grades, and the corpus: documents called as their ids.

    `split` names the qrels; it may be left out where there is one. Raises `InputError` naming file and line for what is
    not of this layout.
    """
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}.")
    split = _split(folder, split)
    qrels = _qrels(_first(folder, f"qrels/{split}.tsv", f"qrels.{split}.tsv"))
    corpus = _corpus(_first(folder, "corpus.jsonl", "corpus.jsonl.gz"))
    queries = _first(folder, *(f"queries{part}.jsonl{end}" for part in (f".{split}", "") for end in ("", ".gz")))
    asked = {entry.id: entry.text for _, entry in read_typed(queries, _Entry)}
    unknown = next((query for query in qrels if query not in asked), None)
    if unknown is not None:
        raise InputError(f"The qrels judge the query '{unknown}', which {queries.name} does not hold.")
    return judged(f"{folder.name}, {split}", asked, qrels, corpus, folder), corpus


def judged(
    name: str, asked: Mapping[str, str], qrels: Mapping[str, Mapping[str, int]], corpus: Entries, folder: Path
) -> Dataset:
    """A data set of the queries that were judged. Raises `InputError` for a relevant document that is not there."""
    there = {document.name for document in corpus.documents}
    examples = []
    for query, grades in qrels.items():
        relevant = tuple(document for document, grade in grades.items() if grade > 0)
        missing = next((document for document in relevant if document not in there), None)
        if missing is not None:
            raise InputError(f"The qrels judge the document '{missing}', which is not in the corpus.")
        examples.append(Example(query, asked[query], documents=relevant, group=query, grades=grades))
    return checked(name, examples, source=str(folder))


def _corpus(path: Path) -> Entries:
    texts: dict[str, tuple[str, str]] = {}
    for number, entry in read_typed(path, _Entry):
        if entry.id in texts:
            raise InputError(f"{path.name}:{number}: the id '{entry.id}' comes twice.")
        texts[entry.id] = (entry.title, entry.text)
    corpus = entries(path, texts)
    if not corpus.documents:
        raise InputError(f"{path} holds no document.")
    return corpus


def _qrels(path: Path) -> dict[str, dict[str, int]]:
    qrels: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for number, line in read_lines(path):
        fields = next(csv.reader([line], delimiter="\t"))
        if number == 1 and tuple(fields) == HEADINGS:
            continue
        if len(fields) != len(HEADINGS) or not fields[2].strip().lstrip("-").isdigit():
            raise InputError(
                f"{path.name}:{number}: '{line.strip()}' is not of the form {', '.join(HEADINGS)}, with tabs between."
            )
        qrels[fields[0]][fields[1]] = int(fields[2])
    if not qrels:
        raise InputError(f"{path} holds no judgement.", hint=f"Each line has {', '.join(HEADINGS)}, with tabs between.")
    return dict(qrels)


def _split(folder: Path, wanted: str | None) -> str:
    """The split that is wanted, or the only one."""
    splits = {path.stem for path in folder.glob("qrels/*.tsv")}
    splits |= {path.name.removeprefix("qrels.").removesuffix(".tsv") for path in folder.glob("qrels.*.tsv")}
    if not splits:
        raise InputError(f"{folder} has no qrels.", hint="BEIR's layout: corpus.jsonl, queries.jsonl, qrels/test.tsv.")
    there = ", ".join(sorted(splits))
    if wanted is None and len(splits) > 1:
        raise InputError(f"{folder} has qrels of several splits.", hint=f"Name one with --split: {there}.")
    if wanted is not None and wanted not in splits:
        raise InputError(f"{folder} has no qrels of a split '{wanted}'.", hint=f"There are: {there}.")
    return wanted or min(splits)


def _first(folder: Path, *names: str) -> Path:
    found = next((folder / name for name in names if (folder / name).is_file()), None)
    if found is None:
        raise InputError(
            f"{folder} holds no {names[0]}.", hint="BEIR's layout: corpus.jsonl, queries.jsonl, qrels/test.tsv."
        )
    return found
