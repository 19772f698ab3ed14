import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from plumbline.text.graphemes import breaks_unspaced, grapheme_end, joined, not_space, word_end, word_start

# Each a grapheme or the start of one, of scripts that people write.
PIECES = st.sampled_from(
    [
        *"ab1 .é中のไ각",
        "e\u0301",
        "\u0939\u093f",
        "\u0915\u094d\u0937",
        "👩‍👩‍👧",
        "👍🏽",
        "🇩🇪",
        "\r\n",
        "\u1100\u1161",
        "🏴󠁧󠁢󠁳󠁣󠁴󠁿",
    ]
)


@given(st.lists(PIECES, max_size=30).map("".join))
def test_nothing_is_parted_that_unicode_keeps_together(text: str):
    starts = {match.start() for match in regex.finditer(r"\X", text)}
    assert {offset for offset in range(1, len(text)) if not joined(text, offset)} <= starts


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("今天天气很好，我们", "今|天|天|气|很|好，|我|们"),
        ("「はい」と", "「は|い」|と"),
        ("コーヒー5杯", "コー|ヒー|5|杯"),
        ("ちょっと", "ちょっ|と"),
        ("用Python写", "用|Python|写"),
        ("refund window", "refund window"),
        ("안녕하세요", "안녕하세요"),
    ],
)
def test_words_without_spaces_break_where_a_line_may(text: str, parts: str):
    breaks = [offset for offset in range(1, len(text)) if breaks_unspaced(text, offset)]
    assert "|".join(text[a:b] for a, b in zip([0, *breaks], [*breaks, len(text)], strict=True)) == parts


def test_words_start_and_end_at_white_space():
    text = "  refund  window closes"
    assert not_space(text, 0) == 2
    assert not_space("   ", 1) == 3
    assert [word_start(text, offset, len(text)) for offset in (2, 3, 9)] == [2, 10, 10]
    assert word_start(text, 18, len(text)) == len(text)
    assert [word_end(text, 2, limit) for limit in (5, 8, 9, 10, 13, 16)] == [0, 8, 8, 8, 8, 16]


def test_words_of_ideographs_start_and_end_anywhere_but_beside_their_marks():
    text = "退款期限，为三十天"
    assert word_start(text, 3, len(text)) == 3
    assert word_start(text, 4, len(text)) == 5
    assert word_end(text, 0, 4) == 3


def test_a_grapheme_is_cut_only_when_it_is_all_there_is():
    family = "👩‍👩‍👧‍👦"
    assert grapheme_end(family * 3, 0, len(family) * 2 + 3) == len(family) * 2
    assert grapheme_end("a" + "\u0301" * 50, 0, 20) == 20
