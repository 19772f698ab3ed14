"""A folder with documents, queries and judgements, in whichever of the layouts it is."""

from __future__ import annotations

from pathlib import Path

from evals.dataset import Dataset
from evals.formats import cranfield
from evals.formats.beir import load_beir
from evals.formats.entries import Entries
from plumbline.errors import InputError


def load_judged(folder: Path, split: str | None = None) -> tuple[Dataset, Entries]:
    """The queries with their grades, and the corpus. Raises `InputError` as the reader of the layout does."""
    if not (folder / cranfield.DOCUMENTS).is_file():
        return load_beir(folder, split)
    if split is not None:
        raise InputError(f"{folder} is the Cranfield collection, which has no splits.", hint="Leave out --split.")
    return cranfield.load_cranfield(folder)
