"""How often the page that holds the answer is found in real filings (FinanceBench, Islam et al. 2023), step by step.

    python benchmarks/filings.py --data FOLDER [--kb FOLDER] [--answers 5] [--set chunking.size=256]

FOLDER holds `pdfs/` and `questions.jsonl` (question, doc_name, answer, evidence with zero-based page_index).
A page counts as found when one of the first k hits lies on it, wholly or in part, in the right filing. Each step of the
ladder searches all filings at once with one setting more than the step before; the last two are told the right filing.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from rag import RAG, Hit
from rag.index.filters import Eq

CUTOFFS = (3, 10)
FILTERS = {"retrieval.question.filters": True}
FIGURES = {"retrieval.question.figures": True}
LADDER: Sequence[tuple[str, Mapping[str, Any], bool]] = (
    ("lexical", {"retrieval.mode": "lexical"}, False),
    ("hybrid (the default)", {}, False),
    ("+ figures", FIGURES, False),
    ("+ filters", FILTERS, False),
    ("+ filters and figures", {**FILTERS, **FIGURES}, False),
    ("right filing given", {}, True),
    ("right filing given + figures", FIGURES, True),
)
"""Title, settings, and whether the right filing is given."""
RESAMPLES = 2000
PROCESSES = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


def main() -> None:
    """Ingest, search and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--kb", type=Path, help="keep the knowledge base here")
    parser.add_argument("--answers", type=int, default=0, help="print this many whole answers")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    arguments = parser.parse_args()
    settings = {key: yaml.safe_load(value) for key, _, value in (pair.partition("=") for pair in arguments.set)}
    questions = [json.loads(line) for line in (arguments.data / "questions.jsonl").open(encoding="utf-8")]
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.kb or Path(scratch) / "kb"

        def opened(more: Mapping[str, Any]) -> RAG:
            return RAG.open(folder, home=Path(scratch) / "home", settings={**settings, **more})

        with opened({}) as kb:
            ingest(kb, arguments.data / "pdfs")
        print(f"{'evidence page found':<30}" + "".join(f"{f'top {k}':>20}" for k in CUTOFFS) + f"{'CPU ms':>9}")
        for title, more, given in LADDER:
            with opened(more) as kb:
                measure(kb, title, questions, given=given)
        with opened({**FILTERS, **FIGURES}) as kb:
            for question in questions[: arguments.answers]:
                show(kb, question)


def ingest(kb: RAG, folder: Path) -> None:
    """Ingest and print the speed."""
    started = cpu_seconds()
    report = kb.ingest(folder)
    pages = sum(file.pages for file in report.files)
    if pages:
        cpu = cpu_seconds() - started
        own, worker = (resource.getrusage(who).ru_maxrss / 1024 for who in PROCESSES)
        speed = f"{pages / report.seconds:.0f} pages/s wall, {pages / cpu:.0f} pages/CPU-s"
        print(f"{report}\n{speed}, peak {own:.0f} MB, of the largest worker {worker:.0f} MB")


def cpu_seconds() -> float:
    """What this process and those it started and saw end have used."""
    return sum(usage.ru_utime + usage.ru_stime for usage in map(resource.getrusage, PROCESSES))


def measure(kb: RAG, title: str, questions: Sequence[dict[str, Any]], *, given: bool) -> None:
    """Print the share of questions whose evidence page is among the first k hits, with 95 % intervals."""
    kb.search(questions[0]["question"])  # what is made at the first search is no part of the others
    found: dict[int, list[bool]] = {k: [] for k in CUTOFFS}
    seconds = 0.0
    for question in questions:
        condition = Eq("source_document", f"{question['doc_name']}.pdf") if given else None
        started = cpu_seconds()
        hits = kb.search(question["question"], top_k=max(CUTOFFS), condition=condition)
        seconds += cpu_seconds() - started
        for k in CUTOFFS:
            found[k].append(any(holds(kb, hit, question) for hit in hits[:k]))
    shares = "".join(f"{share(found[k]):>20}" for k in CUTOFFS)
    print(f"{title:<30}{shares}{1000 * seconds / len(questions):>9.1f}")


def holds(kb: RAG, hit: Hit, question: dict[str, Any]) -> bool:
    """Whether the chunk lies on a labelled page."""
    if hit.document != f"{question['doc_name']}.pdf" or hit.chunk.page is None:
        return False
    document = kb.document(hit.chunk.document_id)
    assert document is not None
    pages = {page.number for page in document.pages if page.start < hit.chunk.end and hit.chunk.start < page.end}
    return any(int(evidence["page_index"]) + 1 in pages for evidence in question["evidence"])


def share(outcomes: Sequence[bool]) -> str:
    """A share with its bootstrap interval."""
    generator = random.Random(1)
    means = sorted(sum(generator.choices(outcomes, k=len(outcomes))) / len(outcomes) for _ in range(RESAMPLES))
    low, high = means[int(0.025 * RESAMPLES)], means[int(0.975 * RESAMPLES)]
    return f"{sum(outcomes) / len(outcomes):.2f} [{low:.2f}, {high:.2f}]"


def show(kb: RAG, question: dict[str, Any]) -> None:
    """Print an answer beside the right one."""
    pages = ", ".join(str(int(evidence["page_index"]) + 1) for evidence in question["evidence"])
    print(f"\n{'=' * 100}\nQ: {question['question']}")
    print(f"right: {question['answer']}  ({question['doc_name']}, page {pages})\n{kb.ask(question['question'])}")


if __name__ == "__main__":
    main()
