from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from plumbline.text.tokens import tokenizer
from routing.models.batches import Limits, batches, pieces, requests_of

TEXTS = st.lists(st.integers(0, 12).map(lambda words: " ".join(["word"] * words)), max_size=12)
LIMITS = st.builds(Limits, st.integers(1, 4), st.integers(1, 15), st.sampled_from([None, 3, 20]))


@given(TEXTS, LIMITS)
def test_every_text_is_in_one_group_and_every_group_is_one_request(texts: list[str], limits: Limits) -> None:
    groups = requests_of(texts, limits, tokenizer())
    assert [row for group in groups for row in group] == list(range(len(texts)))
    for group in groups:
        sent = list(pieces([texts[row] for row in group], limits.of_one_text, tokenizer()))
        several = len([row for row in group if texts[row].strip()]) > 1
        assert not several or len(list(batches(sent, limits))) == 1


@given(TEXTS, LIMITS)
def test_batches_lose_nothing_and_stay_within_the_limits(texts: list[str], limits: Limits) -> None:
    found = list(pieces(texts, limits.of_one_text, tokenizer()))
    made = list(batches(found, limits))
    assert [piece for batch in made for piece in batch] == found
    assert all(len(batch) <= limits.texts for batch in made)
    assert all(len(batch) == 1 or sum(piece[2] for piece in batch) <= limits.tokens for batch in made)
