"""The sorted terms of a part of the index, as arrays that may be mapped from a file. This module imports numpy."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_CONTINUATION = 0x80  # 10xxxxxx: a byte inside a character of UTF-8
_HIGHEST = chr(0x10FFFF)


@dataclass(frozen=True, slots=True, eq=False)
class Vocabulary:
    """Terms in the order of their UTF-8 bytes, each once; the n-th is `text[ends[n - 1]:ends[n]]`.

    `text` is uint8, `ends` int64.
    """

    text: npt.NDArray[np.uint8]
    ends: npt.NDArray[np.int64]

    @classmethod
    def of(cls, terms: Sequence[str]) -> Vocabulary:
        """From terms that are sorted."""
        together = "".join(terms)
        if together.isascii():
            content, lengths = together.encode(), map(len, terms)
        else:
            encoded = [term.encode("utf-8", "surrogatepass") for term in terms]
            content, lengths = b"".join(encoded), map(len, encoded)
        ends = np.cumsum(np.fromiter(lengths, np.int64, len(terms)), dtype=np.int64)
        return cls(np.frombuffer(content, np.uint8), ends)

    def __len__(self) -> int:
        return len(self.ends)

    def term(self, at: int) -> str:
        """The term at a place."""
        return self._bytes(at).decode("utf-8", "surrogatepass")

    def terms(self, some: range | None = None) -> list[str]:
        """All of them, or those at a run of places."""
        places = range(len(self)) if some is None else some
        if not places:
            return []
        first = self._start(places.start)
        stops = (self.ends[places.start : places.stop] - first).tolist()
        bounds = zip([0, *stops[:-1]], stops, strict=True)
        content = self.text[first : first + stops[-1]].tobytes()
        if content.isascii():
            text = content.decode()
            return [text[start:stop] for start, stop in bounds]
        return [content[start:stop].decode("utf-8", "surrogatepass") for start, stop in bounds]

    def find(self, term: str) -> int | None:
        """The place of a term."""
        wanted = term.encode("utf-8", "surrogatepass")
        at = self._first(wanted)
        return at if at < len(self) and self._bytes(at) == wanted else None

    def beginning(self, prefix: str) -> range:
        """The places of the terms that begin so."""
        start = prefix.encode("utf-8", "surrogatepass")
        past = (prefix + _HIGHEST).encode("utf-8", "surrogatepass")
        return range(self._first(start), self._first(past))

    def only(self, wanted: npt.NDArray[np.bool_]) -> Vocabulary:
        """Those that are wanted."""
        if wanted.all():
            return self
        lengths = np.diff(self.ends, prepend=0)
        return Vocabulary(self.text[np.repeat(wanted, lengths)], np.cumsum(lengths[wanted], dtype=np.int64))

    def check(self) -> None:
        """Raises `ValueError` for what is no vocabulary; the order of terms is checked by their first eight bytes."""
        starts = self.ends - np.diff(self.ends, prepend=0)
        if np.any(np.diff(self.ends, prepend=0) <= 0) or (int(self.ends[-1]) if len(self) else 0) != len(self.text):
            raise ValueError("the bounds of its terms are out of order")
        self.text.tobytes().decode("utf-8", "surrogatepass")
        if np.any(self.text[starts] & 0xC0 == _CONTINUATION):
            raise ValueError("a term begins inside a character")
        keys = np.zeros(len(self), np.uint64)
        for place in range(8):
            at = starts + place
            inside = at < self.ends
            keys = keys * np.uint64(256) + np.where(inside, self.text[np.where(inside, at, 0)], 0).astype(np.uint64)
        if np.any(keys[1:] < keys[:-1]):
            raise ValueError("its terms are out of order")

    def to_arrays(self) -> Mapping[str, npt.NDArray[np.generic]]:
        """The two arrays by name."""
        return {"vocabulary": self.text, "vocabulary_ends": self.ends}

    def _first(self, wanted: bytes) -> int:
        """How many terms come before `wanted`."""
        text, ends = self.text.data, self.ends.data  # as memoryviews: several times as fast as an array, item by item
        return bisect_left(range(len(self)), wanted, key=lambda at: bytes(text[ends[at - 1] if at else 0 : ends[at]]))

    def _bytes(self, at: int) -> bytes:
        return self.text[self._start(at) : int(self.ends[at])].tobytes()

    def _start(self, at: int) -> int:
        return int(self.ends[at - 1]) if at else 0


def union(vocabularies: Sequence[Vocabulary]) -> tuple[Vocabulary, list[npt.NDArray[np.int64]]]:
    """All their terms, and for each vocabulary the place that each of its terms has among them."""
    if len(vocabularies) == 1:
        return vocabularies[0], [np.arange(len(vocabularies[0]))]
    known: set[str] = set()
    for vocabulary in vocabularies:  # one after the other, and again below: all their texts together are many
        known.update(vocabulary.terms())
    merged = sorted(known)
    place = dict(zip(merged, range(len(merged)), strict=True))
    places = [np.fromiter(map(place.__getitem__, each.terms()), np.int64, len(each)) for each in vocabularies]
    return Vocabulary.of(merged), places
