from pathlib import Path

import pytest

from rag.ingest.load.rows import read_csv, record, table


def read(text: str, name: str = "a.csv") -> list[str]:
    return read_csv(text.encode(), Path(name)).text.split("\n\n")


def test_each_row_reads_by_itself():
    assert read('Product,Days,Note\nShoes,30,\nHats,14,"unworn, with tag"\n') == [
        "Product: Shoes; Days: 30",
        "Product: Hats; Days: 14; Note: unworn, with tag",
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(delimiter: str):
    rows = [["Name", "Price", "Text"], ["Shoes", "1,5", "red, blue"], ["Hat", "2,5", "one; two"]]
    text = "\n".join(delimiter.join(f'"{cell}"' if delimiter in cell else cell for cell in row) for row in rows)
    assert read(text) == ["Name: Shoes; Price: 1,5; Text: red, blue", "Name: Hat; Price: 2,5; Text: one; two"]


def test_a_tsv_is_split_at_tabs_only():
    assert read("a,b\tc\nx,y\tz\n", "a.tsv") == ["a,b: x,y; c: z"]


def test_without_a_header_the_rows_stand_alone():
    assert read("1,2\n3,4\n") == ["1; 2", "3; 4"]
    assert read("Shoes,30\n") == ["Shoes; 30"]
    assert read("same,same\na,b\n") == ["same; same", "a; b"]


def test_ragged_rows_line_breaks_and_empty_lines():
    assert read('a,b\n1,2,3\n\n,\n"x\ny"\n') == ["a: 1; b: 2; 3", "a: x y"]


def test_a_quote_never_closed_leaves_the_lines_as_they_are():
    text = 'a,b\n1,"' + "open, " * 30_000
    extracted = read_csv(text.encode(), Path("a.csv"))
    assert extracted.text == text
    assert extracted.metadata == {"rows": "unparsed"}


def test_null_bytes_are_dropped_and_counted():
    extracted = read_csv(b"name,days\nSh\x00oes,30\n" + b"Hats,14\n" * 20, Path("a.csv"))
    assert extracted.text.startswith("name: Shoes; days: 30")
    assert extracted.dropped == 1


def test_record_and_table():
    assert record(["a", ""], ["1", "2", "", "4"]) == "a: 1; 2; 4"
    assert (
        table([["Item", "Days"], ["", " "], ["Shoes\nred", "30"]])
        == "| Item | Days |\n| --- | --- |\n| Shoes red | 30 |"
    )
