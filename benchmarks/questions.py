"""What the switches of `retrieval.question` that need no model change on questions that were not written for them.

    python -m benchmarks.questions --data FOLDER [--sets xquad-en,scifact] [--set retrieval.fusion=rrf]

Every article or abstract becomes a file that is called by its title, and all of a set lie in one knowledge base.
Printed is how often the passage that answers is among the first hits, with each switch and without, paired by question,
and how often a question was narrowed to certain documents and the right one was among them. FOLDER has the files of
`_retrieval_data.py`: xquad, scifact, chunking; the filings are measured by `filings.py`.

`--set` with a model of your own, such as `generation.model=vllm/…` and `retrieval.question.hyde=true`, measures what
that switch changes: it is compared with the plain question as well.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from benchmarks._retrieval_data import chunking, scifact
from rag import RAG, Hit
from rag.index.filters import In

CUTOFFS = (3, 10)
RESAMPLES = 2000
SWITCHES: Mapping[str, Mapping[str, Any]] = {
    "filters": {"retrieval.question.filters": True},
    "figures": {"retrieval.question.figures": True},
    "both": {"retrieval.question.filters": True, "retrieval.question.figures": True},
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, the file that answers it, and the passages of it that do (none: any of it does)."""

    question: str
    file: str
    passages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Collection:
    """Files by name, and questions over them."""

    name: str
    files: Mapping[str, str]
    asked: Sequence[Asked]


@dataclass(frozen=True, slots=True)
class Outcome:
    """By cutoff, 1.0 where one of the first hits answers; and whether narrowing left the right file in.

    `rightly` is `None` where nothing was narrowed.
    """

    found: Mapping[int, float]
    rightly: bool | None


def main() -> None:
    """Ingest each set, search with each switch, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", help="names of sets, with commas between them; all without")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    arguments = parser.parse_args()
    own = {key: yaml.safe_load(value) for key, _, value in (pair.partition("=") for pair in arguments.set)}
    wanted = None if arguments.sets is None else set(arguments.sets.split(","))
    switches = {**SWITCHES, **({"--set": own} if own else {})}
    for collection in collections(arguments.data):
        if wanted is None or collection.name in wanted:
            measure(collection, switches)


def collections(folder: Path) -> Iterator[Collection]:
    """The sets that are in the folder."""
    for language in ("en", "es"):
        if (path := folder / "xquad" / f"{language}.json").exists():
            yield _articles(f"xquad-{language}", json.loads(path.read_text(encoding="utf-8"))["data"])
    if (abstracts := scifact(folder)) is not None:
        names = [file_name(passage.partition("\n")[0]) for passage in abstracts.passages]
        asked = [
            Asked(question, names[next(iter(relevant))])
            for question, relevant in zip(abstracts.questions, abstracts.qrels, strict=True)
        ]
        yield Collection("scifact", dict(zip(names, abstracts.passages, strict=True)), asked)
    spans = chunking(folder)
    if spans:
        files = {f"{each.name.removeprefix('chunking-')}.md": each.texts[0] for each in spans}
        asked = [
            Asked(question, file, tuple(each.texts[0][start:end] for start, end in found))
            for each, file in zip(spans, files, strict=True)
            for question, found in zip(each.questions, each.spans, strict=True)
        ]
        yield Collection("chunking", files, asked)


def _articles(name: str, articles: Sequence[Mapping[str, Any]]) -> Collection:
    files: dict[str, str] = {}
    asked: list[Asked] = []
    for article in articles:
        file = file_name(article["title"])
        paragraphs = [paragraph["context"] for paragraph in article["paragraphs"]]
        files[file] = "\n\n".join(paragraphs)
        asked.extend(
            Asked(each["question"], file, (paragraph["context"],))
            for paragraph in article["paragraphs"]
            for each in paragraph["qas"]
        )
    return Collection(name, files, asked)


def file_name(title: str) -> str:
    """A title as the name of a text file."""
    return re.sub(r"[^\w-]+", " ", title).strip()[:150] + ".txt"


def measure(collection: Collection, switches: Mapping[str, Mapping[str, Any]]) -> None:
    """Print how often the answer is found with each switch, and what changed against none."""
    print(f"\n{collection.name}: {len(collection.files):,} documents, {len(collection.asked):,} questions")
    print(f"{'':<10}" + "".join(f"{f'top {k}':>8}{'change':>24}" for k in CUTOFFS) + f"{'narrowed':>12}{'rightly':>10}")
    with tempfile.TemporaryDirectory() as scratch:
        docs = Path(scratch) / "docs"
        docs.mkdir()
        for name, text in collection.files.items():
            (docs / name).write_text(text, encoding="utf-8")

        def opened(settings: Mapping[str, Any]) -> RAG:
            return RAG.open(Path(scratch) / "kb", home=Path(scratch) / "home", settings=settings)

        with opened({}) as kb:
            kb.ingest(docs)
            plain = [outcome(kb, asked) for asked in collection.asked]
        print(f"{'plain':<10}" + "".join(f"{mean(each.found[k] for each in plain):>8.3f}{'':>24}" for k in CUTOFFS))
        for title, settings in switches.items():
            with opened(settings) as kb:
                outcomes = [outcome(kb, asked) for asked in collection.asked]
            print(f"{title:<10}{changed(plain, outcomes)}{narrowed(outcomes)}")


def outcome(kb: RAG, asked: Asked) -> Outcome:
    """Search for one question."""
    retrieval = kb.explain(asked.question, top_k=max(CUTOFFS))
    good = [answers(kb, hit, asked) for hit in retrieval.hits]
    narrow = retrieval.plan.narrow
    named = narrow.values if isinstance(narrow, In) else None
    return Outcome({k: float(any(good[:k])) for k in CUTOFFS}, None if named is None else asked.file in named)


def answers(kb: RAG, hit: Hit, asked: Asked) -> bool:
    """Whether the hit shares characters with a passage that answers, or lies in the file when any of it does."""
    if hit.document != asked.file:
        return False
    if not asked.passages:
        return True
    text = full_text(kb, hit.chunk.document_id)
    places = [(text.find(passage), len(passage)) for passage in asked.passages]
    return any(start >= 0 and start < hit.chunk.end and hit.chunk.start < start + long for start, long in places)


@lru_cache(maxsize=64)
def full_text(kb: RAG, document_id: str) -> str:
    """The stored text of a document."""
    document = kb.document(document_id)
    return "" if document is None else document.text


def mean(values: Iterable[float]) -> float:
    """The arithmetic mean."""
    values = list(values)
    return sum(values) / len(values)


def changed(plain: Sequence[Outcome], outcomes: Sequence[Outcome]) -> str:
    """The shares found, each with the mean change and its bootstrapped 95 % interval."""
    generator = random.Random(1)
    cells = []
    for k in CUTOFFS:
        differences = [after.found[k] - before.found[k] for before, after in zip(plain, outcomes, strict=True)]
        means = sorted(mean(generator.choices(differences, k=len(differences))) for _ in range(RESAMPLES))
        low, high = means[int(0.025 * RESAMPLES)], means[int(0.975 * RESAMPLES)]
        change = f"{mean(differences):+.3f} [{low:+.3f}, {high:+.3f}]"
        cells.append(f"{mean(each.found[k] for each in outcomes):>8.3f}{change:>24}")
    return "".join(cells)


def narrowed(outcomes: Sequence[Outcome]) -> str:
    """The share of questions that were narrowed, and the share of those whose right document was left in."""
    rightly = [each.rightly for each in outcomes if each.rightly is not None]
    return f"{len(rightly) / len(outcomes):>12.3f}" + (f"{mean(map(float, rightly)):>10.3f}" if rightly else "")


if __name__ == "__main__":
    main()
