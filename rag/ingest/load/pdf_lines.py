"""The lines of a PDF page with their places and fonts, from PDFium, in the order in which the page draws them.

PDFium gives a page's text at once but its geometry character by character, so only the characters that tell something
are asked for: the ends of each line, and in lines that look like rows of a table both sides of every space.
"""

from __future__ import annotations

import ctypes
import re
from struct import Struct
from typing import TYPE_CHECKING, Any, NamedTuple

from rag.ingest.structure import clean

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

HYPHEN = "\ufffe"
"""What PDFium puts for a hyphen at the end of a line, joining the line to the next one."""

MAX_HEADING = 130
"""No heading has more characters."""

_GAP = 0.6
"""A space wider than this share of the line's height parts two cells; justified prose stays below it."""
_WIDE = 0.52
"""Lines whose characters take more than this share of their height each hold gaps; prose takes 0.35 to 0.5."""
_TIGHT = 0.38
"""Lines of figures may hold gaps from this share on."""
_FIGURES = re.compile(r"\d[\d.,]*\)?%? +[-–—$€£(]*\d|[$€£—–] ")
_NARROW = 0.3
"""No word of prose is set narrower than this share of its height a character."""
_ENUMERATOR = re.compile(r"[•●▪■◦·o*–—-]|\(?(?:\d{1,3}(?:\.\d{1,2})*|[ivx]{1,5}|[A-Za-z])[.)]|\d{1,2}(?:\.\d{1,2})+")
"""What stands before an item of a list or the title of a section is no column."""
_SPACES = re.compile(" +")
_RECT = Struct("4f").unpack_from
_BOLD = re.compile(r"bold|black|heavy|demi", re.IGNORECASE)
_ITALIC = re.compile(r"italic|oblique", re.IGNORECASE)


class Font(NamedTuple):
    """A font as set on the page: `size` is the height of its lines in points, `weight` what PDFium estimates."""

    name: str
    size: float
    weight: int

    @property
    def bold(self) -> bool:
        """Whether its name says so."""
        return _BOLD.search(self.name) is not None

    @property
    def italic(self) -> bool:
        """Whether its name says so."""
        return _ITALIC.search(self.name) is not None


class Cell(NamedTuple):
    """A part of a line between two gaps: its span in the line's text and its place on the page in points."""

    start: int
    end: int
    left: float
    right: float


class Line(NamedTuple):
    """A line of text; `y` grows upwards, `cells` has one entry where no gap was found; `plain` tells a line
    of at most `MAX_HEADING` characters that is set in one font.
    """

    text: str
    left: float
    right: float
    bottom: float
    height: float
    font: Font
    plain: bool
    cells: tuple[Cell, ...]


class PageReader:
    """Reads the pages of one open document; use it in one thread.

    `dropped` counts characters that had no place in text: nulls, lone surrogates, glyphs without a meaning.
    """

    def __init__(self, document: PdfDocument) -> None:
        import pypdfium2.raw as pdfium

        self.dropped = 0
        self._pdfium: Any = pdfium
        self._document = document
        self._name = ctypes.create_string_buffer(128)
        self._fonts: dict[tuple[bytes, float], Font] = {}

    def lines(self, index: int) -> list[Line] | None:
        """The lines of the page at `index`, from zero; `None` when the page is damaged."""
        pdfium = self._pdfium
        page = pdfium.FPDF_LoadPage(self._document.raw, index)
        if not page:
            return None
        try:
            textpage = pdfium.FPDFText_LoadPage(page)
            if not textpage:
                return None
            try:
                text = self._text(textpage)
                return self._split(textpage, text, pdfium.FPDFPage_GetRotation(page)) if text else []
            finally:
                pdfium.FPDFText_ClosePage(textpage)
        finally:
            pdfium.FPDF_ClosePage(page)

    def _text(self, textpage: Any) -> str:
        """All text of the page, one character per index of PDFium's text."""
        pdfium = self._pdfium
        count = pdfium.FPDFText_CountChars(textpage)
        if count <= 0:
            return ""
        buffer = (ctypes.c_ushort * (2 * count + 2))()
        written = pdfium.FPDFText_GetText(textpage, 0, count, buffer)
        units = memoryview(buffer)[: max(written - 1, 0)].cast("B").cast("H")
        text = units.tobytes().decode("utf-16-le", "surrogatepass")
        if len(text) != len(units):  # pairs of surrogates: as long as places are asked for, one character per index
            text = "".join(map(chr, units))
        self.dropped += max(count - len(text), 0)
        return self._without_false_hyphens(textpage, text) if HYPHEN in text else text

    def _without_false_hyphens(self, textpage: Any, text: str) -> str:
        """PDFium puts the same mark for what a font maps to null: that is a null here, so that it is counted."""
        pdfium = self._pdfium

        def kept(match: re.Match[str]) -> str:
            index = pdfium.FPDFText_GetCharIndexFromTextIndex(textpage, match.start())
            return HYPHEN if pdfium.FPDFText_IsHyphen(textpage, index) == 1 else "\0"

        return re.sub(HYPHEN, kept, text)

    def _split(self, textpage: Any, text: str, rotation: int) -> list[Line]:
        exact = self._pdfium.FPDFText_CountChars(textpage) == len(text)
        places = _Places(self._pdfium, textpage, rotation, exact=exact)
        unclean = clean(text)[1] > 0
        lines = []
        start = 0
        for raw in text.split("\r\n"):
            stripped = raw.strip()
            if stripped:
                line = self._line(textpage, places, stripped, start + raw.index(stripped[0]))
                lines.append(self._cleaned(line) if unclean or "\r" in stripped else line)
            start += len(raw) + 2
        return lines

    def _line(self, textpage: Any, places: _Places, text: str, first: int) -> Line:
        length = len(text)
        left, bottom, end, top = places.box(first)
        right = places.box(first + length - 1)[2] if length > 1 else end
        height = top - bottom
        font = self._font(textpage, places.index(first), height)
        # Headings are short: whether the font changes within a longer line tells nothing.
        plain = length <= MAX_HEADING and self._font(textpage, places.index(first + length - 1), height) is font
        filled = (right - left) / (height * length) if height > 0 else 1.0
        if filled > _WIDE or (filled > _TIGHT and _FIGURES.search(text)):
            return Line(
                text, left, right, bottom, height, font, plain, _cells(places, text, first, left, right, height)
            )
        return Line(text, left, right, bottom, height, font, plain, (Cell(0, length, left, right),))

    def _cleaned(self, line: Line) -> Line:
        whole = line.text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
        text, lost = clean(whole)
        self.dropped += lost
        return line._replace(text=text, cells=(Cell(0, len(text), line.left, line.right),))

    def _font(self, textpage: Any, index: int, height: float) -> Font:
        name = self._name
        self._pdfium.FPDFText_GetFontInfo(textpage, index, name, len(name), None)
        key = (name.value, round(height * 2) / 2)
        font = self._fonts.get(key)
        if font is None:
            weight = self._pdfium.FPDFText_GetFontWeight(textpage, index)
            font = self._fonts[key] = Font(key[0].decode("utf-8", "replace"), key[1], weight)
        return font


class _Places:
    """Where characters stand on the page as it is shown, by their place in PDFium's text."""

    def __init__(self, pdfium: Any, textpage: Any, rotation: int, *, exact: bool) -> None:
        self._index_of = None if exact else pdfium.FPDFText_GetCharIndexFromTextIndex
        self._get = pdfium.FPDFText_GetLooseCharBox
        self._textpage = textpage
        self._rotation = rotation
        self._rect = pdfium.FS_RECTF()

    def index(self, place: int) -> int:
        """PDFium counts characters that its text leaves out: its index for a place in the text."""
        return place if self._index_of is None else int(self._index_of(self._textpage, place))

    def box(self, place: int) -> tuple[float, float, float, float]:
        """Left, bottom, right and top, in points."""
        rect, index = self._rect, place if self._index_of is None else self.index(place)
        self._get(self._textpage, index, rect)
        if not self._rotation:
            box: tuple[float, float, float, float] = _RECT(rect)  # left, top, right, bottom
            return box[0], box[3], box[2], box[1]
        left, bottom, right, top = rect.left, rect.bottom, rect.right, rect.top
        if self._rotation == 1:
            return bottom, -right, top, -left
        if self._rotation == 2:
            return -right, -top, -left, -bottom
        return -top, left, -bottom, right


def _cells(places: _Places, text: str, first: int, left: float, right: float, height: float) -> tuple[Cell, ...]:
    """The parts of a line between wide gaps."""
    wide = _GAP * height
    cells = []
    start = word = 0
    word_left = left
    for match in _SPACES.finditer(text):
        space, following = match.span()
        begin = places.box(first + following)[0]
        # Most spaces are narrow: the place before one is asked for only where the word could not fill what is there.
        if begin - word_left > _NARROW * height * (space - word) + wide:
            end = places.box(first + space - 1)[2]
            if begin - end > wide and not (start == 0 and _ENUMERATOR.fullmatch(text, 0, space)):
                cells.append(Cell(start, space, left, end))
                start, left = following, begin
        word, word_left = following, begin
    cells.append(Cell(start, len(text), left, right))
    return tuple(cells)
