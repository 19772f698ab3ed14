"""Where sentences start and end, as offsets into the text that was given.

Rules, no model: a stop ends a sentence unless what stands before it is an abbreviation, an initial or a list number,
or what follows it goes on in lower case. Lines that look like headings, list items or rows of a table are sentences
of their own; other line breaks are wrapped prose and end nothing. Works for scripts with spaces and without.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

Span = tuple[int, int]
"""(start, end) in Unicode code points: text[start:end]."""

MAX_SENTENCE_CHARS = 700
"""The longest sentence returned; longer ones are cut at their last semicolon, comma or space before this length."""

_LINE = re.compile(r"[^\n\r\f\v\x85\u2028\u2029]+")
_LETTER_OR_DIGIT = re.compile(r"\w")
_STOP = re.compile(
    r"(?<![.!?؟۔।॥…])[.!?؟۔।॥…]++(?P<close>(?:[\"'”’»›)\]}]|\[\d{1,3}\])*+)"
    r"(?P<gap>\s++(?:(?:''|[\"”’»)\]}])(?=\s|$)\s*+)?)"
    r"|[。！？｡．]++[\"'”’»›)\]}」』）】》〉]*+"
)
_BULLET = re.compile(r"(?:[-*+•‣◦▪●○·–—]|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)])\s+\S")
_NUMBER_TOKEN = re.compile(r"[$€£¥(~±+\-–—]*\d[\d.,:/'’%)$€£¥\-–]*[a-zA-Z%]?\)?$|[-–—$€£¥%]$")
_COLUMN_GAP = re.compile(r"\S(?:\t+| {3,})(?=\S)")
_LAST_WORD = re.compile(r"[^\s(\[\"'“‘«/]+$")
_CUT = re.compile(r"[;:](?=\s)|[,،、，；](?=\s?)|\s[–—-](?=\s)|\s")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# These end no sentence.
_NEVER_END = _words(
    """
    mr mrs ms dr prof rev hon gen col maj capt lt sgt cpl cmdr adm gov sen rep pres supt st ste mt ft messrs mme mlle
    vs v cf viz resp incl excl eds trans dept univ assn bros i.e e.g b.a m.a b.sc m.sc n.b q.v
    sr sra srta srs dra ud uds vd av núm mm mlles bzw z.b d.h abs hr fr evtl ggf vgl
    """
)
# These end one only where the next word is of those that open sentences.
_MAY_END = _words(
    """
    etc al jr esq inc ltd co corp llc plc gmbh a.m p.m ph.d d.c u.s u.k u.n e.u u.s.a u.s.s.r b.c a.d b.c.e c.e
    usw u.a ee.uu approx est ave blvd rd bldg apt
    """
)
# These are cut short only before a figure: "No. 5", "p. 12", "Jan. 3", "c. 1500".
_BEFORE_FIGURE = _words(
    """
    no nos nr vol vols pp p pg pág págs ch sec secs art fig figs eq eqs tab ex app par para c ca b d r m art tel
    jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thurs fri sat sun
    """
)
_OPENERS = _words(
    """
    the a an this that these those it its he she they we i you his her their there here in on at by from for after
    before during since when while where as if although though however but and so then thus also many most some such
    one two another other both each all no not according what why how
    el la los las un una en es se su esta este der die das ein eine im le les il elle
    """
)
_MONTHS = _words("januar februar märz april mai juni juli august september oktober november dezember")


def sentences(text: str) -> list[Span]:
    """Split `text` into sentences.

    Returns (start, end) offsets in code points, in order and without overlap, trimmed of white space and none longer
    than `MAX_SENTENCE_CHARS`; together they hold every character of `text` that is not white space. Time is linear in
    the length of `text`.
    """
    return [
        piece for start, end in _blocks(text) for span in _split(text, start, end) for piece in _capped(text, *span)
    ]


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
        elif _breaks(text[end : match.start()], previous, line, width):
            yield start, end
            start, width = match.start(), 0
        end, previous, width = match.end(), line, max(width, len(line))
    if start >= 0:
        yield start, end


def _breaks(gap: str, line: str, following: str, width: int) -> bool:
    """Whether the line break `gap` between two lines ends a block; `width` is the longest line of the block so far."""
    if gap.count("\n") > 1 or "\f" in gap or gap.count("\r") > 1 or "\u2029" in gap:
        return True
    if _BULLET.match(following) or line.startswith("#") or following.startswith("#"):
        return True
    if _is_row(line) or _is_row(following):
        return True
    if following[0].islower() or line[-1] in ",;-–—(&":
        return False
    # A heading or a label: much shorter than a wrapped line would be, and the next line opens something new.
    short = len(line) < 0.6 * max(width, len(following), 50)
    return short and line[-1] not in ".!?…"


def _is_row(line: str) -> bool:
    """Whether `line` looks like a row of a table: separated cells, or words that end in figures."""
    if line.count("|") > 1 or _COLUMN_GAP.search(line):
        return True
    tail = line[-200:].split()
    figures = 0
    while figures < len(tail) and _NUMBER_TOKEN.match(tail[-1 - figures]):
        figures += 1
    if figures and line[-1] in ".,;:":
        return False
    return figures >= 2 or (figures == 1 and 1 < len(tail) <= 6 and len(line) < 60)


def _split(text: str, start: int, end: int) -> Iterator[Span]:
    """The sentences of one block."""
    begin = start
    looked = start
    worded = False
    for match in _STOP.finditer(text, start, end):
        worded = worded or _LETTER_OR_DIGIT.search(text, looked, match.start()) is not None
        looked = match.start()
        if not worded or match.end() >= end or not _ends(text, begin, match, end):
            continue
        stop = match.end() if match["gap"] is None else match.start("gap") + len(match["gap"].rstrip())
        yield from _trimmed(text, begin, stop)
        begin = looked = match.end()
        worded = False
    yield from _trimmed(text, begin, end)


def _ends(text: str, begin: int, match: re.Match[str], end: int) -> bool:
    """Whether the stop found by `match` ends the sentence that began at `begin`."""
    if match["gap"] is None:
        return True
    following = text[match.end() : min(match.end() + 24, end)].lstrip("\"'“‘«`([{-–— ")
    if following[:1].islower() or following[:1] in (",", ";", ":", ")", "]", "?", "!", "."):
        return False
    if match.group()[0] != "." or match.group().startswith(".."):
        return True
    if match["close"].startswith((")", "]")) and not following[:1].isupper() and not following[:1].isdigit():
        return False
    return _stop_ends(text, begin, match.start(), following)


def _stop_ends(text: str, begin: int, stop: int, following: str) -> bool:
    """Whether the full stop at text[stop] ends a sentence, judged by the words on both sides."""
    found = _LAST_WORD.search(text[max(begin, stop - 24) : stop])
    if found is None:
        return True
    raw = found.group()
    word = raw.lower()
    opener = (re.match(r"\w*", following) or [""])[0]
    opens = opener.lower() in _OPENERS and opener[:1].isupper()
    if word in _NEVER_END:
        return False
    if word in _BEFORE_FIGURE and not (len(raw) == 1 and raw.isupper()):
        return not opener[:1].isdigit()
    if word in _MAY_END or re.fullmatch(r"(?:\w\.)+\w", word):
        return opens
    if len(raw) == 1 and raw.isupper():
        return opens and len(opener) > 1
    if word.isdigit() and len(word) <= 3:
        return stop - len(raw) > begin and opener.lower() not in _MONTHS
    return True


def _trimmed(text: str, start: int, end: int) -> Iterator[Span]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if start < end:
        yield start, end


def _capped(text: str, start: int, end: int) -> Iterator[Span]:
    """Cut what is longer than `MAX_SENTENCE_CHARS` at its best mark in the second half of that length."""
    while end - start > MAX_SENTENCE_CHARS:
        limit = start + MAX_SENTENCE_CHARS
        marks = _CUT.finditer(text, start + MAX_SENTENCE_CHARS // 2, limit)
        cut = max(((match.group() in ";:；", match.end()) for match in marks), default=(False, limit))[1]
        yield from _trimmed(text, start, cut)
        start = cut
        while start < end and text[start].isspace():
            start += 1
    if start < end:
        yield start, end
