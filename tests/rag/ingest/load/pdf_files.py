"""PDFs that tests read: written by fpdf2, or by hand where a library would refuse."""

import zlib
from collections.abc import Iterable, Sequence

from fpdf import FPDF

PROSE = "Shoes and hats are sold in eleven countries, as they were in the years before. "


def new(size: float = 11) -> FPDF:
    """An empty document with one page."""
    made = FPDF()
    made.set_font("helvetica", size=size)
    made.add_page()
    return made


def out(made: FPDF) -> bytes:
    return bytes(made.output())


def rows(made: FPDF, table: Iterable[Sequence[str]], width: float = 40) -> None:
    """Write a table whose first column is aligned to the left and whose others are aligned to the right."""
    for row in table:
        for index, cell in enumerate(row):
            made.cell(70 if index == 0 else width, 6, text=cell, align="L" if index == 0 else "R")
        made.ln(6)


def raw(objects: Sequence[bytes], *, root: int = 1) -> bytes:
    """A PDF of these objects, numbered from one, with a table of references."""
    parts = [b"%PDF-1.7\n"]
    places = []
    length = len(parts[0])
    for number, body in enumerate(objects, 1):
        places.append(length)
        parts.append(b"%d 0 obj\n%s\nendobj\n" % (number, body))
        length += len(parts[-1])
    parts.append(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    parts += [b"%010d 00000 n \n" % place for place in places]
    parts.append(b"trailer\n<</Size %d/Root %d 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, root, length))
    return b"".join(parts)


def stream(content: bytes) -> bytes:
    packed = zlib.compress(content)
    return b"<</Length %d/Filter/FlateDecode>>stream\n%s\nendstream" % (len(packed), packed)


FONT = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>"


def simple(content: bytes, *, page: bytes = b"", catalog: bytes = b"", box: bytes = b"0 0 612 792") -> bytes:
    """One page that draws `content`, with more entries of its page and its catalog."""
    return raw(
        [
            b"<</Type/Catalog/Pages 2 0 R%s>>" % catalog,
            b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[%s]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>%s>>" % (box, page),
            stream(content),
            FONT,
        ]
    )


def many_pages(count: int) -> bytes:
    """A PDF of `count` small pages that say their numbers."""
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", b"", FONT]
    kids = []
    for number in range(1, count + 1):
        objects.append(
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Contents %d 0 R/Resources<</Font<</F1 3 0 R>>>>>>"
            % (len(objects) + 2)
        )
        kids.append(b"%d 0 R" % len(objects))
        objects.append(stream(b"BT /F1 12 Tf 20 100 Td (This is page %d.) Tj ET" % number))
    objects[1] = b"<</Type/Pages/Kids[%s]/Count %d>>" % (b" ".join(kids), count)
    return raw(objects)
