"""Counting tokens, and where each token starts, in Unicode code points.

The default tokenizer, `cl100k_base` (byte-pair encoding as in tiktoken), ships inside the package and never touches
the network. tiktoken's other encodings are read from its own cache folder, and only from there. For models without a
public tokenizer there is `estimate_tokens`, an estimate that says so in its name.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Protocol

from plumbline.errors import ConfigError, CorruptStateError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from tiktoken import Encoding

DEFAULT_TOKENIZER = "cl100k_base"
"""The tokenizer that ships in the package."""

_RANKS_SHA256 = "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"
# The split pattern of cl100k_base, possessive form, as in tiktoken_ext/openai_public.py.
_CL100K_PATTERN = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
    r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
)
_CL100K_SPECIAL = {
    "<|endoftext|>": 100257,
    "<|fim_prefix|>": 100258,
    "<|fim_middle|>": 100259,
    "<|fim_suffix|>": 100260,
    "<|endofprompt|>": 100276,
}
# tiktoken's other encodings: the rank file each is built from and the hash tiktoken expects of it.
_O200K = ("o200k_base", "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d")
_P50K = ("p50k_base", "94b5ca7dff4d00767bc256fdd1b27e5b17361d7b8a5f968547f9f23eb70d2069")
_R50K = ("r50k_base", "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930")
_CACHED_ENCODINGS = {
    "o200k_base": _O200K,
    "o200k_harmony": _O200K,
    "p50k_base": _P50K,
    "p50k_edit": _P50K,
    "r50k_base": _R50K,
}
_RANKS_URL = "https://openaipublic.blob.core.windows.net/encodings/{}.tiktoken"

# Where every split pattern of this family ends a piece, whatever stands before or after: before a space that follows
# anything but a space, before a line break that follows a letter or a digit, before a mark that follows an ideograph.
_HARD = re.compile(r"(?<=\S) |(?<=[0-9A-Za-z])\n|(?<=[\u3041-\u30fa\u4e00-\u9fff\uac00-\ud7a3])[，。、；：！？]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTINUATION = bytes(range(0x80, 0xC0))
_SEGMENT = 1 << 20
_SHORT = 80  # characters that are counted no slower than looked up


class TokenIndex:
    """The tokens of one text by position.

    `starts[i]` is the offset of token i in code points (for a token that begins inside a character, the offset after
    that character); the last entry is `len(text)`. `count` must be the tokenizer's own; `local` says that its tokens
    never depend on what stands across a hard boundary (see `_HARD`), so that counting a span need not read all of it.
    """

    __slots__ = ("_count", "_local", "starts", "text")

    def __init__(self, text: str, starts: Sequence[int], count: Callable[[str], int], *, local: bool = False) -> None:
        self.text = text
        self.starts = starts
        self._count = count
        self._local = local

    def count(self, start: int, end: int) -> int:
        """The exact number of tokens of text[start:end], encoded by itself."""
        if not self._local or end - start < _SHORT:
            return self._count(self.text[start:end])
        first, last = self._first_hard(start, end), self._last_hard(start, end)
        if first < 0 or last <= first:
            return self._count(self.text[start:end])
        head = self._count(self.text[start:first]) if first > start else 0
        tail = self._count(self.text[last:end]) if last < end else 0
        return head + self.at(last) - self.at(first) + tail

    def at(self, offset: int) -> int:
        """The index of the token that holds the character at `offset`, or begins there."""
        return bisect_right(self.starts, offset) - 1

    def reach(self, start: int, tokens: int) -> int:
        """The offset that `tokens` tokens lead to from `start`, near enough for a first guess: verify with `count`."""
        index = min(self.at(start) + max(tokens, 0), len(self.starts) - 1)
        return self.starts[index]

    def back(self, end: int, tokens: int) -> int:
        """The offset that lies `tokens` tokens before `end`, near enough for a first guess: verify with `count`."""
        return self.starts[max(bisect_left(self.starts, end) - tokens, 0)]

    def _first_hard(self, start: int, end: int) -> int:
        """The first hard boundary in [start, end), or -1."""
        text = self.text
        if start == 0 or (text[start - 1] == "\n" and text[start].isalnum()):
            return start
        found = _HARD.search(text, start + 1, end)
        return found.start() if found else -1

    def _last_hard(self, start: int, end: int) -> int:
        """The last hard boundary in (start, end], or -1."""
        text = self.text
        if end == len(text) or (text[end] == " " and not text[end - 1].isspace()):
            return end
        space = text.rfind(" ", start + 1, end)
        if space > start and not text[space - 1].isspace():
            return space
        window = 64
        while True:
            low = max(start + 1, end - window)
            found = -1
            for match in _HARD.finditer(self.text, low, end):
                found = match.start()
            if found >= 0 or low == start + 1:
                return found
            window *= 4


class Tokenizer(Protocol):
    """What chunkers, budgets and ledgers need of a tokenizer. Special tokens in the text count as plain text."""

    @property
    def name(self) -> str:
        """The encoding's name, stored with what was counted by it."""
        ...

    def encode(self, text: str) -> list[int]:
        """The ids of the tokens of `text`."""
        ...

    def count(self, text: str) -> int:
        """How many tokens `text` has."""
        ...

    def index(self, text: str) -> TokenIndex:
        """Where the tokens of `text` start. Reads the text once."""
        ...


class BytePairTokenizer:
    """A tokenizer on a tiktoken encoding. Thread-safe; letters, digits and spaces of any script."""

    def __init__(self, encoding: Encoding, tokens: Sequence[bytes] | None = None) -> None:
        """`tokens` are the bytes of each token in the order of ids; read from `encoding` where not given."""
        self._encoding = encoding
        if tokens is None:
            ordinary = {encoding.encode_single_token(token): token for token in encoding.token_byte_values()}
            tokens = [ordinary.get(id_, b"") for id_ in range(encoding.n_vocab)]
        import numpy as np

        # How many characters begin in each token.
        self._begun = np.array([len(token.translate(None, _CONTINUATION)) for token in tokens], dtype=np.uint8)

    @property
    def name(self) -> str:
        """The encoding's name."""
        return self._encoding.name

    def encode(self, text: str) -> list[int]:
        """The ids of the tokens of `text`; lone surrogates count as U+FFFD."""
        try:
            return self._encoding.encode_ordinary(text)
        except UnicodeEncodeError:
            return self._encoding.encode_ordinary(_SURROGATE.sub("\ufffd", text))

    def _encoded(self, text: str) -> NDArray[np.uint32]:
        """As `encode`, with no Python object per token."""
        try:
            return self._encoding.encode_to_numpy(text, disallowed_special=())
        except UnicodeEncodeError:
            return self._encoding.encode_to_numpy(_SURROGATE.sub("\ufffd", text), disallowed_special=())

    def count(self, text: str) -> int:
        """How many tokens `text` has."""
        return len(self.encode(text))

    def index(self, text: str) -> TokenIndex:
        """Where the tokens of `text` start; 4 bytes a token are held, a megabyte of text is encoded at a time."""
        import numpy as np

        starts = array("I", [0])
        for start, end in _segments(text):
            begun = self._begun[self._encoded(text[start:end])]
            ends = np.cumsum(begun, dtype=np.uint32)
            ends += starts[-1]
            starts.frombytes(ends.tobytes())
        return TokenIndex(text, starts, self.count, local=True)


def tokenizer(name: str = DEFAULT_TOKENIZER) -> Tokenizer:
    """The tokenizer called `name`, built once per process.

    `cl100k_base` comes with the package. `o200k_base`, `o200k_harmony`, `p50k_base`, `p50k_edit` and `r50k_base` are
    read from tiktoken's cache folder (`TIKTOKEN_CACHE_DIR`). Raises `ConfigError` for an unknown name or an encoding
    whose ranks are not there: nothing is downloaded.
    """
    if name == DEFAULT_TOKENIZER:
        return _shipped()
    if name in _CACHED_ENCODINGS:
        return _cached(name)
    known = [DEFAULT_TOKENIZER, *_CACHED_ENCODINGS]
    from difflib import get_close_matches

    nearest = get_close_matches(name, known, 1, 0.0)[0]
    raise ConfigError(
        f"There is no tokenizer '{name}'.", key="tokenizer", value=name, hint=f"Did you mean '{nearest}'?"
    )


def estimate_tokens(text: str) -> int:
    """An estimate for models whose tokenizer is not public: a token per 4 ASCII characters or 1.1 others.

    Against cl100k_base it lies within a fifth for prose in European languages, and below for tables of figures.
    """
    ascii_chars = len(text) if text.isascii() else len(text.encode("ascii", "ignore"))
    return -(-ascii_chars // 4) + round((len(text) - ascii_chars) / 1.1)


@cache
def _shipped() -> BytePairTokenizer:
    """cl100k_base from the ranks inside the package; ranks are the line numbers."""
    import lzma
    from binascii import a2b_base64
    from hashlib import sha256
    from importlib.resources import files

    from tiktoken import Encoding

    source = files("plumbline.data").joinpath("cl100k_base.tiktoken.xz")
    ranks = lzma.decompress(source.read_bytes())
    if sha256(ranks).hexdigest() != _RANKS_SHA256:
        raise CorruptStateError(f"The token ranks in '{source}' are damaged.", hint="Install the package again.")
    tokens = list(map(a2b_base64, ranks.split()[::2]))
    return BytePairTokenizer(
        Encoding(
            DEFAULT_TOKENIZER,
            pat_str=_CL100K_PATTERN,
            mergeable_ranks=dict(zip(tokens, range(len(tokens)), strict=True)),
            special_tokens=_CL100K_SPECIAL,
        ),
        tokens,
    )


@cache
def _cached(name: str) -> BytePairTokenizer:
    """An encoding of tiktoken's whose rank file lies, whole, in tiktoken's cache folder."""
    import os
    import tempfile
    from hashlib import sha1, sha256
    from pathlib import Path

    file, expected = _CACHED_ENCODINGS[name]
    folder = os.environ.get("TIKTOKEN_CACHE_DIR") or os.environ.get("DATA_GYM_CACHE_DIR")
    path = (
        Path(folder or Path(tempfile.gettempdir()) / "data-gym-cache")
        / sha1(_RANKS_URL.format(file).encode(), usedforsecurity=False).hexdigest()
    )
    if not path.is_file() or sha256(path.read_bytes()).hexdigest() != expected:
        raise ConfigError(
            f"The ranks of the tokenizer '{name}' are not at '{path}'.",
            key="tokenizer",
            value=name,
            hint=f'Run once where there is a network: TIKTOKEN_CACHE_DIR=<folder> python -c "import tiktoken; '
            f"tiktoken.get_encoding('{name}')\", and set TIKTOKEN_CACHE_DIR to that folder; "
            f"or use '{DEFAULT_TOKENIZER}', which needs no network.",
        )
    import tiktoken

    return BytePairTokenizer(tiktoken.get_encoding(name))


def _segments(text: str) -> Iterator[tuple[int, int]]:
    """Pieces of about a megabyte whose tokens do not depend on each other."""
    start = 0
    while len(text) - start > _SEGMENT:
        cut = _HARD.search(text, start + _SEGMENT)
        if cut is None:
            break
        yield start, cut.start()
        start = cut.start()
    if start < len(text):
        yield start, len(text)
