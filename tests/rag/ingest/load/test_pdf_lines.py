import re
from collections import Counter
from pathlib import Path

import pytest

from rag.ingest.load.pdf import read_pdf
from rag.ingest.structure import Extracted
from tests.rag.ingest.load.pdf_files import FONT, PROSE, new, out, raw, rows, simple, stream


def read(data: bytes) -> Extracted:
    return read_pdf(data, Path("a.pdf"))


def mapped(codes: dict[int, str], shown: bytes) -> bytes:
    """A PDF that shows the bytes `shown`, which its font maps to any Unicode text."""
    pairs = b"".join(b"<%02x> <%s>\n" % (code, text.encode("utf-16-be").hex().encode()) for code, text in codes.items())
    cmap = (
        b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def /CMapType 2 def "
        b"1 begincodespacerange <00> <ff> endcodespacerange %d beginbfchar\n%sendbfchar endcmap end end"
        % (len(codes), pairs)
    )
    return raw(
        [
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
            stream(b"BT /F1 12 Tf 72 700 Td <%s> Tj ET" % shown.hex().encode()),
            FONT[:-2] + b"/ToUnicode 6 0 R>>",
            stream(cmap),
        ]
    )


@pytest.mark.parametrize("text", ["\U0001f600", "\U0001d400", "漢", "Ω", "ש", "é", "e\u0301", "ffi", "–"])
def test_every_character_a_font_stands_for_is_read_whole(text: str):
    assert read(mapped({0x41: text}, b"aAb")).text == f"a{text}b"


def test_nulls_are_dropped_and_counted():
    found = read(mapped({0x41: "\0"}, b"fooAbar"))
    assert found.text == "foobar"
    assert found.dropped == 1


def test_ligatures_are_not_lost():
    assert read(mapped({0x41: "\ufb01"}, b"Atting")).text in ("\ufb01tting", "fitting")


def test_right_to_left_text_is_read_in_its_own_order():
    hebrew = "שלום עולם"
    codes = {0x61 + index: letter for index, letter in enumerate(hebrew)}
    drawn = bytes(reversed(codes))  # the page draws from left to right
    assert read(mapped(codes, drawn)).text == hebrew


def hyphenated(first: str, second: str, rest: str) -> bytes:
    lines = [f"This is the long first line of a paragraph that goes on with the {first}-", f"{second} {rest}"]
    shown = b" ".join(b"(%s) Tj 0 -14 Td" % line.encode() for line in lines)
    return simple(b"BT /F1 11 Tf 72 700 Td " + shown + b" ET")


def test_a_word_broken_at_a_line_end_is_whole_where_the_document_has_it_elsewhere():
    assert "example of" in read(hyphenated("exam", "ple", "of it. Another example stands here.")).text


def test_a_hyphen_that_may_belong_to_the_word_stays():
    text = read(hyphenated("short", "term", "debt of the company.")).text
    assert "short-term debt" in text.replace("\n", "")
    assert "\ufffe" not in text


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_rotated_page_loses_no_word(turn: int):
    made = new()
    rows(made, [("In millions", "2023", "2022"), ("Shoes sold", "10", "20"), ("Hats sold", "30", "40")])
    upright = out(made)
    turned = upright.replace(b"/Type /Page\n", b"/Type /Page\n/Rotate %d\n" % turn)
    assert len(turned) > len(upright)
    assert Counter(re.findall(r"\w+", read(turned).text)) == Counter(re.findall(r"\w+", read(upright).text))


def test_a_page_drawn_sideways_and_turned_upright_has_its_table():
    cells = [("Name", "2023", "2022"), ("Shoes", "10", "20"), ("Hats", "30", "40")]
    shown = b" ".join(
        b"1 0 0 1 %d %d Tm (%s) Tj" % (72 + 150 * column, 500 - 16 * row, text.encode())
        for row, line in enumerate(cells)
        for column, text in enumerate(line)
    )
    content = b"q 0 1 -1 0 612 0 cm BT /F1 11 Tf %s ET Q" % shown
    assert "| Shoes | 10 | 20 |" in read(simple(content, page=b"/Rotate 90")).text


def test_no_word_of_long_text_is_lost_or_moved():
    made = new()
    text = "".join(f"Sentence {number} says: {PROSE}" for number in range(300))
    made.multi_cell(0, text=text)
    found = read(out(made))
    assert len(found.pages) > 3
    assert re.findall(r"\w+", found.text) == re.findall(r"\w+", text)
