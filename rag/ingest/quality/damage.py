"""Finds what went wrong when text was encoded, decoded or recognised."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

Damage = Literal["replaced", "mojibake", "garbled"]

# UTF-8 read as Latin-1 or Windows-1252: a lead byte of two or three as a letter, then continuation bytes as these
# signs ("Ã©", "â€™", "Ð¿Ñ€"). In real text these letters stand before letters.
_MOJIBAKE = re.compile(
    r"(?:[\u00c2\u00c3\u00d0\u00d1][\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc"
    r"\u2013\u2014\u2018-\u201a\u201c-\u201e\u2020-\u2022\u2026\u2030\u2039\u203a\u20ac\u2122])"
    r"|\u00e2\u20ac[\u0080-\u00bf\u0153\u02dc\u2122\u201c\u201d\u00a6\u00a2\u2013\u2014]?|\u00ef\u00bb\u00bf|\u00ef\u00bf\u00bd"
)
_REPLACED = re.compile("\ufffd+")
# A digit or sign inside of a word ("c0mpany", "pro|it"), five consonants and more without a vowel between small letters
# ("rnttvsk"), a letter four times in a row, letters set apart ("t h e  w o r d").
_GARBLED = re.compile(
    r"(?<![\w.@/:#%=&?+-])(?:[a-z]{2,}[0-9|!]{1,2}[a-z]{2,}|[A-Za-z]?[b-df-hj-np-tv-xz]{7,}[a-z]*"
    r"|[a-z]*([a-z])\1{3,}[a-z]*)(?![\w.@/:#%=&?+-])"
    r"|(?<!\S)(?:[A-Za-z] ){5,}[A-Za-z](?!\S)"
)
_PROSE = frozenset({"text/html", "text/markdown", "text/plain", "application/pdf", "application/rtf"})


def is_prose(media_type: str) -> bool:
    """Whether a format holds running text, in which words can be told from damage: no tables, no code."""
    return media_type in _PROSE or "word" in media_type or "opendocument.text" in media_type or "epub" in media_type


def find_damage(text: str, *, prose: bool = True) -> Iterator[tuple[Damage, int, int]]:
    """What is damaged as kind, start and end, kind by kind; words are looked at in prose alone."""
    for match in _REPLACED.finditer(text):
        yield "replaced", *match.span()
    if not text.isascii():
        for match in _MOJIBAKE.finditer(text):
            yield "mojibake", *match.span()
    if prose:
        for match in _GARBLED.finditer(text):
            yield "garbled", *match.span()
