from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from evals.dataset import Example, GoldSpan
from evals.retrieval_asked import gain_of
from evals.retrieval_learning import FEWEST, Asked, Learning, certify, divided, learn, parts
from plumbline.errors import InputError
from rag.index.store import Found, Ranking
from rag.retrieve.learned import Way
from rag.types import Chunk, Hit


def questions(count: int, *, dense: float, lexical: float, seed: int = 0) -> list[Asked]:
    """Questions over 20 points with one relevant each, which stands out by so much on either side."""
    random = np.random.default_rng(seed)
    found = []
    for number in range(count):
        sides = []
        for strength in (dense, lexical):
            scores = random.normal(size=20)
            scores[0] += strength
            sides.append([(str(row), float(scores[row])) for row in np.argsort(-scores)])
        found.append(Asked(Found(*sides), {"0": 1.0}, reciprocal, str(number)))
    return found


def reciprocal(ranking: Ranking) -> float:
    return next((1 / rank for rank, (id_, _) in enumerate(ranking, 1) if id_ == "0"), 0.0)


def learning(dense_weight: float = 0.5) -> Learning:
    return Learning({str(row): vector for row, vector in enumerate(np.eye(20, dtype=np.float32))}, dense_weight)


def test_two_good_halves_are_learned_and_certified() -> None:
    learned = learn(learning(), questions(200, dense=1.5, lexical=1.5), "mrr", 0.05, 0.01, 0)
    certificate = learned.certificate
    assert (certificate.use, certificate.certified, certificate.questions, learned.fitted_on) == (
        "learned",
        True,
        133,
        67,
    )
    assert set(certificate.values) == set(get_args(Way))
    assert certificate.values["learned"] > max(certificate.values["lexical"], certificate.values["dense"])
    assert learned.weights.neighbours == 0.0
    assert learned.cross_validated.low < learned.cross_validated.estimate < learned.cross_validated.high


def test_a_half_that_says_nothing_gets_little_weight() -> None:
    weights = learning().fit(questions(300, dense=0.0, lexical=2.0)).features
    assert abs(weights["dense"]) < 0.3 < weights["lexical"]


def test_a_strong_pull_leaves_the_default() -> None:
    asked = questions(100, dense=0.0, lexical=2.0)
    pulled, usual = (Learning(learning().vectors, 0.5, *penalty).fit(asked).features for penalty in ((1000.0,), ()))
    assert list(pulled.values()) == pytest.approx(learning().prior(), abs=0.01)
    assert abs(usual["dense"]) < 0.5 < learning().prior()[1]


def test_a_default_that_hurts_is_not_certified() -> None:
    asked = questions(120, dense=0.0, lexical=2.0)
    weights = learning(0.9).fit(asked)
    values = learning(0.9).values(asked, weights)
    values["learned"] = values["weighted"]
    certificate = certify(
        values,
        [each.cluster for each in asked],
        fallback="lexical",
        metric="mrr",
        delta=0.05,
        margin=0.01,
        seed=0,
    )
    assert (certificate.use, certificate.certified) == ("lexical", False)
    worst = next(each for each in certificate.comparisons if each.against == "lexical")
    assert worst.low < worst.difference < 0


@pytest.mark.parametrize("gain", [0.0, -0.2])
def test_a_certificate_is_rarely_wrong(gain: float) -> None:
    """Of ways that are truly as good as a half, or worse by more than the margin."""
    random = np.random.default_rng(1)
    wrong = 0
    for seed in range(30):
        base = random.random(80)
        values: dict[Way, list[float]] = {"lexical": base.tolist(), "dense": (base - 0.5).tolist()}
        for way in ("learned", "weighted"):
            values[way] = (base + gain + random.normal(scale=0.2, size=80)).tolist()
        made = certify(
            values, [str(n) for n in range(80)], fallback="lexical", metric="m", delta=0.05, margin=0.0, seed=seed
        )
        wrong += made.certified
    assert wrong <= 5  # of 30, when 1.5 are allowed on average


def test_too_few_questions_are_refused() -> None:
    with pytest.raises(InputError, match=f"Only 5 of the 5 labelled .* {FEWEST} are needed"):
        learn(learning(), questions(5, dense=1.0, lexical=1.0), "mrr", 0.05, 0.01, 0)
    same = [Asked(each.found, each.gains, each.score, "one") for each in questions(60, dense=1.0, lexical=1.0)]
    with pytest.raises(InputError, match="one group"):
        divided(same, 0)


def test_empty_sides_and_equal_scores_are_learned_from() -> None:
    equal = [(str(row), 1.0) for row in range(20)]
    for found in (Found([], equal), Found(equal, []), Found(equal, equal)):
        asked = [Asked(found, {"0": 1.0}, reciprocal, str(number)) for number in range(60)]
        learned = learn(learning(), asked, "mrr", 0.05, 0.01, 0)
        assert learned.certificate.use in get_args(Way)
        assert all(np.isfinite(list(learned.weights.features.values())))


def test_clusters_are_never_divided() -> None:
    clusters = [str(number // 3) for number in range(60)]
    part = parts(clusters, 5, 0)
    assert all(len({own for own, name in zip(part, clusters, strict=True) if name == each}) == 1 for each in clusters)
    assert set(part) == set(range(5))
    assert part == parts(clusters, 5, 0) != parts(clusters, 5, 1)


def test_the_gain_of_a_chunk() -> None:
    hit = Hit(Chunk("c", "d", 0, 10, 30, "x" * 20, 5, page=2), "a.txt", 0.0)
    spans = (GoldSpan("a.txt", 0, 20), GoldSpan("a.txt", 25, 35), GoldSpan("b.txt", 10, 20))
    assert gain_of(Example("1", "?", spans=spans), hit) == pytest.approx((10 + 5) / 40)
    assert gain_of(Example("1", "?", pages=(("a.txt", 2),)), hit) == 1.0
    assert gain_of(Example("1", "?", pages=(("a.txt", 3),)), hit) == 0.0
    assert gain_of(Example("1", "?", documents=("a.txt",)), hit) == 1.0
    assert gain_of(Example("1", "?", documents=("a.txt",), grades={"a.txt": 3, "b.txt": 1}), hit) == 3.0
    assert gain_of(Example("1", "?", grades={"a.txt": -1}), hit) == 0.0
