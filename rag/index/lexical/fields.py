"""What the lexical side reads of points and of searches: terms, weighted over the fields of a point.

Frequencies add up over the fields before they saturate: BM25F in its simple form (Robertson, Zaragoza & Taylor, "Simple
BM25 Extension to Multiple Weighted Fields", CIKM 2004).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from plumbline.text.language import detect_language, language_code
from plumbline.text.terms import folded, terms
from rag.index.lexical.query import LexicalQuery, Phrase, Prefix
from rag.index.settings import LexicalSettings
from rag.index.store import Point, Search

UNIT = 16
"""Weighted frequencies are whole numbers of sixteenths, so that they add up exactly in any order."""
_MOST = (2**16 - 1) / UNIT
_code = lru_cache(maxsize=256)(language_code)
_FEWEST_WORDS = 3  # of a question whose language shows: "die hard" need not be German


@dataclass(frozen=True)
class FieldReader:
    """Reads points and searches as `settings` say. Weights are rounded to sixteenths."""

    settings: LexicalSettings

    def read(self, text: str, language: str | None = None) -> list[str]:
        """The terms of a text, in order; in the language of the settings where none is given."""
        return terms(text, language or self.settings.language)

    def language(self, point: Point) -> str:
        """The ISO 639-1 code of the language that a point is read in."""
        return _code(point.language) or self._default

    def weighted(self, point: Point) -> dict[str, float]:
        """Each term of the point with its frequency, weighted over the fields; a field of weight 0 is not read."""
        language = self.language(point)
        words = terms(point.text, language)
        counts, total = Counter(words), float(len(words))
        found = dict(zip(counts, map(float, counts.values()), strict=True))
        for weight, text in zip(self._weights[1:], (point.heading, point.title), strict=True):
            if weight and text:
                words = terms(text, language)
                total += weight * len(words) / UNIT
                for term, count in Counter(words).items():
                    found[term] = found.get(term, 0.0) + weight * count / UNIT
        if total > _MOST and max(found.values()) > _MOST:
            return {term: min(count, _MOST) for term, count in found.items()}
        return found

    def fields(self, point: Point) -> list[list[str]]:
        """The terms of each field that is searched, in order."""
        language = self.language(point)
        fields = zip(self._weights, (point.text, point.heading, point.title), strict=True)
        return [terms(text, language) for weight, text in fields if weight and text]

    def query(self, search: Search, present: Collection[str] = ()) -> LexicalQuery:
        """What a search asks of an index that holds texts in the languages `present`.

        A question whose language shows, which takes three words, and is present, is read in it, and what is left
        without its function words, names above all, in the other languages too. Any other question is read in each
        language. A word of which two languages make one term counts once. Phrases and prefixes, which name what is
        written, are read in each language.
        """
        languages = sorted(present) or [self._default]
        words = _together(self._readings(search.text or "", languages))
        readings = [[terms(phrase, language) for language in languages] for phrase in search.phrases]
        for reading in readings:
            words.update(_together(reading))
        return LexicalQuery(
            tuple(words.elements()),
            tuple(filter(None, map(Phrase.of, readings))),
            tuple(
                Prefix(start, self._forms(prefix, languages)) for prefix in search.prefixes if (start := folded(prefix))
            ),
        )

    def _readings(self, text: str, languages: Sequence[str]) -> list[list[str]]:
        """The terms of a question in each of the languages."""
        written = text.split()
        own = detect_language(text) if len(languages) > 1 and len(written) >= _FEWEST_WORDS else None
        if own is None or own not in languages:
            return [terms(text, language) for language in languages]
        # A function word of its language is a rare word in the texts of another, and would weigh there.
        left = " ".join(word for word in written if terms(word, own))
        return [terms(text if language == own else left, language) for language in languages]

    def _forms(self, prefix: str, languages: Sequence[str]) -> tuple[str, ...]:
        """The terms of a prefix that is one word."""
        read = [terms(prefix, language) for language in languages]
        return tuple(dict.fromkeys(each[0] for each in read if len(each) == 1))

    @cached_property
    def _default(self) -> str:
        return language_code(self.settings.language) or self.settings.language

    @cached_property
    def _weights(self) -> tuple[int, int, int]:
        """Of the text, the heading and the title, in sixteenths."""
        heading, title = (
            max(1, round(UNIT * w)) if w else 0 for w in (self.settings.heading_weight, self.settings.title_weight)
        )
        return UNIT, heading, title


def _together(readings: Sequence[Sequence[str]]) -> Counter[str]:
    """Each term as often as the reading holds it that holds it most."""
    together: Counter[str] = Counter()
    for reading in readings:
        together |= Counter(reading)
    return together
