"""The recursive token chunker: as much as fits the budget, cut at the strongest boundary near its end.

Boundaries in order of strength: a section's start, a blank line, a line that ends something, a sentence's end, a
space. The text is tokenized once; each chunk is then counted exactly, so none exceeds the budget, in linear time.
"""

from __future__ import annotations

import asyncio
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from plumbline.errors import InputError
from plumbline.text.sentences import sentences
from plumbline.text.tokens import DEFAULT_TOKENIZER, TokenIndex, Tokenizer, tokenizer
from rag.ingest.chunk import Span, chunks_from
from rag.types import Chunk, Document

MIN_SIZE = 16
"""The smallest budget in tokens: a single character may take four."""

# How much of the budget a boundary of each kind must leave filled to be preferred to a weaker one behind it.
_SECTION_FILL = 0.5
_PARAGRAPH_FILL = 0.5
_SENTENCE_FILL = 0.75
_BEFORE = 100
"""How many characters before the overlap are read to know where its first sentence begins."""

_NOT_SPACE = re.compile(r"\S")
_CLAUSE = "，、；：,;"
_INLINE_CHARS = 50_000
_LONGEST_GRAPHEME = 64


class RecursiveChunker:
    """Chunks of at most `size` tokens, each beginning with up to `overlap` tokens of the one before.

    The overlap begins with a sentence, or else with a word; a chunk that begins a section has none. A word is cut
    only where it exceeds the budget by itself. `tokenizer` is a name (see `plumbline.text.tokens`) or a `Tokenizer`.
    Raises `InputError` for a budget that cannot work, `ConfigError` for an unknown tokenizer.
    """

    def __init__(self, *, size: int = 512, overlap: int = 50, tokenizer: str | Tokenizer = DEFAULT_TOKENIZER) -> None:
        if size < MIN_SIZE:
            raise InputError(f"A chunk size of {size} tokens is too small.", hint=f"At least {MIN_SIZE} are needed.")
        if not 0 <= overlap <= size // 2:
            raise InputError(f"An overlap of {overlap} tokens does not go with chunks of {size}.", hint="At most half.")
        self._size = size
        self._overlap = overlap
        self._tokenizer = tokenizer

    @property
    def name(self) -> str:
        """Such as "recursive 512/50 cl100k_base"."""
        token_name = self._tokenizer if isinstance(self._tokenizer, str) else self._tokenizer.name
        return f"recursive {self._size}/{self._overlap} {token_name}"

    async def chunk(self, document: Document) -> list[Chunk]:
        """The chunks of `document`; a long one is cut in a worker thread."""
        if len(document.text) <= _INLINE_CHARS:
            return self.split(document)
        return await asyncio.to_thread(self.split, document)

    def split(self, document: Document) -> list[Chunk]:
        """As `chunk`, in the calling thread."""
        named = self._tokenizer
        tokens = (tokenizer(named) if isinstance(named, str) else named).index(document.text)
        starts = [section.start for section in document.sections]
        return chunks_from(document, _Cutter(tokens, starts, self._size, self._overlap).spans())


class _Cutter:
    """One document's way through the budget."""

    def __init__(self, tokens: TokenIndex, sections: Sequence[int], size: int, overlap: int) -> None:
        self._tokens = tokens
        self._text = tokens.text
        self._end = len(tokens.text.rstrip())
        self._sections = sections
        self._size = size
        self._overlap = overlap
        self._ends: list[tuple[int, int]] = []  # the sentences read last while a cut was looked for

    def spans(self) -> Iterator[Span]:
        start = covered = self._skip(0)
        while covered < self._end:
            cut, count = self._fit(start, covered)
            if cut == 0:  # with its overlap the next word does not fit
                start = covered
                cut, count = self._fit(start, covered)
            yield start, cut, count
            covered = self._skip(cut)
            start = self._begin(start, cut, covered)

    def _fit(self, start: int, covered: int) -> tuple[int, int]:
        """The end of the chunk at `start`, beyond `covered`, and its tokens; (0, 0) if only a cut word would fit."""
        budget = self._size
        while True:
            limit = self._tokens.reach(start, budget)
            if limit >= self._end:
                cut = self._end
            else:
                cut = self._boundary(start, covered, max(limit, covered + 1))
                if cut == 0:
                    if start < covered:
                        return 0, 0
                    cut = self._inside_word(start, max(limit, covered + 1))
            count = self._tokens.count(start, cut)
            if count <= self._size:
                return cut, count
            if limit <= covered + 1:
                if start < covered:
                    return 0, 0
                raise AssertionError("unreachable: one character is at most four tokens")
            budget -= count - self._size

    def _boundary(self, start: int, covered: int, limit: int) -> int:
        """The best place to cut text[start:limit] beyond `covered`, at the end of a word; 0 if there is none."""
        text = self._text
        width = limit - start
        self._ends = []
        last = bisect_right(self._sections, limit)
        section = self._sections[last - 1] if last else 0
        if section > max(covered, start + _SECTION_FILL * width):
            return len(text[start:section].rstrip()) + start
        blank = text.rfind("\n\n", max(covered, start + int(_PARAGRAPH_FILL * width)), limit + 2)
        if blank > covered:
            return len(text[covered:blank].rstrip()) + covered
        return self._sentence_end(start, covered, limit) or self._word_end(covered, limit)

    def _sentence_end(self, start: int, covered: int, limit: int) -> int:
        floor = max(covered, start + int(_SENTENCE_FILL * (limit - start)))
        self._ends = self._sentences(floor, limit)
        return max((end for _, end in self._ends[:-1] if end > covered), default=0)

    def _sentences(self, start: int, end: int) -> list[tuple[int, int]]:
        return [(start + begin, start + stop) for begin, stop in sentences(self._text[start:end])]

    def _word_end(self, covered: int, limit: int) -> int:
        text = self._text
        window = text[covered:limit]
        if not text[limit].isspace() and not window[-1].isspace():
            words = window.rsplit(None, 1)
            window = window[: len(window) - len(words[-1])]
        kept = window.rstrip()
        return covered + len(kept) if kept else 0

    def _inside_word(self, start: int, limit: int) -> int:
        """A cut inside a word that exceeds the budget: after a mark between clauses, else between two characters."""
        clause = max(self._text.rfind(mark, start + (limit - start) // 2, limit) for mark in _CLAUSE)
        if clause > start:
            return clause + 1
        for cut in range(limit, max(limit - _LONGEST_GRAPHEME, start), -1):
            if not _joined(self._text, cut):
                return cut
        return limit

    def _begin(self, start: int, cut: int, covered: int) -> int:
        """Where the chunk after text[start:cut] begins: at `covered`, or before it for the overlap."""
        if not self._overlap or covered >= self._end or self._is_section(covered):
            return covered
        floor = self._word_start(max(self._tokens.back(cut, self._overlap), start + 1), cut)
        if floor >= cut:
            return covered
        read = self._ends if self._ends and self._ends[0][0] < floor else self._sentences(max(floor - _BEFORE, 0), cut)
        whole = [begin for begin, _ in read[1:] if floor <= begin < cut]
        words = [floor, self._word_start(floor + 1, cut)]  # a word more or less: tokens differ at the seam
        fitting = (
            begin for begin in [*whole, *words] if begin < cut and self._tokens.count(begin, cut) <= self._overlap
        )
        return next(fitting, covered)

    def _word_start(self, offset: int, end: int) -> int:
        """The first start of a word at or after `offset`."""
        text = self._text
        if not text[offset - 1].isspace():
            while offset < end and not text[offset].isspace():
                offset += 1
        return self._skip(offset)

    def _is_section(self, offset: int) -> bool:
        index = bisect_right(self._sections, offset) - 1
        return index >= 0 and self._sections[index] == offset

    def _skip(self, offset: int) -> int:
        """The first offset from `offset` on that is not white space."""
        found = _NOT_SPACE.search(self._text, offset)
        return found.start() if found else len(self._text)


def _joined(text: str, offset: int) -> bool:
    """Whether a reader sees text[offset - 1] and text[offset] as one character (UAX 29, what it takes in practice)."""
    before, after = text[offset - 1], text[offset]
    if after < "\u0300":
        return before == "\r" and after == "\n"
    if unicodedata.category(after)[0] == "M" or after == "\u200d" or before == "\u200d":
        return True
    if "\U0001f1e6" <= after <= "\U0001f1ff":  # flags are pairs of letters
        run = offset
        while run > 0 and "\U0001f1e6" <= text[run - 1] <= "\U0001f1ff":
            run -= 1
        return (offset - run) % 2 == 1
    return (
        "\U0001f3fb" <= after <= "\U0001f3ff" or "\u1160" <= after <= "\u11ff" or "\U000e0020" <= after <= "\U000e007f"
    )
