"""Turns text into the terms of lexical search: words stemmed, function words dropped, numbers and identifiers findable.

The same function must read documents and questions, so it is pure: equal text gives equal terms on every machine.
Stemming is Snowball's (Porter 1980, 2001) through PyStemmer. Scripts written without spaces become overlapping pairs
of characters, as in Lucene's CJKAnalyzer.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from itertools import chain

from plumbline.text.stopwords import STOPWORDS

_LANGUAGES = {
    "ar": "arabic", "ca": "catalan", "cs": "czech", "da": "danish", "de": "german", "el": "greek", "en": "english",
    "eo": "esperanto", "es": "spanish", "et": "estonian", "eu": "basque", "fa": "persian", "fi": "finnish",
    "fr": "french", "ga": "irish", "hi": "hindi", "hu": "hungarian", "hy": "armenian", "id": "indonesian",
    "it": "italian", "lt": "lithuanian", "nb": "norwegian", "ne": "nepali", "nl": "dutch", "nn": "norwegian",
    "no": "norwegian", "pl": "polish", "pt": "portuguese", "ro": "romanian", "ru": "russian", "sr": "serbian",
    "st": "sesotho", "sv": "swedish", "ta": "tamil", "tr": "turkish", "yi": "yiddish",
}  # fmt: skip
_MEMO = 2**16  # raw words remembered per language, at most twice as many: 99 % of running text, some 20 megabytes
_LONGEST = 63  # characters after the first: longer runs are hashes or damage, and are cut to keep the memo small

# Letters, digits, and the combining marks of the scripts that \w leaves out.
_MARKS = (
    r"\u0300-\u036f\u0591-\u05bd\u0610-\u061a\u064b-\u065f"  # Latin, Hebrew, Arabic
    r"\u0900-\u0903\u093a-\u094f\u0962\u0963\u0981-\u0dff"  # Devanagari and the Indic scripts after it
)
_W = rf"[\w{_MARKS}]"
_RUN = rf"[^\W_](?:[^\W_]|[{_MARKS}])*"
_JOINT = r"[-.,'\u2019\u2010]"
# Possessive: nothing is ever given back, since no letter is a joint; two thirds of the time.
_WORD = re.compile(rf"\w{_W}{{0,{_LONGEST}}}+(?:{_JOINT}\w{_W}{{0,{_LONGEST}}}+){{0,7}}+")
_ASCII_WORD = re.compile(rf"\w{{1,{_LONGEST + 1}}}+(?:[-.,']\w{{1,{_LONGEST + 1}}}+){{0,7}}+", re.ASCII)
# Han, kana, Hangul, Thai, Lao, Myanmar, Khmer: no spaces, or words too inflected for them to help.
_UNSPACED = re.compile(
    r"([\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    r"\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]+)"
)

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_GROUPED_BY_DOTS = re.compile(r"\d{1,3}(?:\.\d{3})+,\d+")
_DECIMAL_COMMA = re.compile(r"\d+,\d+")
_ABBREVIATION = re.compile(r"[^\W\d_](?:\.[^\W\d_])+")
_PART = re.compile(rf"\d+(?:[.,]\d+)+|{_RUN}(?:'{_RUN})*")
_PUNCTUATION = re.compile(r"[-_.,']")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_DIGIT_EDGE = re.compile(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")
_MOST_RUNS = 4  # of letters and of digits in turn: more is a hash, whose pieces mean nothing
_ACRONYMS = frozenset({"IT", "WHO"})  # in capitals these are topics, not function words


def terms(text: str, language: str = "en") -> list[str]:
    """The terms of `text`, in order, repeats kept; empty when it holds nothing but function words and punctuation.

    `language` is an ISO 639-1 code ("en", "pt-BR"); one that Snowball does not know is not stemmed. Numbers stay whole
    ("10.5"; "1,000" gives "1000"). A compound gives its parts and, if it is an identifier or holds a digit or a single
    letter, itself joined: "10-K" gives "10", "k", "10k"; "FY2022" gives "fy", "2022", "fy2022"; "max_tokens", like
    "maxTokens", gives "max", "token", "maxtoken"; "long-term" gives "long", "term".
    """
    analyse = _analyser(language)
    if text.isascii():
        return list(chain.from_iterable(map(analyse, _ASCII_WORD.findall(text))))
    text = unicodedata.normalize("NFKC", text).replace("\u00ad", "")
    found: list[str] = []
    for index, piece in enumerate(_UNSPACED.split(text)):
        if index % 2:  # split() returns what the group matched at the odd places
            found.extend(_pairs(piece))
        else:
            found.extend(chain.from_iterable(map(analyse, _WORD.findall(piece))))
    return found


def folded(text: str) -> str:
    """Text as terms are written before they are stemmed: case folded, without accents and surrounding space."""
    return _plain(unicodedata.normalize("NFKC", text).strip().casefold())


def _pairs(run: str) -> list[str]:
    return [run[i : i + 2] for i in range(len(run) - 1)] or [run]


class _Memo(dict[str, tuple[str, ...]]):
    """The terms of raw words, remembered: a dict finds a word in half the time of an `lru_cache`.

    Two generations: what was not asked for while `_MEMO` others were is forgotten.
    """

    def __init__(self, analyse: Callable[[str], list[str]]) -> None:
        super().__init__()
        self._analyse = analyse
        self._before: dict[str, tuple[str, ...]] = {}

    def __missing__(self, word: str) -> tuple[str, ...]:
        found = self._before.get(word)
        if found is None:
            found = tuple(self._analyse(word.replace("\u2019", "'").replace("\u2010", "-")))
        if len(self) >= _MEMO:
            self._before = self.copy()
            self.clear()
        self[word] = found
        return found


@lru_cache(maxsize=16)
def _analyser(language: str) -> Callable[[str], tuple[str, ...]]:
    """The memoised function from a raw word to its terms, for one language."""
    code = re.split("[-_]", language, maxsplit=1)[0].casefold()
    stopwords, stem = STOPWORDS.get(code, frozenset()), _stemmer(code)
    return _Memo(lambda word: _expand(word, stopwords, stem)).__getitem__


def _stemmer(code: str) -> Callable[[str], str]:
    algorithm = _LANGUAGES.get(code)
    if algorithm is None:
        return _plain
    import Stemmer

    here = threading.local()  # one stemmer must not be used by two threads at once

    def stem(word: str) -> str:
        if not hasattr(here, "stemmer"):
            here.stemmer = Stemmer.Stemmer(algorithm, 0)
        found: str = here.stemmer.stemWord(word)
        return found if found.isascii() else _plain(found)

    return stem


def _plain(word: str) -> str:
    """Without accents: people leave them out when they type."""
    if word.isascii():
        return word
    bare = "".join(c for c in unicodedata.normalize("NFD", word) if not "\u0300" <= c <= "\u036f")
    return unicodedata.normalize("NFC", bare)


def _expand(word: str, stopwords: frozenset[str], stem: Callable[[str], str]) -> list[str]:
    """The terms of one raw word: itself, or the parts of a compound and the compound joined."""
    folded = word.casefold()
    if folded in stopwords:
        return [folded] if word in _ACRONYMS else []
    if word.isalpha() and (folded == word or _HUMP.search(word) is None):
        return [stem(folded)]
    if folded == word and all(map(str.isalpha, pieces := word.split("-"))) and len(min(pieces, key=len)) > 1:
        return [stem(piece) for piece in pieces if piece not in stopwords]  # as _compound would, in a third of the time
    if _NUMBER.fullmatch(word):
        return _number(word)
    if _ABBREVIATION.fullmatch(word):
        return [folded.replace(".", "")]
    return _compound(word, stopwords, stem)


def _number(word: str) -> list[str]:
    if _GROUPED.fullmatch(word):
        return [word.replace(",", "")]
    if _GROUPED_BY_DOTS.fullmatch(word):
        word = word.replace(".", "")
    if _DECIMAL_COMMA.fullmatch(word):
        return [word.replace(",", ".")]
    return word.split(",")


def _compound(word: str, stopwords: frozenset[str], stem: Callable[[str], str]) -> list[str]:
    found: list[str] = []
    pieces = [p for part in _PART.findall(word) for p in ([part] if _NUMBER.fullmatch(part) else _HUMP.split(part))]
    for piece in pieces:
        folded = piece.casefold()
        if _NUMBER.fullmatch(piece):
            found.extend(_number(piece))
        elif 1 < len(runs := _DIGIT_EDGE.split(folded)) <= _MOST_RUNS:
            found.extend([*map(stem, runs), folded])
        elif folded not in stopwords:
            found.append(stem(folded))
    joined = _PUNCTUATION.sub("", word).casefold()
    if len(pieces) > 1 and (
        not joined.isalpha() or "_" in word or _HUMP.search(word) or len(min(pieces, key=len)) == 1
    ):
        found.append(stem(joined))  # "state-of-the-art" is better off without: a rare term that repeats its parts
    return found
