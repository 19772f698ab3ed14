"""How often the whole pipeline, as installed and without a key, gives the answer: XQuAD end to end.

    python benchmarks/answers.py --data FOLDER [--questions 1190] [--set retrieval.top_n=3]

Every paragraph of XQuAD becomes a file; all are ingested and every question is asked with `RAG.ask`. An answer counts
as right when it holds the gold string. The extractive model was fitted on the development half of the articles and not
on the other (`held out`). Last, half of the held-out articles are ingested alone, and the questions of the other half,
which they do not answer, should be refused.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from benchmarks._qa_data import Paragraph, Question, load_xquad
from rag import RAG

RESAMPLES = 1000


def main() -> None:
    """Ingest, ask and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--questions", type=int, default=10_000)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    arguments = parser.parse_args()
    settings = {key: yaml.safe_load(value) for key, _, value in (pair.partition("=") for pair in arguments.set)}
    paragraphs, questions = load_xquad(arguments.data)
    with opened(paragraphs, settings) as kb:
        measure(kb, questions[: arguments.questions])
    held_out = [question for question in questions if not question.development]
    articles = sorted({question.article for question in held_out})
    known = set(articles[::2])
    told = {question.paragraph for question in held_out if question.article in known}
    with opened([paragraphs[number] for number in sorted(told)], settings) as kb:
        measure_refusals(kb, held_out, known)


@contextmanager
def opened(paragraphs: Sequence[Paragraph], settings: Mapping[str, Any]) -> Iterator[RAG]:
    """A knowledge base of the paragraphs, each a file."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "docs"
        folder.mkdir()
        for number, paragraph in enumerate(paragraphs):
            (folder / f"{number:03} {paragraph.title.replace('/', ' ')}.txt").write_text(paragraph.text, "utf-8")
        with RAG.open(Path(scratch) / "kb", home=Path(scratch) / "home", settings=settings) as kb:
            print(str(kb.ingest(folder)).splitlines()[0])
            yield kb


def measure(kb: RAG, questions: Sequence[Question]) -> None:
    """Ask everything and print shares with 95 % intervals, resampled by paragraph."""
    right: dict[bool, dict[int, list[bool]]] = {True: defaultdict(list), False: defaultdict(list)}
    refused = 0
    started = time.process_time()
    for question in questions:
        answer = kb.ask(question.text)
        refused += answer.refused
        right[question.development][question.paragraph].append(_plain(question.answer) in _plain(answer.text))
    seconds = (time.process_time() - started) / len(questions)
    print(f"{'right, held out':<34}{interval(right[False])}")
    print(f"{'right, development':<34}{interval(right[True])}")
    print(f"refused {refused / len(questions):.3f}; {seconds * 1000:.1f} CPU-ms a question, {len(questions)} questions")


def measure_refusals(kb: RAG, questions: Sequence[Question], known: set[int]) -> None:
    """Ask questions about articles that are in the knowledge base, and about others that are not."""
    refused: dict[bool, dict[int, list[bool]]] = {True: defaultdict(list), False: defaultdict(list)}
    for question in questions:
        refused[question.article in known][question.paragraph].append(kb.ask(question.text).refused)
    print(f"{'refused, its article is there':<34}{interval(refused[True])}")
    print(f"{'refused, its article is not there':<34}{interval(refused[False])}")


def interval(outcomes: Mapping[int, Sequence[bool]]) -> str:
    """The mean over questions and its bootstrap interval over paragraphs."""
    groups = list(outcomes.values())
    if not groups:
        return "no questions"
    generator = random.Random(1)
    means = []
    for _ in range(RESAMPLES):
        sample = [outcome for group in generator.choices(groups, k=len(groups)) for outcome in group]
        means.append(sum(sample) / len(sample))
    means.sort()
    every = [outcome for group in groups for outcome in group]
    low, high = means[int(0.025 * RESAMPLES)], means[int(0.975 * RESAMPLES)]
    return f"{sum(every) / len(every):.3f} [{low:.3f}, {high:.3f}]"


def _plain(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    main()
