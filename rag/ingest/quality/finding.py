"""What is sensitive in a text, and the forms of a text that its detectors look through.

A regular expression that may begin anywhere costs far more than a search for a fixed string. So a text is also written
as its shape, one byte a character, in which "digit, digit, digit, separator" is a fixed string as well; expressions
then run only where such a string was found.
"""

from __future__ import annotations

import string
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Group = Literal["secrets", "personal"]


@dataclass(frozen=True, slots=True)
class Finding:
    """text[start:end] is sensitive: `kind` ("api key", "e-mail") is what it is called, `group` whose harm it is."""

    kind: str
    group: Group
    start: int
    end: int

    @property
    def mask(self) -> str:
        """What stands in its place once it is masked: "[API KEY]"."""
        return f"[{self.kind.upper()}]"


def _table(classes: dict[str, str]) -> bytes:
    table = bytearray(b"." * 256)
    for name, characters in classes.items():
        for character in characters:
            table[ord(character)] = ord(name)
    return bytes(table)


# "?" stands for what Latin-1 lacks, dashes among it.
_FORM = _table({"0": string.digits, "A": string.ascii_uppercase, " ": " \u00a0.()/-?"})
_KEY = _table({"w": string.ascii_letters + string.digits + "_~+/-"})


@dataclass(frozen=True, slots=True)
class Scanned:
    """A text in all the forms in which it is searched, all of the same length.

    `low` is in lower case; in `form` a digit is "0", a capital "A", what may separate digits " ", all else "."; in
    `key` what may stand in a key is "w".
    """

    text: str
    low: str
    form: bytes
    key: bytes

    @classmethod
    def of(cls, text: str) -> Scanned:
        """From a text."""
        latin = text.encode("latin-1", "replace")
        return cls(text, _lowered(text), latin.translate(_FORM), latin.translate(_KEY))


def places(text: str, part: str) -> Iterator[int]:
    """Where `part` stands in the text, without overlaps."""
    at = text.find(part)
    while at >= 0:
        yield at
        at = text.find(part, at + len(part))


def shapes(form: bytes, part: bytes) -> Iterator[int]:
    """Where `part` stands in the shape of a text, without overlaps."""
    at = form.find(part)
    while at >= 0:
        yield at
        at = form.find(part, at + len(part))


def _lowered(text: str) -> str:
    """In lower case and exactly as long, so that offsets hold ("İ" and its kind stay as they are)."""
    low = text.lower()
    return low if len(low) == len(text) else "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
