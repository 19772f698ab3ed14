"""The extractive model against forty lines of term overlap: answers found, questions wrongly answered, time.

    python -m benchmarks.extractive --data FOLDER [--languages en es]

(a) the right paragraph given, (b) the ten best of all 240 paragraphs by BM25 given: share of XQuAD's questions whose
answer is in the returned text, at most two sentences, with the default threshold on. (c) share of CLAPnq's questions
answered, of the answerable half and of the unanswerable half. 95 % bootstrap intervals, drawn by paragraph for
XQuAD and by question for CLAPnq. The weights and the threshold were fitted on the development half alone.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log
from pathlib import Path

import numpy as np

from benchmarks._qa_data import as_evidence, best_paragraphs, load_clapnq, load_xquad
from plumbline.text.terms import terms
from routing.chat import ChatRequest, Evidence, Message
from routing.models.embedded import EmbeddedEmbedder
from routing.models.extractive import ExtractiveModel

Answerer = Callable[[str, Sequence[Evidence]], str | None]


def term_overlap(question: str, evidence: Sequence[Evidence], language: str = "en") -> str | None:
    """The baseline: the two sentences that share most of the question's rare terms; nothing shared, no answer."""
    pieces = [s for e in evidence for s in re.split(r"(?<=[.!?])\s+", e.text) if s]
    bags = [set(terms(piece, language)) for piece in pieces]
    counts = Counter(term for bag in bags for term in bag)
    weight = {t: log(1 + len(bags) / (1 + counts[t])) for t in dict.fromkeys(terms(question, language))}
    scores = [sum(weight[t] for t in weight if t in bag) for bag in bags]
    best = sorted(range(len(pieces)), key=lambda i: -scores[i])[:2]
    if not best or scores[best[0]] == 0:
        return None
    return " ".join(pieces[i] for i in sorted(best))


def extractive(model: ExtractiveModel, loop: asyncio.Runner) -> Answerer:
    """A model as a function."""

    def answer(question: str, evidence: Sequence[Evidence]) -> str | None:
        request = ChatRequest((Message("user", question),), question=question, evidence=tuple(evidence))
        response = loop.run(model.complete(request))
        return None if response.refused else response.text

    return answer


@dataclass(frozen=True, slots=True)
class Outcome:
    """One question: `group` is what is drawn together by the bootstrap, `good` what is counted."""

    group: str
    development: bool
    good: bool
    seconds: float


def interval(outcomes: Sequence[Outcome]) -> str:
    """The mean in percent with its 95 % interval over 2,000 draws of groups."""
    names = sorted({o.group for o in outcomes})
    place = {name: i for i, name in enumerate(names)}
    hits, sizes = np.zeros(len(names)), np.zeros(len(names))
    for outcome in outcomes:
        hits[place[outcome.group]] += outcome.good
        sizes[place[outcome.group]] += 1
    draws = np.random.default_rng(0).integers(0, len(names), (2000, len(names)))
    low, high = np.percentile(hits[draws].sum(1) / sizes[draws].sum(1), [2.5, 97.5])
    return f"{100 * hits.sum() / sizes.sum():.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def timed(answerer: Answerer, question: str, evidence: Sequence[Evidence]) -> tuple[str | None, float]:
    """The answer and the CPU seconds it took."""
    started = time.process_time()
    text = answerer(question, evidence)
    return text, time.process_time() - started


def run_xquad(folder: Path, language: str, answerer: Answerer, setting: str, *, titled: bool) -> list[Outcome]:
    """Outcomes in setting "a" or "b"."""
    paragraphs, questions = load_xquad(folder, language)
    orders = best_paragraphs(paragraphs, [q.text for q in questions], language, 10) if setting == "b" else []
    outcomes = []
    for number, q in enumerate(questions):
        order = [q.paragraph] if setting == "a" else orders[number]
        text, seconds = timed(answerer, q.text, as_evidence(paragraphs, order, titled=titled))
        outcomes.append(Outcome(f"p{q.paragraph}", q.development, text is not None and q.answer in text, seconds))
    return outcomes


def run_clapnq(folder: Path, answerer: Answerer, *, answerable: bool, titled: bool) -> list[Outcome]:
    """Outcomes over one half of CLAPnq; `good` says that something was answered."""
    outcomes = []
    for number, q in enumerate(load_clapnq(folder)):
        if q.answerable == answerable:
            text, seconds = timed(answerer, q.text, [Evidence(q.passage, q.title if titled else "")])
            outcomes.append(Outcome(f"q{number}", q.development, text is not None, seconds))
    return outcomes


def show(label: str, outcomes: Sequence[Outcome]) -> None:
    """Print one line."""
    held_out = [o for o in outcomes if not o.development]
    milliseconds = sorted(1000 * o.seconds for o in outcomes)
    middle, tail = milliseconds[len(milliseconds) // 2], milliseconds[int(0.99 * len(milliseconds))]
    print(f"{label:58s} {interval(held_out):20s} {interval(outcomes):20s} {middle:6.2f} {tail:6.2f}")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--languages", nargs="+", default=["en"])
    parser.add_argument("--titled", action="store_true", help="name the documents by their titles")
    arguments = parser.parse_args()
    with asyncio.Runner() as loop:
        report(arguments, loop)


def report(arguments: argparse.Namespace, loop: asyncio.Runner) -> None:
    """Print a line for each system and setting."""
    words = EmbeddedEmbedder()
    systems = {
        "term overlap": term_overlap,
        "extractive, words alone": extractive(ExtractiveModel(), loop),
        "    threshold off": extractive(ExtractiveModel(threshold=0.0), loop),
        "extractive, word vectors": extractive(ExtractiveModel(embedder=words), loop),
        "    threshold off ": extractive(ExtractiveModel(embedder=words, threshold=0.0), loop),
    }
    print(f"{'':58s} {'held-out half, %':20s} {'whole, %':20s} {'ms p50':>6s} {'p99':>6s}")
    for language in arguments.languages:
        for setting, name in (("a", "right paragraph"), ("b", "10 best of 240")):
            for system, answerer in systems.items():
                outcomes = run_xquad(arguments.data, language, answerer, setting, titled=arguments.titled)
                show(f"({setting}) XQuAD {language}, {name}: {system}", outcomes)
    for answerable in (True, False):
        for system, answerer in systems.items():
            outcomes = run_clapnq(arguments.data, answerer, answerable=answerable, titled=arguments.titled)
            show(f"(c) CLAPnq {'' if answerable else 'un'}answerable, answered: {system}", outcomes)


if __name__ == "__main__":
    main()
