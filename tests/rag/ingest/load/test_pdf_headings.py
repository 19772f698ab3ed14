from pathlib import Path

import fpdf

from rag.ingest.load.pdf import read_pdf
from rag.ingest.structure import Extracted
from tests.rag.ingest.load.pdf_files import PROSE, new, out, rows


def read(data: bytes) -> Extracted:
    return read_pdf(data, Path("a.pdf"))


def title(made: "fpdf.FPDF", text: str, size: float = 11, style: str = "B", level: int | None = None) -> None:
    if level is not None:
        made.start_section(text, level=level)
    made.set_font("helvetica", style, size)
    made.multi_cell(0, text=text, new_x="LMARGIN", new_y="NEXT")
    made.set_font("helvetica", "", 11)


def prose(made: "fpdf.FPDF", times: int = 10) -> None:
    made.multi_cell(0, text=PROSE * times, new_x="LMARGIN", new_y="NEXT")
    made.ln(4)


def headings(found: Extracted) -> list[tuple[str, ...]]:
    for section in found.sections:
        assert found.text[section.start :].startswith(section.path[-1].split(" ")[0])
    return [section.path for section in found.sections]


def test_bookmarks_lead_to_their_lines_and_nest():
    made = new()
    for chapter in ("Returns", "Delivery"):
        title(made, chapter, 11, "", level=0)
        prose(made)
        title(made, f"{chapter} abroad", 11, "", level=1)
        prose(made)
    assert headings(read(out(made))) == [
        ("Returns",),
        ("Returns", "Returns abroad"),
        ("Delivery",),
        ("Delivery", "Delivery abroad"),
    ]


def test_a_bookmark_whose_title_is_not_in_the_text_stands_where_it_leads():
    made = new()
    prose(made)
    made.start_section("Appendix of prices")
    made.multi_cell(0, text="Hats cost ten euros.", new_x="LMARGIN", new_y="NEXT")
    found = read(out(made))
    assert [section.path for section in found.sections] == [("Appendix of prices",)]
    assert found.text[found.sections[0].start :].startswith("Hats")


def test_larger_and_bold_lines_are_headings_by_rank():
    made = new()
    for part in ("First part", "Second part"):
        title(made, part, 18)
        prose(made)
        title(made, f"Shoes of the {part.lower()}")
        prose(made)
    assert headings(read(out(made))) == [
        ("First part",),
        ("First part", "Shoes of the first part"),
        ("Second part",),
        ("Second part", "Shoes of the second part"),
    ]


def test_bookmarks_hold_numbers_and_numbers_hold_fonts():
    made = new()
    title(made, "Annual report", 16, level=0)
    title(made, "Item 1. Business")
    prose(made)
    title(made, "Our markets")
    prose(made)
    title(made, "Item 2. Properties")
    prose(made)
    assert headings(read(out(made))) == [
        ("Annual report",),
        ("Annual report", "Item 1. Business"),
        ("Annual report", "Item 1. Business", "Our markets"),
        ("Annual report", "Item 2. Properties"),
    ]


def test_a_title_that_stands_out_more_ends_a_numbered_section():
    made = new()
    title(made, "Item 1. Business")
    prose(made)
    title(made, "Report of the auditors", 18)
    prose(made)
    assert headings(read(out(made))) == [("Item 1. Business",), ("Report of the auditors",)]


def test_a_title_of_two_lines_is_one_heading():
    made = new()
    title(made, "Foreign currency contracts that are\ndesignated as hedges", 14)
    prose(made)
    assert headings(read(out(made))) == [("Foreign currency contracts that are designated as hedges",)]


def test_bold_paragraphs_sentences_and_rows_are_no_headings():
    made = new()
    prose(made, 20)
    title(made, PROSE * 5)
    title(made, "This sentence is set in bold.")
    prose(made, 20)
    made.set_font("helvetica", "B", 11)
    rows(made, [("Name", "2023", "2022"), ("Total assets", "10", "20"), ("Total debts", "5", "6")])
    assert not headings(read(out(made)))


def test_bold_everywhere_marks_no_headings():
    made = new()
    for number in range(40):
        title(made, f"Kind of shoe {chr(65 + number % 26)}")
        made.multi_cell(0, text=PROSE[:40] * 5, new_x="LMARGIN", new_y="NEXT")
    assert not headings(read(out(made)))


def test_heads_and_feet_of_pages_stay_in_the_text_and_are_no_headings():
    made = new()
    for number in range(1, 6):
        if number > 1:
            made.add_page()
        title(made, "Item 1. Annual report of Northwind", 14)
        made.multi_cell(0, text=f"{'About shops. ' * number}{PROSE * number}Shop of {'hats ' * number}.")
        made.set_y(-25)
        made.cell(0, 6, text=f"Page {number}")
    found = read(out(made))
    assert not headings(found)
    assert found.text.count("Annual report of Northwind") == 5
    assert found.metadata["running_lines"] == 10
