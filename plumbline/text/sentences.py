"""Where sentences start and end, as offsets into the text that was given.

Rules, no model (`plumbline.text.sentence_rules`): a stop ends a sentence unless an abbreviation, an initial or a list
number stands before it, or what follows goes on in lower case. Lines that look like headings, list items or rows of a
table are sentences of their own; other line breaks are wrapped prose and end nothing. Works for scripts with spaces and
without. `sentences` reads a whole text; `last_end` and `begins` look around one place of a long one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from zlib import crc32

from plumbline.text.sentence_rules import STOP, breaks_block, ends_sentence

Span = tuple[int, int]
"""(start, end) in Unicode code points: text[start:end]."""

MAX_SENTENCE_CHARS = 700
"""The longest sentence returned; longer ones are cut at their last semicolon, comma or space before this length."""

_LINE = re.compile(r"[^\n\r\f\v\x85\u2028\u2029]+")
_LETTER_OR_DIGIT = re.compile(r"\w")
_MARK = re.compile(r"[.!?؟۔।॥…։።፧။។៕。！？｡．‼⁇⁈⁉\n\r\f\v\x85\u2028\u2029]")
_LINE_BREAKS = frozenset("\n\r\f\v\x85\u2028\u2029")
_NOT_SPACE = re.compile(r"\S")
_LOOKED_AT = 160  # characters at a time, backwards
_BEHIND = 64  # more white space than that between two sentences is not read
_CLOSING = 4  # nor more marks than that behind a stop
_AROUND = 12  # characters on each side of a mark tell it from others
_LINE_CHARS = 300  # of a line are read to judge its break
_CUT = re.compile(r"[;:](?=\s)|[,،、，；](?=\s?)|\s[–—-](?=\s)|\s")


def sentences(text: str, *, longest: int | None = MAX_SENTENCE_CHARS) -> list[Span]:
    """Split `text` into sentences.

    Returns (start, end) offsets in code points, in order and without overlap, trimmed of white space and none longer
    than `longest` characters (`None`: however long); together they hold every character of `text` that is not white
    space. Time is linear in the length of `text`.
    """
    found = (span for start, end in _blocks(text) for span in _split(text, start, end))
    return list(found) if longest is None else [piece for span in found for piece in _capped(text, *span, longest)]


def last_end(text: str, start: int, end: int) -> int:
    """The last offset in (start, end] at which a sentence ends and something follows, or 0.

    Reads backwards from `end`, a little at a time; as `sentences` but for what only the whole text can tell.
    """
    high = end
    while high > start:
        low = max(start, high - _LOOKED_AT)
        for mark in reversed(list(_MARK.finditer(text, low, high + 1))):
            found = _parted(text, mark.start())
            if found is not None and start < found[0] <= high:
                return found[0]
        high = low
    return 0


def chosen_end(text: str, start: int, end: int) -> int:
    """One of the ends of sentences in (start, end], or 0 if there is none.

    It is chosen by a checksum of the characters around it, so that readers of ranges that overlap tend to agree.
    """
    marks = [mark.start() for mark in _MARK.finditer(text, start, end + 1)]
    ranked = [(crc32(text[max(at - _AROUND, 0) : at + _AROUND].encode("utf-8", "replace")), at) for at in marks]
    for _, at in sorted(ranked, reverse=True):
        found = _parted(text, at)
        if found is not None and start < found[0] <= end:
            return found[0]
    return 0


def begins(text: str, start: int, end: int) -> Iterator[int]:
    """The offsets in [start, end) at which a sentence begins behind another, in order; found as they are asked for."""
    before = len(text[max(start - _BEHIND, 0) : start].rstrip()) + max(start - _BEHIND, 0) - _CLOSING
    for mark in _MARK.finditer(text, max(before, 0), end - 1):
        found = _parted(text, mark.start())
        if found is not None and start <= found[1] < end:
            start = found[1] + 1
            yield found[1]


def _parted(text: str, mark: int) -> Span | None:
    """Where one sentence ends and the next begins, if the mark at text[mark] parts two."""
    if text[mark] in _LINE_BREAKS:
        following = _NOT_SPACE.search(text, mark)
        end = mark
        while end > 0 and text[end - 1].isspace():
            if text[end - 1] in _LINE_BREAKS:
                return None  # the first line break has told
            end -= 1
        return (end, following.start()) if following and _parts_lines(text, end, following.start()) else None
    match = STOP.match(text, mark)
    following = _NOT_SPACE.search(text, match.end()) if match else None
    if match is None or following is None:
        return None
    gap = match["gap"] or ""
    stop, behind = match.end() - len(gap) + len(gap.rstrip()), following.start()
    line = text.rfind("\n", max(mark - _LINE_CHARS, 0), mark) + 1
    if ends_sentence(text, line, match, len(text)) or ("\n" in gap and _parts_lines(text, stop, behind)):
        return stop, behind
    return None


def _parts_lines(text: str, end: int, begin: int) -> bool:
    """Whether the line break text[end:begin] ends a sentence."""
    if text.count("\n", end, begin) > 1:
        return True
    above = text[max(end - _LINE_CHARS, 0) : end].split("\n")
    following = text[begin : begin + _LINE_CHARS].partition("\n")[0].strip()
    line = above[-1].strip()
    if not line or not following:
        return True
    return breaks_block(text[end:begin], line, following, max(len(each) for each in above[-3:]))


def _blocks(text: str) -> Iterator[Span]:
    """Runs of lines that may hold sentences across their line breaks."""
    start = end = -1
    previous = ""
    width = 0
    for match in _LINE.finditer(text):
        line = match.group().strip()
        if not line:
            continue
        if start < 0:
            start = match.start()
        elif breaks_block(text[end : match.start()], previous, line, width):
            yield start, end
            start, width = match.start(), 0
        end, previous, width = match.end(), line, max(width, len(line))
    if start >= 0:
        yield start, end


def _split(text: str, start: int, end: int) -> Iterator[Span]:
    """The sentences of one block."""
    begin = start
    looked = start
    worded = False
    for match in STOP.finditer(text, start, end):
        worded = worded or _LETTER_OR_DIGIT.search(text, looked, match.start()) is not None
        looked = match.start()
        if not worded or match.end() >= end or not ends_sentence(text, begin, match, end):
            continue
        stop = match.end() if match["gap"] is None else match.start("gap") + len(match["gap"].rstrip())
        yield from _trimmed(text, begin, stop)
        begin = looked = match.end()
        worded = False
    yield from _trimmed(text, begin, end)


def _trimmed(text: str, start: int, end: int) -> Iterator[Span]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if start < end:
        yield start, end


def _capped(text: str, start: int, end: int, longest: int) -> Iterator[Span]:
    """Cut what is longer than `longest` at its best mark in the second half of that length."""
    while end - start > longest:
        limit = start + longest
        marks = _CUT.finditer(text, start + longest // 2, limit)
        cut = max(((match.group() in ";:；", match.end()) for match in marks), default=(False, limit))[1]
        yield from _trimmed(text, start, cut)
        start = cut
        while start < end and text[start].isspace():
            start += 1
    if start < end:
        yield start, end
