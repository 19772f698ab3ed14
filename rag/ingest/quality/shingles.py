"""Texts as sets of shingles: runs of words, whose overlap says how alike two texts are (Broder 1997).

This module imports numpy; import it lazily.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]

SHINGLE_WORDS = 3
"""Words in a shingle: one changed word in fifty leaves two texts at a similarity of .88."""

_WORD = re.compile(
    r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]|[^\W_]+"
)
_MEMO = 2**16


def shingles(text: str) -> Hashes:
    """The sorted hashes, each once, of all runs of `SHINGLE_WORDS` words; of all words where there are fewer.

    Words are in lower case, a character of a script without spaces is a word. Equal on every machine.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    words = np.fromiter(map(_word_hash, _WORD.findall(folded)), np.uint64)
    if not len(words):
        return words
    width = min(SHINGLE_WORDS, len(words))
    count = len(words) - width + 1
    mixed = np.zeros(count, np.uint64)
    for place in range(width):
        mixed = _mix(mixed + words[place : place + count])
    return np.unique(mixed)


def jaccard(one: Hashes, other: Hashes) -> float:
    """The share of the shingles of both that they have in common, in [0, 1]; 1 for two empty sets."""
    common = len(np.intersect1d(one, other, assume_unique=True))
    union = len(one) + len(other) - common
    return common / union if union else 1.0


@lru_cache(maxsize=_MEMO)
def _word_hash(word: str) -> int:
    return int.from_bytes(blake2b(word.encode("utf-8", "replace"), digest_size=8).digest(), "little")


def _mix(values: Hashes) -> Hashes:
    """The finaliser of splitmix64 (Steele, Lea and Flood 2014), so that the order of words counts."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
