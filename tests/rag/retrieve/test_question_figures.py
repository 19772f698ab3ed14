"""Questions for figures, and passages full of them."""

from __future__ import annotations

import pytest

from rag.retrieve.question_figures import asks_for_figures, figures_share, prefer_figures

TABLE = "| Revenue | 2,310 | 2,105 |\n| Costs | 1,880 | 1,790 |"
PROSE = "Revenue is recognised when control of the goods has passed to the customer."


@pytest.mark.parametrize(
    ("question", "asks"),
    [
        ("What was the operating margin in 2022?", True),
        ("How many people work there?", True),
        ("Did attendance increase?", True),
        ("What is the total number of shops?", True),
        ("What is the phone number of support?", False),
        ("What is the part number of the red valve?", False),
        ("When does the support desk open in 2024?", False),
        ("Sleep increases attention.", False),
        ("Who is the new chair?", False),
        ("Why was the project stopped?", False),
    ],
)
def test_questions_for_figures(question: str, asks: bool) -> None:
    assert asks_for_figures(question) is asks


def test_the_share_of_figures() -> None:
    assert figures_share(TABLE) == pytest.approx(4 / 6)
    assert figures_share(PROSE) == 0
    assert figures_share(" | | ") == 0


def test_a_table_overtakes_prose_that_is_a_little_better() -> None:
    ranking = [("prose", 9.0), ("table", 6.0), ("last", 1.0)]
    texts = {"prose": PROSE, "table": TABLE, "last": TABLE}
    assert [id_ for id_, _ in prefer_figures(ranking, texts, 3.0)] == ["table", "prose", "last"]
    assert [id_ for id_, _ in prefer_figures(ranking, texts, 0.0)] == ["prose", "table", "last"]


def test_nothing_and_equal_scores() -> None:
    assert prefer_figures([], {}) == []
    assert prefer_figures([("a", 2.0), ("b", 2.0)], {}) == [("a", 1.0), ("b", 1.0)]
