"""Question answering data for the benchmarks of the extractive model: XQuAD and CLAPnq from a folder given by the user.

Expected in the folder: `xquad/en.json`, `xquad/es.json` (github.com/google-deepmind/xquad) and
`clapnq/answerable.jsonl.gz`, `clapnq/unanswerable.jsonl.gz` (github.com/primeqa/clapnq). Both are split once and for
all into a development half, on which anything may be fitted, and a held-out half, on which nothing is.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from plumbline.text.terms import terms
from routing.chat import Evidence


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph of XQuAD under the title of its article."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """A question of XQuAD: its answer is paragraph.text[start:end]; `article` and `paragraph` are indices."""

    text: str
    answer: str
    article: int
    paragraph: int
    start: int
    end: int
    development: bool


@dataclass(frozen=True, slots=True)
class PassageQuestion:
    """A question of CLAPnq with its one passage; `selected` are the sentences that people took for the answer."""

    text: str
    title: str
    passage: str
    selected: tuple[str, ...]
    answerable: bool
    development: bool


def load_xquad(folder: Path, language: str = "en") -> tuple[list[Paragraph], list[Question]]:
    """All paragraphs and questions; the development half is 24 of the 48 articles, the same in every language."""
    articles = json.loads((folder / "xquad" / f"{language}.json").read_text(encoding="utf-8"))["data"]
    order = list(range(len(articles)))
    random.Random(7).shuffle(order)
    development = set(order[: len(order) // 2])
    paragraphs: list[Paragraph] = []
    questions: list[Question] = []
    for number, article in enumerate(articles):
        for paragraph in article["paragraphs"]:
            for asked in paragraph["qas"]:
                text, start = asked["answers"][0]["text"], asked["answers"][0]["answer_start"]
                where = (number, len(paragraphs), start, start + len(text))
                questions.append(Question(asked["question"], text, *where, number in development))
            paragraphs.append(Paragraph(article["title"], paragraph["context"]))
    return paragraphs, questions


def load_clapnq(folder: Path) -> list[PassageQuestion]:
    """The answerable questions, then the unanswerable ones."""
    rng = random.Random(11)
    found: list[PassageQuestion] = []
    for name in ("answerable", "unanswerable"):
        with gzip.open(folder / "clapnq" / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                passage = row["passages"][0]
                selected = tuple(s for output in row["output"] for s in output.get("selected_sentences") or ())
                if name == "unanswerable":
                    selected = ()
                shown = (row["input"], passage["title"], passage["text"], selected)
                found.append(PassageQuestion(*shown, name == "answerable", rng.random() < 0.5))
    return found


def best_paragraphs(
    paragraphs: Sequence[Paragraph], questions: Sequence[str], language: str, k: int
) -> list[list[int]]:
    """For each question the `k` best paragraphs by BM25 over stemmed terms, best first."""
    import numpy as np
    from rank_bm25 import BM25Okapi

    index = BM25Okapi([terms(paragraph.text, language) for paragraph in paragraphs])
    return [np.argsort(-index.get_scores(terms(q, language)), kind="stable")[:k].tolist() for q in questions]


def as_evidence(paragraphs: Sequence[Paragraph], order: Sequence[int], *, titled: bool) -> tuple[Evidence, ...]:
    """The paragraphs at `order` as evidence; `titled` names their documents by the article, else they have no name."""
    return tuple(Evidence(paragraphs[i].text, paragraphs[i].title if titled else "") for i in order)


def squeezed(text: str) -> str:
    """`text` without white space, for comparing texts that were tokenised differently."""
    return "".join(text.split())


def holds_selected(sentence: str, selected: Sequence[str]) -> bool:
    """Whether a sentence and one of the selected ones contain each other."""
    own = squeezed(sentence)
    return any(own in other or other in own for other in map(squeezed, selected) if other)
