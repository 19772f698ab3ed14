"""The words of an answer that say something, written so that two ways of saying it look the same.

Stems without function words, accents or case; numbers and ordinals in words become digits ("sixth", "6th" and "six" are
"6"), initials are joined ("B. R." and "B.R." are "br"). Used to compare answers, not to search.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import lru_cache

from evals.metrics.text import tokens
from plumbline.text.common import common_terms
from plumbline.text.number_words import spelled_out
from plumbline.text.terms import terms

COMMON_WEIGHT = 0.5
ASKED_WEIGHT = 0.2
"""What a term counts that is common, or that the question has said already, beside 1 for any other."""

_ORDINALS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth "
    "sixteenth seventeenth eighteenth nineteenth twentieth"
)
_NTH = {word: str(number) for number, word in enumerate(_ORDINALS.split(), 1)}
_ORDINAL_WORD = re.compile(rf"\b(?:{'|'.join(_NTH)})\b", re.IGNORECASE)
_ORDINAL_DIGITS = re.compile(r"\b(\d+)(?:st|nd|rd|th)\b", re.IGNORECASE)
_INITIALS = re.compile(r"\b(?:[^\W\d_]\.\s?){1,4}(?=\W|$|[^\W\d_]{2})")
_LONG = 4  # letters from which a word that begins another counts as the same: "confeder" and "confederaci"
_ALIKE = 0.83


@lru_cache(maxsize=4096)
def content_terms(text: str, language: str = "en") -> tuple[str, ...]:
    """The terms of `text`; of a text of function words alone ("The Who"), its words."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    plain = unicodedata.normalize("NFKC", plain)
    pieces, last = [], 0
    for value, start, end in spelled_out(plain):
        pieces += [plain[last:start], str(value)]
        last = end
    plain = "".join([*pieces, plain[last:]])
    plain = _ORDINAL_WORD.sub(lambda match: _NTH[match[0].casefold()], plain)
    plain = _ORDINAL_DIGITS.sub(r"\1", plain)
    plain = _INITIALS.sub(lambda match: match[0].replace(".", "").replace(" ", "") + " ", plain)
    return tuple(terms(plain, language)) or tokens(text)


def likeness(one: str, other: str) -> float:
    """1 for the same term, a little less for one that begins the other or differs by a letter or two, else 0."""
    if one == other:
        return 1.0
    if one.isdigit() or other.isdigit() or min(len(one), len(other)) < _LONG or one[0] != other[0]:
        return 0.0
    if one.startswith(other) or other.startswith(one):
        return 0.9
    alike = min(len(one), len(other)) > _LONG and SequenceMatcher(None, one, other, autojunk=False).ratio() >= _ALIKE
    return 0.85 if alike else 0.0


def weight(term: str, asked: frozenset[str]) -> float:
    """How much a term of the gold answer says, given the terms of the question."""
    return (COMMON_WEIGHT if term in common_terms() else 1.0) * (ASKED_WEIGHT if term in asked else 1.0)


def aligned(gold: Sequence[str], answer: Sequence[str]) -> list[tuple[float, int]]:
    """For each term of the gold, its best likeness in the answer and where that stands; (0, -1) where it is not."""
    first = {term: index for index, term in reversed(list(enumerate(answer)))}
    found: list[tuple[float, int]] = []
    for term in gold:
        if term in first:
            found.append((1.0, first[term]))
        else:
            best, place = max(((likeness(term, other), -index) for other, index in first.items()), default=(0.0, 1))
            found.append((best, -place) if best else (0.0, -1))
    return found
