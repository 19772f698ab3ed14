"""Gold spans are found in the corpus, or the example that is wrong is named."""

from __future__ import annotations

import pytest

from evals.dataset import Dataset, Example, GoldSpan
from evals.located import located
from plumbline.errors import InputError

TEXTS = {"a.txt": "Goods may be returned\n  within 30 days 🙂 of delivery.", "b.txt": ""}


def one(*spans: GoldSpan, documents: tuple[str, ...] = ("a.txt",)) -> Dataset:
    return Dataset("one", (Example("q", "?", spans=spans, documents=documents),))


def test_quotes_are_found_whatever_white_space_stands_between_their_words() -> None:
    (span,) = located(one(GoldSpan("a.txt", -1, -1, quote="returned within 30")), TEXTS).examples[0].spans
    assert TEXTS["a.txt"][span.start : span.end] == "returned\n  within 30"


def test_offsets_are_code_points_and_checked_against_the_quote() -> None:
    start = TEXTS["a.txt"].index("of")
    kept = GoldSpan("a.txt", start, start + 11, quote=" of  delivery ")
    assert located(one(kept), TEXTS).examples[0].spans == (kept,)


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (one(GoldSpan("a.txt", 50, 99)), "Example 'q': the gold span 50-99 lies outside a.txt, which has"),
        (one(GoldSpan("a.txt", -1, -1, quote="thirty days")), "a.txt does not hold the quote 'thirty days'"),
        (one(GoldSpan("a.txt", 0, 5, quote="Coods")), r"a.txt\[0:5\] reads 'Goods' and not 'Coods'"),
        (one(documents=("a.tx",)), "names the document 'a.tx', which the corpus does not hold. Did you mean 'a.txt'"),
    ],
)
def test_labels_that_the_corpus_does_not_bear_out(dataset: Dataset, message: str) -> None:
    with pytest.raises(InputError, match=message):
        located(dataset, TEXTS)
