"""What the lexical side of a store reads of a point: the terms of its three fields, weighted, and phrases in them.

Frequencies add up over the fields before they saturate, as BM25F has it (Zaragoza et al., TREC 2004).
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from plumbline.text.terms import terms
from rag.index.settings import LexicalSettings
from rag.index.store import Point, Search


@dataclass(frozen=True, slots=True)
class FieldTerms:
    """Reads points and searches as `settings` say."""

    settings: LexicalSettings

    def read(self, text: str, language: str | None = None) -> list[str]:
        """The terms of a text, in order."""
        return terms(text, language or self.settings.language)

    def weighted(self, point: Point) -> dict[str, float]:
        """Each term of the point with its frequency, weighted over the fields; without those of weight 0."""
        found: dict[str, float] = {}
        for weight, read in zip(self._weights, self._fields(point), strict=True):
            if weight:
                for term, count in Counter(read).items():
                    found[term] = found.get(term, 0.0) + weight * count
        return found

    def asked(self, search: Search) -> Counter[str]:
        """The words of a search and how often it asks for each; those of its phrases count."""
        return Counter(term for text in (search.text or "", *search.phrases) for term in self.read(text))

    def phrases(self, search: Search) -> list[list[str]]:
        """The terms of each phrase, without phrases that hold none."""
        return [read for phrase in search.phrases if (read := self.read(phrase))]

    def holds(self, point: Point, phrases: Sequence[Sequence[str]]) -> bool:
        """Whether each phrase stands in one of the fields, its terms one after the other."""
        fields = self._fields(point)
        return all(any(_follows(phrase, read) for read in fields) for phrase in phrases)

    def saturate(self, frequency: float, length: float, average: float) -> float:
        """BM25 without idf: what a word adds to the score of a point of this `length`, in words, weighted."""
        k1, b = self.settings.k1, self.settings.b
        damping = k1 * (1 - b + b * length / max(average, 1e-9))
        return frequency * (k1 + 1) / (frequency + damping)

    @property
    def _weights(self) -> tuple[float, float, float]:
        return self.settings.title_weight, self.settings.heading_weight, 1.0

    def _fields(self, point: Point) -> tuple[list[str], list[str], list[str]]:
        title, heading, text = (self.read(part, point.language) for part in (point.title, point.heading, point.text))
        return title, heading, text


def as_prefix(text: str) -> str:
    """A prefix as terms are written: case folded, without accents."""
    bare = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text.strip()).casefold())
    return unicodedata.normalize("NFC", "".join(c for c in bare if not "\u0300" <= c <= "\u036f"))


def _follows(phrase: Sequence[str], read: Sequence[str]) -> bool:
    size = len(phrase)
    return any(read[at : at + size] == phrase for at in range(len(read) - size + 1) if read[at] == phrase[0])
