"""The Cranfield collection as it is passed on: `cran.all.1400`, `cran.qry` and `QRelsCorrectedforTRECeval`.

Source: Cleverdon, "The Cranfield tests on index language devices" (1967). Records begin with `.I`, their fields with
`.T` (title), `.W` (text, which begins with the title) and others. Qrels count queries by their place in the file, and
every grade above 0 is a gain.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from evals.dataset import Dataset
from evals.formats.beir import judged
from evals.formats.entries import Entries, entries
from evals.rows import read_lines
from plumbline.errors import InputError

DOCUMENTS, QUERIES, QRELS = "cran.all.1400", "cran.qry", "QRelsCorrectedforTRECeval"

_RECORD = re.compile(r"^\.I +\d+\s*$", re.MULTILINE)
_FIELD = re.compile(r"^\.([A-Z])\s*\n(.*?)(?=^\.[A-Z]\s*$|\Z)", re.MULTILINE | re.DOTALL)


def load_cranfield(folder: Path) -> tuple[Dataset, Entries]:
    """The queries with their grades, and the abstracts without the titles that they begin with.

    Documents and queries are called by their place, from 1. Raises `InputError` for what is not of this layout.
    """
    texts: dict[str, tuple[str, str]] = {}
    for number, fields in enumerate(_records(folder / DOCUMENTS), 1):
        title = fields.get("T", "").rstrip(" .")
        texts[str(number)] = (title, fields.get("W", "").removeprefix(title).lstrip(" ."))
    corpus = entries(folder / DOCUMENTS, texts)
    asked = {str(number): fields.get("W", "") for number, fields in enumerate(_records(folder / QUERIES), 1)}
    return judged(folder.name, asked, _qrels(folder / QRELS, asked), corpus, folder), corpus


def _qrels(path: Path, asked: Mapping[str, str]) -> dict[str, dict[str, int]]:
    qrels: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for number, line in read_lines(path):
        fields = line.split()
        if len(fields) != 4 or not fields[3].lstrip("-").isdigit():
            raise InputError(f"{path.name}:{number}: '{line.strip()}' is not of the form query, 0, document, grade.")
        if fields[0] not in asked:
            raise InputError(f"{path.name}:{number}: there is no query {fields[0]} in {QUERIES}.")
        qrels[fields[0]][fields[2]] = int(fields[3])
    return dict(qrels)


def _records(path: Path) -> Iterator[dict[str, str]]:
    """The fields of each record by their letter, white space made single."""
    text = "".join(line for _, line in read_lines(path))
    for record in _RECORD.split(text)[1:]:
        yield {letter: " ".join(content.split()) for letter, content in _FIELD.findall(record)}
