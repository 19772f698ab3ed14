"""Keeps text of unknown origin from steering a terminal."""

from __future__ import annotations

import re

REPLACEMENT = "\ufffd"
# C0 without tab and line feed, DEL and C1 (ECMA-48), and lone surrogates, which no encoding can write.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def printable(text: str) -> str:
    """The text with U+FFFD for every character that controls a terminal or cannot be written; as long as before."""
    return _UNPRINTABLE.sub(REPLACEMENT, text)
