"""Fit the weights of the extractive model on the development halves of XQuAD (en) and CLAPnq.

    python -m benchmarks.fit_extractive --data FOLDER [--write]

Prints what cross-validation over articles says, without and with word vectors, and the tables of
`routing/models/extractive_weights.py`; `--write` replaces that file. The held-out halves are never read here:
`benchmarks/extractive.py` reports on them.
"""

from __future__ import annotations

import argparse
import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks._qa_data import as_evidence, best_paragraphs, holds_selected, load_clapnq, load_xquad
from routing.chat import Evidence
from routing.models.embedded import EmbeddedEmbedder
from routing.models.extractive_features import FEATURES, Reading, feature_rows, read
from routing.models.extractive_rank import confidence_features, rank_rows, weighted_sum, with_alignment
from routing.models.extractive_words import WordVectors

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

SOURCE_WEIGHTS = {"right": 1.0, "retrieved": 1.0, "absent": 0.3, "sibling": 0.3, "clapnq": 6.0}
LEXICAL_FEATURES = tuple(name for name in FEATURES if not name.startswith("alike"))
RANK_L2 = 0.02
CONFIDENCE_L2 = 0.01
SPREAD_FLOOR = 0.1
LOSS = 0.012
LABEL_WEIGHT = -2.0
"""Set by hand: paragraphs of XQuAD have no headings to learn from, documents do, and a heading answers little."""


@dataclass(frozen=True, slots=True)
class Example:
    """One question over one list of evidence.

    `rows` are the features of each sentence, `similar` its cosine to the question (`None` without word vectors);
    `gold` marks the sentence labelled, `holds` those with the answer.
    """

    source: str
    group: str
    reading: Reading
    rows: list[dict[str, float]]
    similar: Floats | None
    gold: Flags
    holds: Flags
    answerable: bool


class Reader:
    """Reads questions as the model does, without or with word vectors."""

    def __init__(self, *, words: bool) -> None:
        self._embedder = EmbeddedEmbedder() if words else None
        self._words = WordVectors(self._embedder) if self._embedder else None

    def read(
        self, question: str, evidence: Sequence[Evidence]
    ) -> tuple[Reading, list[dict[str, float]], Floats | None]:
        """A question with terms over evidence with sentences."""
        reading = read(question, evidence, "en")
        assert reading is not None
        rows = feature_rows(reading)
        if self._words is None or self._embedder is None:
            return reading, rows, None
        texts = [reading.question.text, *(candidate.text for candidate in reading.candidates)]
        vectors = asyncio.run(self._embedder.embed_passages(texts)).vectors
        return reading, with_alignment(rows, asyncio.run(self._words.align(reading))), vectors[1:] @ vectors[0]


def xquad_examples(folder: Path, reader: Reader) -> list[Example]:
    """The right paragraph, the ten best, the ten best without the right one, and a sibling from the same article."""
    paragraphs, questions = load_xquad(folder)
    questions = [q for q in questions if q.development]
    siblings: dict[int, set[int]] = {}
    for q in questions:
        siblings.setdefault(q.article, set()).add(q.paragraph)
    rng = random.Random(3)
    examples = []
    for q, best in zip(questions, best_paragraphs(paragraphs, [q.text for q in questions], "en", 11), strict=True):
        other = rng.choice(sorted(siblings[q.article] - {q.paragraph}))
        absent = [i for i in best if i != q.paragraph][:10]
        orders = {"right": [q.paragraph], "retrieved": best[:10], "absent": absent, "sibling": [other]}
        for source, order in orders.items():
            answerable = source in ("right", "retrieved")
            for titled in (False, True):
                read_ = reader.read(q.text, as_evidence(paragraphs, order, titled=titled))
                sentences = read_[0].candidates
                there = [order[s.passage] == q.paragraph and s.start <= q.start and q.end <= s.end for s in sentences]
                holds = [answerable and q.answer in s.text for s in sentences]
                examples.append(Example(source, f"x{q.article}", *read_, np.array(there), np.array(holds), answerable))
    return examples


def clapnq_examples(folder: Path, reader: Reader) -> list[Example]:
    """The development half of CLAPnq, each passage with its title and without."""
    examples = []
    for number, q in enumerate(load_clapnq(folder)):
        if not q.development:
            continue
        for title in ("", q.title):
            read_ = reader.read(q.text, [Evidence(q.passage, title)])
            holds = np.array([holds_selected(s.text, q.selected) for s in read_[0].candidates])
            examples.append(Example("clapnq", f"c{number}", *read_, holds, holds, q.answerable))
    return examples


def adam(gradient: Callable[[Floats], Floats], size: int, steps: int = 500, rate: float = 0.05) -> Floats:
    """Minimise by Adam (Kingma and Ba, 2015) from zero."""
    weights, first, second = np.zeros(size), np.zeros(size), np.zeros(size)
    for step in range(1, steps + 1):
        slope = gradient(weights)
        first = 0.9 * first + 0.1 * slope
        second = 0.999 * second + 0.001 * slope * slope
        weights = weights - rate * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
    return weights


def fit_ranker(examples: Sequence[Example]) -> dict[str, float]:
    """Maximise the softmax probability of the labelled sentence; others that hold the answer are left out."""
    used = [e for e in examples if e.source in ("right", "retrieved") and e.gold.any()]
    names = LEXICAL_FEATURES if used[0].similar is None else FEATURES
    sizes = [len(e.rows) for e in used]
    matrix = np.array([[row.get(name, 0.0) for name in names] for e in used for row in e.rows])
    gold = np.concatenate([e.gold for e in used]).astype(float)
    out = np.concatenate([e.holds & ~e.gold for e in used])
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    group = np.repeat(np.arange(len(used)), sizes)
    # The floor keeps features that few questions have ("money") from weights that a few questions would decide.
    spread = np.maximum(matrix.std(0), SPREAD_FLOOR)
    scaled = (matrix - matrix.mean(0)) / spread

    def gradient(weights: Floats) -> Floats:
        score = scaled @ weights
        score[out] = -1e9
        raised = np.exp(score - np.maximum.reduceat(score, starts)[group])
        share = raised / np.add.reduceat(raised, starts)[group]
        right = raised * gold
        right = right / (np.add.reduceat(right, starts)[group] + 1e-30)
        slope: Floats = scaled.T @ (share - right) / len(used) + RANK_L2 * weights
        return slope

    return dict(zip(names, (adam(gradient, len(names)) / spread).tolist(), strict=True)) | {"label": LABEL_WEIGHT}


def judged(example: Example, ranker: Mapping[str, float]) -> tuple[dict[str, float], bool]:
    """The confidence features of an example under a ranker, and whether its best two sentences hold the answer."""
    ranking = rank_rows(example.rows, ranker)
    similarity = None if example.similar is None else float(example.similar[ranking.order[0]])
    features = confidence_features(example.reading, ranking, similarity)
    return features, example.answerable and bool(example.holds[list(ranking.order[:2])].any())


def fit_confidence(examples: Sequence[Example], ranker: Mapping[str, float]) -> tuple[dict[str, float], float]:
    """Logistic regression on whether the two best sentences hold the answer."""
    pairs = [judged(example, ranker) for example in examples]
    names = list(pairs[0][0])
    matrix = np.array([[features[name] for name in names] for features, _ in pairs])
    right = np.array([held for _, held in pairs], dtype=float)
    share = np.array([SOURCE_WEIGHTS[example.source] for example in examples])
    share /= share.sum()
    middle, spread = matrix.mean(0), np.maximum(matrix.std(0), SPREAD_FLOOR)
    scaled = np.column_stack([(matrix - middle) / spread, np.ones(len(matrix))])
    penalty = np.array([CONFIDENCE_L2] * len(names) + [0.0])

    def gradient(weights: Floats) -> Floats:
        slope: Floats = scaled.T @ (share * (1 / (1 + np.exp(-scaled @ weights)) - right)) + penalty * weights
        return slope

    weights = adam(gradient, len(names) + 1, steps=900)
    slopes = weights[:-1] / spread
    return dict(zip(names, slopes.tolist(), strict=True)), float(weights[-1] - middle @ slopes)


def cross_validated(examples: Sequence[Example], folds: int = 5) -> tuple[Floats, Flags]:
    """Confidence and correctness of every example, each from a model that has not seen its article."""
    groups = sorted({example.group for example in examples})
    fold = {g: i % folds for i, g in enumerate(np.random.default_rng(1).permutation(groups).tolist())}
    confidence, right = np.zeros(len(examples)), np.zeros(len(examples), dtype=bool)
    for number in range(folds):
        training = [e for e in examples if fold[e.group] != number]
        ranker = fit_ranker(training)
        weights, bias = fit_confidence(training, ranker)
        for i, example in enumerate(examples):
            if fold[example.group] == number:
                features, right[i] = judged(example, ranker)
                confidence[i] = 1 / (1 + np.exp(-bias - weighted_sum(features, weights)))
    return confidence, right


def report(examples: Sequence[Example], confidence: Floats, right: Flags) -> float:
    """Print what each threshold gives; return the highest that loses at most `LOSS` in both settings."""
    kinds = np.array([e.source + ("" if e.source != "clapnq" else "+" if e.answerable else "-") for e in examples])
    print("cross-validated on the development half, thresholds on:  right = answer returned, others = share answered")
    above, below = confidence[kinds == "clapnq+"], confidence[kinds == "clapnq-"]
    print(f"AUROC of the confidence on CLAPnq {np.mean(above[:, None] > below[None, :]):.3f}")
    chosen = 0.0
    full = {k: right[kinds == k].mean() for k in ("right", "retrieved")}
    for threshold in np.arange(0.0, 0.51, 0.01):
        kept = confidence >= threshold
        hit = {k: (right & kept)[kinds == k].mean() for k in ("right", "retrieved")}
        answered = {k: kept[kinds == k].mean() for k in ("absent", "sibling", "clapnq+", "clapnq-")}
        if all(full[k] - hit[k] <= LOSS for k in full):
            chosen = float(threshold)
        if round(100 * threshold) % 5 == 0 or chosen == threshold:
            print(f"{threshold:.2f} ", *(f"{k} {v:.3f}" for k, v in (hit | answered).items()))
    return chosen


def table(weights: Mapping[str, float]) -> str:
    """The source text of a dictionary."""
    return "{\n" + "".join(f'        "{name}": {value:.3f},\n' for name, value in weights.items()) + "    }"


def fitted(folder: Path, name: str, *, words: bool) -> str:
    """Fit one set of weights; its source text."""
    print(f"{name}:")
    reader = Reader(words=words)
    examples = xquad_examples(folder, reader) + clapnq_examples(folder, reader)
    threshold = report(examples, *cross_validated(examples))
    ranker = fit_ranker(examples)
    confidence, bias = fit_confidence(examples, ranker)
    return (
        f"{name} = Weights(\n    rank={table(ranker)},\n    confidence={table(confidence)},\n"
        f"    bias={bias:.3f},\n    default_threshold={threshold:.2f},\n)\n"
    )


HEAD = '''"""The weights of the extractive model, written by `benchmarks/fit_extractive.py`, which says from what.

The thresholds are defaults and not certified: on the development data they cost about one right answer in a hundred.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights by the names of features: `rank` orders sentences, `confidence` and `bias` are a logistic regression."""

    rank: Mapping[str, float]
    confidence: Mapping[str, float]
    bias: float
    default_threshold: float


'''


def main() -> None:
    """Fit, report and print or write the weights."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    text = (
        HEAD + fitted(arguments.data, "LEXICAL", words=False) + "\n" + fitted(arguments.data, "WITH_WORDS", words=True)
    )
    if arguments.write:
        (Path(__file__).parents[1] / "routing/models/extractive_weights.py").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
