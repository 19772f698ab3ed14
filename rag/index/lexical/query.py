"""What a search asks of the lexical index, and how it is read from what a person types."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_QUOTED = re.compile(r"(?<!\w)[\"“„«]([^\"“”„«»]*)[\"”“»](?!\w)")
_PREFIX = re.compile(r"(?<![\w*])(\w[\w'’-]*)\*(?![\w*])")


@dataclass(frozen=True, slots=True)
class Phrase:
    """Terms that must stand one after the other; `readings` are what different languages make of the same words."""

    readings: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, readings: Iterable[Sequence[str]]) -> Phrase | None:
        """A phrase, each reading once; `None` when none holds a term."""
        found = tuple(dict.fromkeys(tuple(reading) for reading in readings if reading))
        return cls(found) if found else None

    def within(self, fields: Iterable[Sequence[str]]) -> bool:
        """Whether one of the fields, terms in order, holds it in one of its readings."""
        return any(_follows(reading, field) for field in fields for reading in self.readings)


@dataclass(frozen=True, slots=True)
class Prefix:
    """All terms that begin with `start`, as one word; so do the `forms`, the terms of the word that `start` may be.

    Stems need not begin with the words they come from: "policy*" is to find "policies", which is "polici".
    """

    start: str
    forms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LexicalQuery:
    """`words` count by BM25, one asked twice twice; each prefix counts as one word; each phrase must be held."""

    words: tuple[str, ...] = ()
    phrases: tuple[Phrase, ...] = ()
    prefixes: tuple[Prefix, ...] = ()


@dataclass(frozen=True, slots=True)
class Typed:
    """What a person typed, apart: the `text` to embed and to read, `phrases` and `prefixes` as `Search` takes them."""

    text: str
    phrases: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()


def parse(typed: str) -> Typed:
    """Read `"refund window" polic*`: what stands in quotes is a phrase, a word with a star behind it a prefix.

    Both stay in the text, without quotes and stars. A quote without its other half, a star that stands alone or in a
    word, and quotes around nothing are ordinary text.
    """
    phrases = [match[1].strip() for match in _QUOTED.finditer(typed)]
    bare = _QUOTED.sub(lambda match: " " * len(match[0]) if match[1].strip() else match[0], typed)
    prefixes = [match[1] for match in _PREFIX.finditer(bare)]
    text = _QUOTED.sub(lambda match: match[1] if match[1].strip() else match[0], typed)
    return Typed(_PREFIX.sub(r"\1", text), tuple(filter(None, phrases)), tuple(prefixes))


def _follows(phrase: Sequence[str], field: Sequence[str]) -> bool:
    wanted, size = list(phrase), len(phrase)
    starts = (at for at in range(len(field) - size + 1) if field[at] == wanted[0])
    return any(list(field[at : at + size]) == wanted for at in starts)
