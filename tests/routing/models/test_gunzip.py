from __future__ import annotations

import gzip
import random
import zlib

import pytest

from routing.models.gunzip import PIECE, Gunzip, UnpackError

TEXT = random.Random(7).randbytes(1000) * 1500


def unpacked(packed: bytes, step: int) -> tuple[bytes, bool]:
    """All that comes out of `packed`, given so many bytes at a time, and whether more should have come."""
    unpack = Gunzip()
    parts = [part for at in range(0, len(packed), step) for part in unpack.feed(packed[at : at + step])]
    assert all(0 < len(part) <= PIECE for part in parts)
    return b"".join(parts), unpack.unfinished


@pytest.mark.parametrize("step", [1, 7, 1000, 1 << 20])
@pytest.mark.parametrize("text", [TEXT, b" " * (3 * PIECE), b" " * PIECE, b"x", b""], ids=["text", "3", "1", "x", "no"])
def test_it_gives_back_what_was_packed(text: bytes, step: int) -> None:
    assert unpacked(gzip.compress(text), step) == (text, False)


def test_what_is_cut_is_unfinished() -> None:
    packed = gzip.compress(TEXT)
    assert unpacked(b"", 1) == (b"", False)
    for size in (1, 10, len(packed) // 2, len(packed) - 1):
        text, unfinished = unpacked(packed[:size], 100)
        assert unfinished
        assert TEXT.startswith(text)


def test_what_was_flushed_comes_at_once() -> None:
    packer, unpack = zlib.compressobj(9, zlib.DEFLATED, 31), Gunzip()
    for event in (b"data: one\n\n", b"data: two\n\n"):
        assert b"".join(unpack.feed(packer.compress(event) + packer.flush(zlib.Z_SYNC_FLUSH))) == event


def test_what_follows_the_end_is_left_out() -> None:
    assert unpacked(gzip.compress(b"one") + b"\0" * 50 + gzip.compress(b"two"), 1000) == (b"one", False)


@pytest.mark.parametrize("packed", [b"no gzip at all", zlib.compress(b"one"), gzip.compress(TEXT)[:-8] + b"\0" * 8])
def test_what_is_no_gzip(packed: bytes) -> None:
    with pytest.raises(UnpackError):
        unpacked(packed, 1 << 20)
