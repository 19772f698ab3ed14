"""Text in an older encoding that says nothing of itself: Chinese, Japanese, Korean and Russian told from Western.

In those every second byte and more is beyond ASCII, in Western text every tenth at most; what decodes without an error
into the characters that the language uses most is taken.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_SAMPLE = 8192
_ASCII = bytes(range(128))
_FOREIGN_SHARE = 0.25
_FEWEST_KINDS = 5
_HANGUL = re.compile("[\uac00-\ud7a3]")
_KANA = re.compile("[\u3041-\u30fe]")
_HAN = re.compile("[\u4e00-\u9fff]")
_CYRILLIC = re.compile("[\u0430-\u044f]")
_WIDE = re.compile("[^\x00-\x7f]")


def older_encoding(data: bytes) -> str:
    """The likeliest encoding of `data`, which is not UTF-8; "cp1252" where nothing tells."""
    sample = data[:_SAMPLE]
    beyond = sample.translate(None, _ASCII)
    enough = _FOREIGN_SHARE * len(sample.translate(None, b" \t\r\n0123456789"))
    if len(beyond) < enough or len(set(beyond)) < _FEWEST_KINDS:
        return "cp1252"
    for encoding, fits in _CANDIDATES:
        text = _decoded(sample, encoding)
        if text is not None and fits(text):
            return encoding
    return "cp1252"


def _decoded(sample: bytes, encoding: str) -> str | None:
    """`sample`, whose last character may be cut, or `None`."""
    for cut in range(4 if len(sample) == _SAMPLE else 1):
        try:
            return sample[: len(sample) - cut].decode(encoding)
        except UnicodeDecodeError:
            continue
    return None


def _share(pattern: re.Pattern[str], least: float) -> Callable[[str], bool]:
    """Whether at least `least` of the characters beyond ASCII match."""
    return lambda text: len(pattern.findall(text)) >= least * max(len(_WIDE.findall(text)), 1)


_CANDIDATES: tuple[tuple[str, Callable[[str], bool]], ...] = (
    ("cp949", _share(_HANGUL, 0.8)),
    ("euc_jp", _share(_KANA, 0.2)),
    ("cp932", _share(_KANA, 0.2)),
    ("koi8_r", _share(_CYRILLIC, 0.7)),
    ("cp1251", _share(_CYRILLIC, 0.7)),
    ("gb2312", _share(_HAN, 0.6)),
    ("big5", _share(_HAN, 0.6)),
    ("gb18030", _share(_HAN, 0.6)),
)
