"""What ends a sentence: the rules behind `plumbline.text.sentences`, each judged from a few characters on both sides.

A stop ends a sentence unless what stands before it is an abbreviation, an initial or a list number, or what follows it
goes on in lower case. A line break ends one beside headings, list items and rows of a table.
"""

from __future__ import annotations

import re

from plumbline.text.graphemes import breaks_unspaced

STOP = re.compile(
    r"(?<![.!?؟۔।॥…։።፧။៕])[.!?؟۔।॥…։።፧။។៕]++(?P<close>(?:[\"'”’»›)\]}]|\[\d{1,3}\])*+)"
    r"(?P<gap>\s++(?:(?:''|[\"”’»)\]}])(?=\s|$)\s*+)?)"
    r"|(?:[。！？｡．‼⁇⁈⁉]++|(?<=[\u3041-\u30fa\u4e00-\u9fff])[!?]++(?=[「『（《〈“\u3041-\u30fa\u4e00-\u9fff]))"
    r"[\"'”’»›)\]}」』）】》〉]*+"
)
"""What may end a sentence with the marks that close it; `gap`: the white space behind, `None` where none is needed."""

_BULLET = re.compile(r"(?:[-*+•‣◦▪●○·–—]|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)])\s+\S")
_NUMBER_TOKEN = re.compile(r"[$€£¥(~±+\-–—]*\d[\d.,:/'’%)$€£¥\-–]*[a-zA-Z%]?\)?$|[-–—$€£¥%]$")
_COLUMN_GAP = re.compile(r"\S(?:\t+| {3,})(?=\S)")
_WORD = re.compile(r"\w*")
_LETTERS = re.compile(r"(?:\w\.)+\w")
_LAST_WORD = re.compile(r"[^\s(\[\"'“‘«/]+$")


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


def ends_sentence(text: str, begin: int, match: re.Match[str], end: int) -> bool:
    """Whether the stop found by `match` (of `STOP`) ends the sentence that began at `begin`; text[end:] is not read."""
    at = match.end()
    if match["gap"] is None:
        return at >= end or text[at].isspace() or breaks_unspaced(text, at)
    following = text[at : min(at + 24, end)].lstrip("\"'“‘«`([{-–— ")
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
    opener = (_WORD.match(following) or [""])[0]
    opens = opener.lower() in _OPENERS and opener[:1].isupper()
    if word in _NEVER_END:
        return False
    if word in _BEFORE_FIGURE and not (len(raw) == 1 and raw.isupper()):
        return not opener[:1].isdigit()
    if word in _MAY_END or _LETTERS.fullmatch(word):
        return opens
    if len(raw) == 1 and raw.isupper():
        return opens and len(opener) > 1
    if word.isdigit() and len(word) <= 3:
        return stop - len(raw) > begin and opener.lower() not in _MONTHS
    return True


def breaks_block(gap: str, line: str, following: str, width: int) -> bool:
    """Whether the line break `gap` between two lines ends a block; `width` is the longest line of the block so far."""
    if gap.count("\n") > 1 or "\f" in gap or gap.count("\r") > 1 or "\u2029" in gap:
        return True
    if _BULLET.match(following) or line.startswith("#") or following.startswith("#"):
        return True
    if is_row(line) or is_row(following):
        return True
    if following[0].islower() or line[-1] in ",;-–—(&":
        return False
    # A heading or a label: much shorter than a wrapped line would be, and the next line opens something new.
    short = len(line) < 0.6 * max(width, len(following), 50)
    return short and line[-1] not in ".!?…"


def is_row(line: str) -> bool:
    """Whether `line` looks like a row of a table: separated cells, or words that end in figures."""
    if line.count("|") > 1 or (("\t" in line or "   " in line) and _COLUMN_GAP.search(line)):
        return True
    if not _NUMBER_TOKEN.match(line[-40:].rpartition(" ")[2]):
        return False
    tail = line[-200:].split()
    figures = 0
    while figures < len(tail) and _NUMBER_TOKEN.match(tail[-1 - figures]):
        figures += 1
    if figures and line[-1] in ".,;:":
        return False
    return figures >= 2 or (figures == 1 and 1 < len(tail) <= 6 and len(line) < 60)
