"""The weights of the extractive model, written by `benchmarks/fit_extractive.py`, which says from what.

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


LEXICAL = Weights(
    rank={
        "overlap": 5.156,
        "plain_overlap": 3.384,
        "passage_overlap": 2.766,
        "rank": 2.214,
        "heading": 1.905,
        "previous": 2.433,
        "following": 1.435,
        "previous_pronoun": 1.340,
        "following_pronoun": 0.559,
        "previous_overlap": 0.068,
        "following_overlap": 0.170,
        "first": 0.208,
        "length": 0.483,
        "new_terms": -0.275,
        "new_names": -0.020,
        "new_figures": -0.102,
        "names": -0.575,
        "numbers": -0.281,
        "pairs": 0.917,
        "label": -2.000,
        "person": 1.837,
        "time": 2.427,
        "quantity": 2.044,
        "share": 1.613,
        "money": 2.276,
        "place": 0.498,
        "reason": 0.064,
        "definition": -1.413,
    },
    confidence={
        "score": 0.093,
        "margin": 0.204,
        "both": 0.365,
        "unnamed": 0.441,
        "terms": 0.606,
        "held": -0.079,
        "passages": -0.272,
        "passage_overlap": 1.334,
        "previous": 0.057,
        "following": -0.076,
        "overlap": 0.116,
        "plain_overlap": 2.315,
        "names": 1.180,
        "numbers": 0.551,
        "pairs": -0.190,
    },
    bias=-4.001,
    default_threshold=0.20,
)

WITH_WORDS = Weights(
    rank={
        "overlap": 0.908,
        "plain_overlap": 0.504,
        "passage_overlap": 1.688,
        "rank": 1.578,
        "heading": 1.655,
        "previous": 1.887,
        "following": 0.820,
        "previous_pronoun": 1.582,
        "following_pronoun": 0.642,
        "previous_overlap": 0.156,
        "following_overlap": 0.304,
        "first": 0.321,
        "length": 0.160,
        "new_terms": -0.196,
        "new_names": -0.010,
        "new_figures": -0.213,
        "names": -0.777,
        "numbers": -0.091,
        "pairs": 0.317,
        "label": -2.000,
        "person": 1.714,
        "time": 2.487,
        "quantity": 2.037,
        "share": 1.460,
        "money": 2.548,
        "place": 0.426,
        "reason": -0.282,
        "definition": -1.226,
        "alike": 4.763,
        "alike_weighted": 5.322,
        "alike_previous": 0.949,
        "alike_following": 0.829,
        "alike_passage": 2.842,
    },
    confidence={
        "score": 0.100,
        "margin": 0.208,
        "both": 0.003,
        "unnamed": 0.109,
        "terms": 0.326,
        "held": -0.045,
        "passages": -0.179,
        "passage_overlap": 0.076,
        "previous": -0.436,
        "following": -1.219,
        "overlap": -0.846,
        "plain_overlap": 1.141,
        "names": 0.696,
        "numbers": 0.722,
        "pairs": -0.884,
        "alike": 1.982,
        "alike_weighted": 0.033,
        "alike_previous": 0.580,
        "alike_following": 1.449,
        "alike_passage": 1.321,
        "similarity": 3.128,
    },
    bias=-5.010,
    default_threshold=0.18,
)
