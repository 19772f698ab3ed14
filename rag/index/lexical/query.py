"""What a search asks of the lexical index, and how it is read from what a person types."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_QUOTED = re.compile(r"(?<!\w)[\"“„«](?=[^\"“”„«»]*\w)([^\"“”„«»]*)[\"”“»](?!\w)")
_PREFIX = re.compile(r"(?<![\w*])(\w+)\*(?![\w*])")


@dataclass(frozen=True, slots=True)
class Phrase:
    """Terms that must stand one after the other; `readings` are what different languages make of the same words."""

    readings: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, readings: Iterable[Sequence[str]]) -> Phrase | None:
        """A phrase, each reading once; `None` when one holds no term, for then every text may hold it."""
        found = tuple(dict.fromkeys(map(tuple, readings)))
        return cls(found) if all(found) and found else None

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
    """Read `"refund window" polic*`: what stands in quotes is a phrase, letters with a star behind them are a prefix.

    Both stay in the text, without quotes and stars. A quote without its other half, a star that stands alone or in a
    word, and quotes around nothing are ordinary text.
    """
    text: list[str] = []
    phrases: list[str] = []
    prefixes: list[str] = []
    for number, piece in enumerate(_QUOTED.split(typed)):
        if number % 2:  # split() returns what the group matched at the odd places
            phrases.append(piece.strip())
            text.append(piece)
        else:
            prefixes.extend(_PREFIX.findall(piece))
            text.append(_PREFIX.sub(r"\1", piece))
    return Typed("".join(text), tuple(phrases), tuple(prefixes))


def _follows(phrase: Sequence[str], field: Sequence[str]) -> bool:
    wanted, size = list(phrase), len(phrase)
    starts = (at for at in range(len(field) - size + 1) if field[at] == wanted[0])
    return any(list(field[at : at + size]) == wanted for at in starts)
