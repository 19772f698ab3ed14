"""Comparing answers as text: exact match, token F1, token recall, alias recall.

Normalised as in SQuAD's evaluation (Rajpurkar et al., 2016), for any script: NFKC, case folded, punctuation and symbols
dropped, white space made one blank, and the articles "a", "an", "the" dropped when `language` says English. Apart from
SQuAD: a mark between two words is a blank ("well-known" is two words), thousands separators go and decimal
points stay ("1,000.5" is "1000.5"), and in scripts without spaces each character is a token. All of them are 1 at best
and `None` without gold answers; of several, the one that fits best counts.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

_ENGLISH_ARTICLES = frozenset({"a", "an", "the"})
_GROUP = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_INSIDE = re.compile(r"(?<=\w)['\u2019\u02bc](?=\w)|(?<=\b[^\W\d_])\.(?=[^\W\d_]\b)|(?<=\.[^\W\d_])\.(?!\w)")
_POINT = re.compile(r"(?<=\d)\.(?=\d)")
_UNSPACED = re.compile(r"([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff])")
_KEPT = "\x1f"


@lru_cache(maxsize=4096)
def tokens(text: str, language: str | None = None) -> tuple[str, ...]:
    """The normalised words of `text`, in order; `language` is an ISO 639-1 code, and only English changes anything."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    folded = _POINT.sub(_KEPT, _INSIDE.sub("", _GROUP.sub("", folded)))
    spaced = "".join(
        character if character == _KEPT or unicodedata.category(character)[0] not in "PSCZ" else " "
        for character in folded
    )
    words = _UNSPACED.sub(r" \1 ", spaced).replace(_KEPT, ".").split()
    if language is not None and language[:2].casefold() == "en":
        words = [word for word in words if word not in _ENGLISH_ARTICLES]
    return tuple(words)


def normalised(text: str, language: str | None = None) -> str:
    """The tokens of `text` with one blank between."""
    return " ".join(tokens(text, language))


def exact_match(answer: str, golds: Sequence[str], language: str | None = None) -> float | None:
    """1 when the normalised answer equals a normalised gold answer, else 0."""
    given = _tokens(answer, language)
    return max((float(given == _tokens(gold, language)) for gold in golds), default=None)


def token_f1(answer: str, golds: Sequence[str], language: str | None = None) -> float | None:
    """The harmonic mean of token precision and recall, repeats counted, as in SQuAD."""
    given = _tokens(answer, language)
    return max((_f1(given, _tokens(gold, language)) for gold in golds), default=None)


def token_recall(answer: str, golds: Sequence[str], language: str | None = None) -> float | None:
    """The share of the gold answer's tokens that the answer holds, repeats counted."""
    given = _tokens(answer, language)
    return max(
        (_shared(given, wanted) / len(wanted) for gold in golds if (wanted := _tokens(gold, language))), default=None
    )


def alias_recall(answer: str, golds: Sequence[str], language: str | None = None) -> float | None:
    """1 when the answer contains a gold answer whole, at the boundaries of words, else 0."""
    given = _tokens(answer, language)
    return max((float(contains(given, _tokens(gold, language))) for gold in golds), default=None)


def contains(words: Sequence[str], part: Sequence[str]) -> bool:
    """Whether `part` stands in `words` as one run; nothing is contained nowhere."""
    length = len(part)
    return length > 0 and any(words[i : i + length] == part for i in range(len(words) - length + 1))


def _tokens(text: str, language: str | None) -> tuple[str, ...]:
    """Normalised tokens; a text of symbols or articles alone is compared as it stands."""
    return tokens(text, language) or tokens(text) or tuple(text.split())


def _f1(given: tuple[str, ...], wanted: tuple[str, ...]) -> float:
    if not given or not wanted:
        return float(given == wanted)
    return 2 * _shared(given, wanted) / (len(given) + len(wanted))


def _shared(given: tuple[str, ...], wanted: tuple[str, ...]) -> int:
    return (Counter(given) & Counter(wanted)).total()
