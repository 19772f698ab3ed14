import re
from collections import Counter
from pathlib import Path

import pytest

from rag.ingest.load.pdf import read_pdf
from rag.ingest.settings import LoadingSettings
from tests.rag.ingest.load.pdf_files import PROSE, new, out, rows

NUMBER = re.compile(r"\d[\d.,]*\d|\d")
ACCOUNTS = [
    ("In millions", "2023", "2022"),
    ("Product revenue", "$ 64,699", "$ 72,732"),
    ("Service revenue", "147,216", "125,538"),
    ("Change in value", "(1,204)", "-"),
    ("Total revenue", "$ 211,915", "$ 198,270"),
]


def read(data: bytes, tables: str = "markdown"):
    return read_pdf(data, Path("a.pdf"), LoadingSettings.model_validate({"pdf_tables": tables}))


def accounts() -> bytes:
    made = new()
    made.multi_cell(0, text=PROSE * 4)
    made.ln(4)
    rows(made, ACCOUNTS)
    made.ln(4)
    made.multi_cell(0, text=PROSE * 4)
    return out(made)


def test_a_table_is_written_in_markdown_where_it_stands():
    read_ = read(accounts())
    table = "\n".join(line for line in read_.text.split("\n") if line.startswith("|"))
    assert table == (
        "| In millions | 2023 | 2022 |\n"
        "|---|---|---|\n"
        "| Product revenue | $ 64,699 | $ 72,732 |\n"
        "| Service revenue | 147,216 | 125,538 |\n"
        "| Change in value | (1,204) | - |\n"
        "| Total revenue | $ 211,915 | $ 198,270 |"
    )
    before, after = read_.text.split(table)
    assert before.startswith("Shoes")
    assert after.strip().startswith("Shoes")
    assert read_.metadata["tables"] == 1


def test_the_setting_leaves_tables_as_lines():
    text = read(accounts(), "text").text
    assert "|" not in text
    assert "Product revenue $ 64,699 $ 72,732" in text


def test_no_figure_is_lost_or_made_up():
    plain, table = (Counter(NUMBER.findall(read(accounts(), kind).text)) for kind in ("text", "markdown"))
    assert plain == table
    assert plain["198,270"] == 1


def test_empty_cells_keep_their_columns_and_names_that_are_missing_stay_empty():
    made = new()
    rows(made, [("Loans", "10", "20", "30"), ("Bonds", "", "21", ""), ("Shares", "12", "", "33")], width=30)
    assert read(out(made)).text.split("\n") == [
        "|  |  |  |  |",
        "|---|---|---|---|",
        "| Loans | 10 | 20 | 30 |",
        "| Bonds |  | 21 |  |",
        "| Shares | 12 |  | 33 |",
    ]


def test_a_label_that_wraps_is_one_cell():
    made = new()
    rows(made, [("Assets", "2023", "2022"), ("Cash at the end", "", ""), ("of the year", "5,100", "4,900")])
    assert "| Cash at the end of the year | 5,100 | 4,900 |" in read(out(made)).text


def test_bars_inside_cells_are_escaped():
    made = new()
    rows(made, [("Kind", "Share"), ("a|b", "10"), ("Other", "20")])
    assert "| a\\|b | 10 |" in read(out(made)).text


@pytest.mark.parametrize("align", ["L", "J"])
def test_prose_is_no_table(align: str):
    made = new()
    made.multi_cell(0, text=f"In 2023 and 2022, sales were $ 12 and $ 14 a pair. {PROSE}" * 12, align=align)
    found = read(out(made))
    assert "|" not in found.text
    assert "tables" not in found.metadata


def test_a_list_with_hanging_numbers_is_no_table():
    made = new()
    for number in range(1, 6):
        made.cell(15, 6, text=f"{number}.")
        made.cell(0, 6, text=PROSE, new_x="LMARGIN", new_y="NEXT")
    assert "|" not in read(out(made)).text


def test_two_columns_of_prose_are_read_one_after_the_other():
    made = new()
    made.text_columns(ncols=2, gutter=10, text=PROSE * 60).render()
    text = read(out(made)).text
    assert "|" not in text
    assert Counter(re.findall(r"\w+", text)) == Counter(re.findall(r"\w+", PROSE * 60))
    assert " ".join(text.split()).startswith(PROSE * 20)


def test_cells_over_several_columns_keep_their_order():
    made = new()
    made.cell(70, 6, text="")
    made.cell(80, 6, text="Year ended December 31,", align="C", new_x="LMARGIN", new_y="NEXT")
    rows(made, ACCOUNTS)
    text = read(out(made)).text
    assert text.index("Year ended") < text.index("2023") < text.index("2022") < text.index("Product")
