"""The sample that ships with Plumbline: the documents of a made-up outdoor shop, questions about them, other wordings.

In a clone they are `examples/corpus` and `examples/questions.jsonl`; an installed wheel holds a copy of both under
`evals/data/sample`. The paraphrases are in `evals/data` everywhere.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from evals.dataset import Dataset
from evals.rows import Text, load_dataset, read_typed
from plumbline.errors import InputError

_DATA = Path(__file__).parent / "data"
_PLACES = (_DATA / "sample", Path(__file__).parents[1] / "examples")


def sample_folder() -> Path:
    """The folder that holds `corpus` and `questions.jsonl`; raises `InputError` where neither place has them."""
    for place in _PLACES:
        if (place / "corpus").is_dir() and (place / "questions.jsonl").is_file():
            return place
    raise InputError(
        "The sample corpus is not part of this installation.", hint="Name documents of your own with --docs and --log."
    )


def sample_corpus() -> Path:
    """The folder of the sample's documents."""
    return sample_folder() / "corpus"


def sample_questions() -> Dataset:
    """The sample's labelled questions; those without an answer should be refused."""
    return replace(load_dataset(sample_folder() / "questions.jsonl"), name="the sample")


def sample_paraphrases() -> dict[str, tuple[str, ...]]:
    """For the id of each of the sample's questions, other ways to ask the same."""
    return read_paraphrases(_DATA / "paraphrases.jsonl")


class ParaphraseRow(BaseModel):
    """Other ways to ask the question with this id."""

    model_config = ConfigDict(extra="forbid")

    id: Text
    paraphrases: list[Text]


def read_paraphrases(path: str | Path) -> dict[str, tuple[str, ...]]:
    """Paraphrases by the id of their question, from JSONL with a `ParaphraseRow` a line.

    Raises `InputError` naming the line and the key for anything else.
    """
    found: dict[str, tuple[str, ...]] = {}
    for line, row in read_typed(Path(path), ParaphraseRow):
        if row.id in found:
            raise InputError(
                f"{Path(path).name}:{line}: the id '{row.id}' comes twice.", hint="Put all its paraphrases on one line."
            )
        found[row.id] = tuple(row.paraphrases)
    return found
