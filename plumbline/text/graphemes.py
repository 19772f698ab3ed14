"""What a reader sees as one character, and where a line of text may break: never inside a word or a grapheme.

Graphemes after UAX 29, in what it takes in practice; words are parted by white space, and in scripts that write none,
between ideographs or syllables, but not before a closing mark or after an opening one (UAX 14).
"""

from __future__ import annotations

import re
import unicodedata

_NOT_SPACE = re.compile(r"\S")
_VIRAMA = 9  # the combining class of marks that join two consonants into one letter
_PREPENDED = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0d4e")  # signs drawn over what follows
_PREPENDED |= frozenset("\u0e40\u0e41\u0e42\u0e43\u0e44\u0ec0\u0ec1\u0ec2\u0ec3\u0ec4")  # vowels spoken after it
_LONGEST_RUN = 256  # of letters that make flags in pairs: so far back is looked where one begins
_WIDE = "\u2e80"  # no character before this one stands in a script of ideographs
_NO_START = frozenset(
    "、。，．！？；：）」』】》〉〕｝ー々〻…‥ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ,.!?;:)]}%\"'”’»›°％"
)
_NO_END = frozenset("（「『【《〈〔｛“‘«‹([{$€£¥＄￥#")


def joined(text: str, offset: int, begin: int | None = None) -> bool:
    """Whether text[offset - 1] and text[offset] belong to one grapheme; at `begin` one begins for sure."""
    before, after = text[offset - 1], text[offset]
    if after < "\u0300":
        return before == "\r" and after == "\n"
    if after == "\u200d" or before == "\u200d" or unicodedata.category(after)[0] == "M":
        return True
    if unicodedata.combining(before) == _VIRAMA or before in _PREPENDED:
        return True
    if "\U0001f1e6" <= after <= "\U0001f1ff":  # flags are pairs of letters
        run = offset
        first = max(0, offset - _LONGEST_RUN) if begin is None else begin
        while run > first and "\U0001f1e6" <= text[run - 1] <= "\U0001f1ff":
            run -= 1
        return (offset - run) % 2 == 1
    return (
        "\U0001f3fb" <= after <= "\U0001f3ff"
        or "\U000e0020" <= after <= "\U000e007f"
        or "\u1160" <= after <= "\u11ff"  # Hangul letters that complete a syllable
        or ("\u1100" <= before <= "\u115f" and ("\u1100" <= after <= "\u115f" or "\uac00" <= after <= "\ud7a3"))
        or after in "\u0e33\u0eb3"
    )


def breaks_unspaced(text: str, offset: int) -> bool:
    """Whether a word may end at `offset` with no white space there: beside an ideograph, a kana, a full-width mark."""
    before, after = text[offset - 1], text[offset]
    if before < _WIDE and after < _WIDE:
        return False
    if not (_is_wide(before) or _is_wide(after)) or after in _NO_START or before in _NO_END:
        return False
    return not joined(text, offset)


def _is_wide(character: str) -> bool:
    return (
        _WIDE <= character <= "\u9fff"
        or "\uf900" <= character <= "\ufaff"
        or "\uff01" <= character <= "\uff9f"
        or "\U00020000" <= character <= "\U0003ffff"
    )


def not_space(text: str, offset: int) -> int:
    """The first offset from `offset` on that is not white space, or `len(text)`."""
    found = _NOT_SPACE.search(text, offset)
    return found.start() if found else len(text)


def trimmed_end(text: str, start: int, end: int) -> int:
    """`end` without the white space before it, but not before `start`."""
    while end > start and text[end - 1].isspace():
        end -= 1
    return end


def word_start(text: str, offset: int, end: int) -> int:
    """The first offset from `offset` on at which a word starts, `end` if none starts before."""
    while 0 < offset < end and not text[offset - 1].isspace() and not breaks_unspaced(text, offset):
        offset += 1
    return min(not_space(text, offset), end)


def word_end(text: str, floor: int, limit: int) -> int:
    """The last offset in (floor, limit] at which a word ends, 0 if none does; `limit` is less than `len(text)`."""
    offset = limit
    while offset > floor and not (
        text[offset].isspace() or text[offset - 1].isspace() or breaks_unspaced(text, offset)
    ):
        offset -= 1
    end = trimmed_end(text, floor, offset)
    return end if end > floor else 0


def grapheme_end(text: str, floor: int, limit: int) -> int:
    """The last offset in (floor, limit] between two graphemes, where one begins at `floor`; `limit` if none ends."""
    return next((offset for offset in range(limit, floor, -1) if not joined(text, offset, floor)), limit)
