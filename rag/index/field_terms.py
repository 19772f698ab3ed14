"""How stores without an inverted index of ours read points and searches: as it does, by `rag.index.lexical.fields`."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rag.index.lexical.fields import FieldReader
from rag.index.lexical.query import LexicalQuery, Phrase
from rag.index.settings import LexicalSettings
from rag.index.store import Point, Search


class FieldTerms:
    """Reads points and searches as `settings` say."""

    def __init__(self, settings: LexicalSettings) -> None:
        self.settings = settings
        self._reader = FieldReader(settings)

    def read(self, text: str, language: str | None = None) -> list[str]:
        """The terms of a text, in order."""
        return self._reader.read(text, language)

    def language(self, point: Point) -> str:
        """What a point is read in."""
        return self._reader.language(point)

    def weighted(self, point: Point) -> dict[str, float]:
        """Each term of the point with its frequency, weighted over the fields."""
        return self._reader.weighted(point)

    def query(self, search: Search, present: Collection[str] = ()) -> LexicalQuery:
        """What a search asks for, of texts in the languages `present`; of none given, in that of the settings."""
        return self._reader.query(search, present)

    def holds(self, point: Point, phrases: Sequence[Phrase]) -> bool:
        """Whether each phrase stands in one of the fields, its terms one after the other."""
        if not phrases:
            return True
        fields = self._reader.fields(point)
        return all(phrase.within(fields) for phrase in phrases)

    def saturate(self, frequency: float, length: float, average: float) -> float:
        """BM25 without idf: what a word adds to the score of a point of this `length`, in words, weighted."""
        k1, b = self.settings.k1, self.settings.b
        damping = k1 * (1 - b + b * length / max(average, 1e-9))
        return frequency * (k1 + 1) / (frequency + damping)
