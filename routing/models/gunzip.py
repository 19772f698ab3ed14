"""Unpacks gzip (RFC 1952) by the piece, so that a few bytes never become many at once."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

PIECE = 1 << 18
"""So many bytes come out at a time, at most."""
_GZIP = zlib.MAX_WBITS | 16


class UnpackError(ValueError):
    """Raised for bytes that are no gzip."""


class Gunzip:
    """Unpacks one body. What follows its end is left out."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(_GZIP)
        self._begun = False

    @property
    def unfinished(self) -> bool:
        """Whether more should have come; a body of no bytes is whole."""
        return self._begun and not self._inflate.eof

    def feed(self, packed: bytes) -> Iterator[bytes]:
        """What `packed`, the next bytes, unpack to, in pieces of `PIECE` bytes at most. Raises `UnpackError`."""
        self._begun = self._begun or bool(packed)
        while not self._inflate.eof:
            try:
                piece = self._inflate.decompress(packed, PIECE)
            except zlib.error as error:
                raise UnpackError(str(error)) from error
            if piece:
                yield piece
            packed = self._inflate.unconsumed_tail
            if not packed and len(piece) < PIECE:
                return
