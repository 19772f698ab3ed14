from __future__ import annotations

import math

import pytest
import pytrec_eval
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.metrics.ranking import average_precision, ndcg_at_k, precision_at_k, ranked, recall_at_k, reciprocal_rank
from plumbline.errors import InputError

IDS = [f"d{number}" for number in range(12)] + ["é", "z", "Z", "日本"]
KS = (1, 2, 3, 5, 10, 20)
MEASURES = {f"{name}.{','.join(map(str, KS))}" for name in ("recall", "P", "ndcg_cut")} | {"recip_rank", "map"}

scores = st.sampled_from([0.0, 1.0, -1.0, 0.1, 0.1 + 1e-12, 16777216.0, 16777217.0, 1e40, -1e40]) | st.floats(-5, 5)
runs = st.dictionaries(st.sampled_from(IDS), scores, min_size=1)
# -1 is the lowest grade that trec_eval knows: at -2 pytrec_eval writes where it should not, and crashes.
judgements = st.dictionaries(st.sampled_from([*IDS, "never-found"]), st.integers(-1, 4), min_size=1)


@settings(max_examples=400)
@given(runs, judgements)
def test_equals_trec_eval(run: dict[str, float], qrels: dict[str, int]) -> None:
    """Ties, differences below single precision, infinities, graded, negative and missing judgements included."""
    theirs = pytrec_eval.RelevanceEvaluator({"q": qrels}, MEASURES).evaluate({"q": run})["q"]
    ours = {"recip_rank": reciprocal_rank(run, qrels), "map": average_precision(run, qrels)}
    for k in KS:
        ours |= {
            f"recall_{k}": recall_at_k(run, qrels, k),
            f"P_{k}": precision_at_k(run, qrels, k),
            f"ndcg_cut_{k}": ndcg_at_k(run, qrels, k),
        }
    for name, value in ours.items():
        if max(qrels.values()) > 0:
            assert value == pytest.approx(theirs[name], abs=1e-9), name
        else:
            assert value is None
            assert theirs[name] == 0


def test_by_hand() -> None:
    qrels = {"a": 3, "b": 1, "c": 0, "e": 2}
    order = ["c", "a", "x", "b"]
    assert recall_at_k(order, qrels, 2) == pytest.approx(1 / 3)
    assert precision_at_k(order, qrels, 10) == pytest.approx(0.2)
    assert reciprocal_rank(order, qrels) == 0.5
    assert average_precision(order, qrels) == pytest.approx((1 / 2 + 2 / 4) / 3)
    ideal = 3 + 2 / math.log2(3) + 1 / 2
    assert ndcg_at_k(order, qrels, 4) == pytest.approx((3 / math.log2(3) + 1 / math.log2(5)) / ideal)


def test_grades_below_zero_are_not_relevant_however_low() -> None:
    order = ["a", "b"]
    assert ndcg_at_k(order, {"a": -7, "b": 2}, 2) == ndcg_at_k(order, {"b": 2}, 2)
    assert recall_at_k(order, {"a": -7, "b": 2}, 1) == 0


def test_ties_go_to_the_later_id() -> None:
    assert ranked({"a": 1.0, "c": 1.0, "b": 1.0 + 1e-12, "z": 0.5}) == ["c", "b", "a", "z"]


def test_an_order_is_taken_as_given_and_repeats_count_once() -> None:
    assert ranked(["b", "a", "b", "c"]) == ["b", "a", "c"]
    assert recall_at_k(["x", "x", "a"], {"a": 1}, 2) == 1


@pytest.mark.parametrize("qrels", [{}, {"a": 0}, {"a": -1}])
def test_without_a_relevant_document_nothing_is_measured(qrels: dict[str, int]) -> None:
    order = ["a", "b"]
    at_one = [function(order, qrels, 1) for function in (recall_at_k, precision_at_k, ndcg_at_k)]
    assert [*at_one, reciprocal_rank(order, qrels), average_precision(order, qrels)] == [None] * 5


def test_an_empty_ranking_finds_nothing() -> None:
    assert reciprocal_rank([], {"a": 1}) == average_precision({}, {"a": 1}) == ndcg_at_k([], {"a": 1}, 5) == 0


def test_wrong_input_is_told() -> None:
    with pytest.raises(InputError, match="at least 1; 0 was given"):
        recall_at_k(["a"], {"a": 1}, 0)
    with pytest.raises(InputError, match="'b' is NaN"):
        ndcg_at_k({"a": 1.0, "b": math.nan}, {"a": 1}, 1)
    with pytest.raises(InputError, match="list of ids"):
        ranked("abc")
