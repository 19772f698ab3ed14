"""Numbers written as words: English up to trillions, and the small ones of Spanish, German and French.

"one" counts unless it is a pronoun or an article ("no one", "one of them"); so do "un", "ein" and "une" never.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_BIG = {"thousand": 1_000, "million": 10**6, "billion": 10**9, "trillion": 10**12}
# "once" is an English word and "null" no German number in English text; "six" is the same in French.
_SPANISH = """
cero - dos tres cuatro cinco seis siete ocho nueve diez - doce trece catorce quince dieciséis diecisiete dieciocho
diecinueve veinte
"""
_GERMAN = """
- eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn achtzehn
neunzehn zwanzig
"""
_FRENCH = "zéro - deux trois quatre cinq - sept huit neuf dix onze douze treize quatorze quinze seize - - - vingt"

_SMALL = {word: value for value, word in enumerate(_ONES.split())}
_TIMES = {"once": 1, "twice": 2}
_TEN = {word: value for value, word in enumerate(_TENS.split(), 2)}
_FOREIGN = {
    word: value for words in (_SPANISH, _GERMAN, _FRENCH) for value, word in enumerate(words.split()) if word != "-"
}
_VALUES = _SMALL | {word: 10 * value for word, value in _TEN.items()} | _FOREIGN | _TIMES
_NUMBER_WORD = "|".join(sorted([*_SMALL, *_TEN, "hundred", *_BIG], key=len, reverse=True))
_RUN = re.compile(
    rf"\b(?:(?:{_NUMBER_WORD})|an?\s(?=(?:hundred|thousand|million|billion|trillion|dozen)\b)(?:\w+))"
    rf"(?:(?:[\s-]|\sand\s)(?:{_NUMBER_WORD})\b)*\b|\b(?:{'|'.join([*_FOREIGN, *_TIMES])})\b",
    re.IGNORECASE,
)
_PRONOUN_BEFORE = re.compile(r"\b(?:no|any|every|some|each|this|that|the|which|another)[\s-]$", re.IGNORECASE)
_PRONOUN_AFTER = re.compile(r"\s(?:of|another|who|that|which|can|could|may|might|must|is|was|day)\b", re.IGNORECASE)


def spelled_out(text: str) -> Iterator[tuple[Decimal, int, int]]:
    """(value, start, end) of each number in words, in order; words behind digits ("1.6 million") are no number."""
    for match in _RUN.finditer(text):
        words = re.findall(r"[^\W\d_]+", match[0].casefold())
        if words[0] in {"hundred", *_BIG} or (words == ["one"] and _is_pronoun(text, match)):
            continue
        yield Decimal(_value(words)), match.start(), match.end()


def _is_pronoun(text: str, match: re.Match[str]) -> bool:
    before = _PRONOUN_BEFORE.search(text, max(0, match.start() - 12), match.start())
    return before is not None or _PRONOUN_AFTER.match(text, match.end()) is not None


def _value(words: list[str]) -> int:
    """As spoken: smaller numbers add, "hundred" multiplies what came before it, thousands and up close a group."""
    total = group = 0
    for word in words:
        if word in {"a", "an"}:
            group = 1
        elif word == "dozen":
            group *= 12
        elif word == "hundred":
            group = max(group, 1) * 100
        elif word in _BIG:
            total, group = total + max(group, 1) * _BIG[word], 0
        elif word != "and":
            group += _VALUES[word]
    return total + group
