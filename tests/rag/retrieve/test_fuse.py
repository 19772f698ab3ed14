from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.errors import InputError
from rag.retrieve.fuse import dbsf, default_dense_weight, filled, one_after_the_other, rrf, standardised, weighted

DENSE = [("a", 0.9), ("b", 0.8), ("c", 0.5)]
LEXICAL = [("c", 12.0), ("a", 9.0), ("d", 2.0)]


def test_rrf_sums_reciprocal_ranks() -> None:
    fused = rrf([DENSE, LEXICAL])
    assert [id_ for id_, _ in fused] == ["a", "c", "b", "d"]
    assert [score for _, score in fused] == pytest.approx([1 / 61 + 1 / 62, 1 / 63 + 1 / 61, 1 / 62, 1 / 63])


def test_rrf_weights_let_one_list_lead() -> None:
    assert [id_ for id_, _ in rrf([DENSE, LEXICAL], weights=[0.1, 1.0])] == ["c", "a", "d", "b"]
    assert [id_ for id_, _ in rrf([DENSE, LEXICAL], weights=[1, 0])][:3] == ["a", "b", "c"]


def test_a_smaller_k_favours_the_top_ranks() -> None:
    first_once = [("x", 3.0), ("p", 2.0), ("y", 1.0)]
    third_twice = [("q", 3.0), ("r", 2.0), ("y", 1.0)]
    assert rrf([first_once, third_twice], k=60)[0][0] == "y"
    assert rrf([first_once, third_twice], k=0)[0][0] == "x"


def test_rrf_ties_keep_the_order_of_appearance() -> None:
    assert [id_ for id_, _ in rrf([[("z", 1.0)], [("a", 1.0)]])] == ["z", "a"]


def test_weighted_with_min_and_max() -> None:
    fused = weighted(DENSE, LEXICAL, 0.5, "minmax")
    assert [id_ for id_, _ in fused] == ["a", "c", "b", "d"]
    assert [score for _, score in fused] == pytest.approx([0.5 * 1 + 0.5 * 0.7, 0.5, 0.5 * 0.75, 0])


def test_weighted_with_the_floor_of_the_measure() -> None:
    fused = dict(weighted(DENSE, LEXICAL, 0.5, normalise="max"))
    assert fused["b"] == pytest.approx(0.5 * (0.8 + 1) / (0.9 + 1))
    assert fused["d"] == pytest.approx(0.5 * 2 / 12)


@pytest.mark.parametrize(("weight", "order"), [(1.0, ["a", "b"]), (0.0, ["c", "a"])])
def test_the_ends_of_the_weight_are_the_lists_themselves(weight: float, order: list[str]) -> None:
    assert [id_ for id_, _ in weighted(DENSE, LEXICAL, weight)][:2] == order


def test_a_missing_list_leaves_the_other() -> None:
    assert [id_ for id_, _ in weighted(DENSE, [], 0.2)] == ["a", "b", "c"]
    assert weighted([], LEXICAL, 0.25, "minmax")[0] == ("c", 0.75)
    assert weighted([], [], 0.5) == []
    assert rrf([]) == []


def test_equal_scores_all_count_in_full() -> None:
    assert weighted([("a", 0.3)], [("b", 4.0), ("c", 4.0)], 0.4) == [("b", 0.6), ("c", 0.6), ("a", 0.4)]


@pytest.mark.parametrize("weight", [-0.1, 1.1, float("nan")])
def test_a_weight_outside_is_refused(weight: float) -> None:
    with pytest.raises(InputError, match="dense_weight"):
        weighted(DENSE, LEXICAL, weight)


def test_wrong_rrf_settings_are_refused() -> None:
    with pytest.raises(InputError, match="one weight"):
        rrf([DENSE, LEXICAL], weights=[1.0])
    with pytest.raises(InputError, match="one weight"):
        rrf([DENSE], weights=[-1.0])
    with pytest.raises(InputError, match="k >= 0"):
        rrf([DENSE], k=-1)


def test_weighted_by_deviations() -> None:
    fused = dict(weighted([("a", 0.3), ("b", 0.1)], [("c", 9.0), ("a", 7.0), ("d", 5.0)], 0.4))
    third = (3 / 2) ** 0.5  # of 9, 7, 5: mean 7, deviation (8 / 3) ** .5
    assert fused == pytest.approx({"c": 0.6 * third - 0.4, "a": 0.4, "d": -0.6 * third - 0.4, "b": -0.6 * third - 0.4})


def test_scores_in_deviations() -> None:
    assert standardised([]) == ([], 0.0)
    assert standardised([0.1] * 10) == ([1.0] * 10, 0.0)
    scores, missing = standardised([3.0, 1.0])
    assert (scores, missing) == ([1.0, -1.0], -1.0)


def test_distribution_based_fusion_is_qdrants() -> None:
    fused = dict(dbsf([[("a", 3.0), ("b", 1.0)], [("b", 5.0)]]))
    reach = 3 * 2**0.5  # three deviations of the sample 3, 1
    assert fused == pytest.approx({"a": (1 + reach) / (2 * reach), "b": (-1 + reach) / (2 * reach) + 0.5})
    assert dbsf([[("a", 2.0), ("b", 2.0)], []]) == [("a", 0.5), ("b", 0.5)]
    assert dbsf([DENSE, LEXICAL], weights=[1, 0])[0][0] == "a"
    with pytest.raises(InputError, match="DBSF needs one weight"):
        dbsf([DENSE], weights=[1, 1])


def test_one_after_the_other_goes_on_below() -> None:
    assert one_after_the_other(LEXICAL, DENSE) == [*LEXICAL, ("b", 2.0)]
    assert one_after_the_other([], DENSE) == DENSE
    fused = one_after_the_other(DENSE, [("x", 9.0), ("y", 7.0)])
    assert [id_ for id_, _ in fused] == ["a", "b", "c", "x", "y"]
    assert [score for _, score in fused] == sorted((score for _, score in fused), reverse=True)


SCORES = st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0, 1))
RANKINGS = SCORES.map(lambda scores: sorted(scores.items(), key=lambda item: -item[1]))


@given(RANKINGS, RANKINGS, st.floats(0, 1))
def test_fusion_keeps_every_id_once_and_sorts(
    dense: list[tuple[str, float]], lexical: list[tuple[str, float]], w: float
) -> None:
    ways = [weighted(dense, lexical, w, "minmax"), rrf([dense, lexical])]
    for fused in (*ways, weighted(dense, lexical, w), dbsf([dense, lexical]), one_after_the_other(dense, lexical)):
        assert {id_ for id_, _ in fused} == {id_ for id_, _ in dense} | {id_ for id_, _ in lexical}
        scores = [score for _, score in fused]
        assert scores == sorted(scores, reverse=True)
        assert all(0 <= score <= 1 for score in scores) or fused not in ways


def test_static_vectors_weigh_less_by_default_than_a_transformer() -> None:
    assert 0 < default_dense_weight("embedded/wordllama") < default_dense_weight("st/all-MiniLM-L6-v2") < 1


def test_what_holds_no_word_scores_nothing_in_a_complete_search() -> None:
    dense, lexical = [("a", 0.9), ("b", 0.5), ("c", 0.1)], [("c", 4.0), ("a", 2.0)]
    assert filled(dense, lexical) == [("c", 4.0), ("a", 2.0), ("b", 0.0)]
    assert filled(dense, []) == [("a", 0.0), ("b", 0.0), ("c", 0.0)]
    assert filled([], lexical) == lexical
