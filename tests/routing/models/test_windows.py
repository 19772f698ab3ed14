from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.text.tokens import tokenizer
from routing.models.windows import windows

TOKENIZER = tokenizer()


def test_a_text_that_fits_is_one_window() -> None:
    assert list(windows("A short text.", 4, TOKENIZER)) == [(0, 13, 4)]
    assert list(windows("A short text.", None, TOKENIZER)) == [(0, 13, 4)]


def test_windows_begin_at_words() -> None:
    text = "harbour crane cargo vessel container anchor deck pilot"
    assert [(text[start:end], tokens) for start, end, tokens in windows(text, 6, TOKENIZER)] == [
        ("harbour crane cargo vessel ", 6),
        ("container anchor deck pilot", 4),
    ]


@pytest.mark.parametrize("text", ["東京は日本の首都です。" * 20, "x" * 500, "🚲" * 50])
def test_texts_without_spaces(text: str) -> None:
    spans = list(windows(text, 16, TOKENIZER))
    assert "".join(text[start:end] for start, end, _ in spans) == text
    assert max(tokens for _, _, tokens in spans) <= 16


@given(st.text(max_size=300), st.integers(1, 20))
def test_nothing_is_lost_and_every_window_fits(text: str, limit: int) -> None:
    spans = list(windows(text, limit, TOKENIZER))
    assert "".join(text[start:end] for start, end, _ in spans) == text
    for start, end, tokens in spans:
        assert tokens == max(TOKENIZER.count(text[start:end]), 1)
        assert tokens <= limit or end - start == 1, "only a single character may be longer than the limit"
