"""The knowledge bases that evals ask: one per corpus and way of reading it, kept in the home and brought in step."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any, TypeAlias

from evals.dataset import Dataset
from evals.formats.entries import Entries
from evals.located import located
from plumbline.errors import InputError
from rag import RAG
from rag.ingest.source.given import GivenSource
from rag.settings import RagSettings

Corpus: TypeAlias = "Path | Entries"
"""What is searched: a file or folder, or the documents of a data set."""

READ_WITH = ("loading", "chunking", "embedding", "store")
"""The sections of the settings that decide what a knowledge base holds; others share it."""


def evals_folder(home: Path) -> Path:
    """Where the knowledge bases and unpacked corpora of evals are kept."""
    return home / "evals"


def knowledge_base(corpus: Path, settings: RagSettings, home: Path) -> Path:
    """The folder of the knowledge base for `corpus` read with these settings."""
    read = {name: getattr(settings, name).model_dump(mode="json") for name in READ_WITH}
    key = hashlib.sha256(json.dumps([str(corpus.resolve()), read], sort_keys=True).encode()).hexdigest()[:16]
    return evals_folder(home) / f"kb-{key}"


def hash_files(target: Path) -> str:
    """A SHA-256 over the names and contents of a file, or of the files in a folder that are not hidden."""
    if not target.exists():
        raise InputError(f"There is no file or folder {target}.")
    files = [target] if target.is_file() else sorted(path for path in target.rglob("*") if path.is_file())
    digest = hashlib.sha256()
    for path in files:
        name = path.name if path == target else path.relative_to(target).as_posix()
        if not any(part.startswith(".") for part in name.split("/")):
            digest.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


async def ingested(kb: RAG, corpus: Corpus) -> list[str]:
    """Bring the knowledge base in step with the corpus; returns a line for each file that could not be read."""
    if isinstance(corpus, Entries):
        report = await kb.aingest(GivenSource(corpus.documents, str(corpus.path.resolve()), complete=True))
    else:
        report = await kb.aingest(corpus)
    return [f"{file.name}: {file.reason}" for file in report.files if file.outcome == "failed"]


def located_in(kb: RAG, dataset: Dataset) -> Dataset:
    """The data set with its gold spans found in the documents of `kb`; raises `InputError` as `located` does."""
    named: set[str] = set()
    for example in dataset.examples:
        named.update(example.documents, (name for name, _ in example.pages), (s.document for s in example.spans))
    spanned = {span.document for example in dataset.examples for span in example.spans}
    return located(dataset, document_texts(kb, named, spanned)) if named else dataset


def document_texts(kb: RAG, named: Collection[str], needed: Collection[str]) -> dict[str, str]:
    """The texts of the documents called so; "" for those that are there but not `needed`.

    Raises `InputError` when two documents of one name are meant: a label must say which.
    """
    ids: dict[str, Any] = {}
    for row in kb.status().documents:
        if row["name"] in ids and row["name"] in named:
            raise InputError(
                f"Two documents of the corpus are called '{row['name']}', which the data set names.",
                hint="Give the files different names.",
            )
        ids[row["name"]] = row["id"]
    texts = dict.fromkeys(ids, "")
    for name in needed:
        document = kb.document(ids[name]) if name in ids else None
        if document is not None:
            texts[name] = document.text
    return texts
