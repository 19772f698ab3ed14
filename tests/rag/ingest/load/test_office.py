import contextlib
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from rag.errors import DamagedFileError, EncryptedFileError, LoadError
from rag.ingest.load import read_document
from rag.ingest.structure import heading_path
from rag.testing.loader import check_document
from tests.rag.ingest.load import office_files

fpdf = pytest.importorskip("fpdf")
docx = pytest.importorskip("docx")

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def pdf(*pages: str, password: str | None = None) -> bytes:
    made = fpdf.FPDF()
    made.set_title("Refund policy")
    made.set_font("helvetica", size=12)
    for text in pages:
        made.add_page()
        made.multi_cell(0, text=text) if text else made.rect(10, 10, 50, 50)
    if password is not None:
        made.set_encryption(owner_password="owner", user_password=password)
    return bytes(made.output())


def word() -> bytes:
    made = docx.Document()
    made.core_properties.title = "Terms"
    made.add_heading("Policy", 1)
    made.add_paragraph("Refunds: see Food.")
    made.add_paragraph("Food")
    made.add_heading("Food", 2)
    bold = made.add_paragraph("Not ")
    bold.add_run("returnable").bold = True
    table = made.add_table(rows=2, cols=2)
    for row, cells in enumerate((("Item", "Days"), ("Shoes and boots", "30"))):
        for column, text in enumerate(cells):
            table.cell(row, column).text = text
    made.add_heading("Contact", 1)
    made.add_paragraph("Write to us.")
    buffer = io.BytesIO()
    made.save(buffer)
    return buffer.getvalue()


def load(folder: Path, name: str, data: bytes):
    (folder / name).write_bytes(data)
    document = read_document(folder / name, root=folder)
    check_document(document)
    return document


@pytest.mark.parametrize("suffix", [".pdf", ".docx", ".pptx", ".xlsx", ".odt", ".epub", ".rtf"])
def test_what_is_not_what_its_name_says(tmp_path: Path, suffix: str):
    with pytest.raises(DamagedFileError, match=rf"file{suffix}.*no \w+ file"):
        load(tmp_path, f"file{suffix}", b"just some text, hello\n" * 20)


def made(suffix: str) -> bytes:
    make: dict[str, Callable[[], bytes]] = {
        ".pdf": lambda: pdf("Some text on a page.", "More."),
        ".docx": word,
        ".pptx": lambda: office_files.pack(office_files.pptx_parts()),
        ".xlsx": lambda: office_files.xlsx({"Prices": [["Product", "Price"], ["Shoes", 19.5]]}),
        ".odt": office_files.odt,
        ".epub": office_files.epub,
        ".rtf": lambda: rb"{\rtf1\ansi Text with \'e9 accent.\par Second.}",
    }
    return make[suffix]()


@pytest.mark.parametrize("suffix", [".pdf", ".docx", ".pptx", ".xlsx", ".odt", ".epub", ".rtf"])
def test_a_truncated_file_is_damaged_wherever_it_was_cut(tmp_path: Path, suffix: str):
    whole = made(suffix)
    assert load(tmp_path, f"whole{suffix}", whole).text
    for share in (0.1, 0.5, 0.9):
        with pytest.raises(DamagedFileError):
            load(tmp_path, f"cut{suffix}", whole[: int(len(whole) * share)])


@pytest.mark.parametrize("suffix", [".pdf", ".docx", ".pptx", ".xlsx", ".odt", ".epub", ".rtf"])
def test_flipped_bytes_never_raise_anything_else(tmp_path: Path, suffix: str):
    whole = made(suffix)
    for seed in range(25):
        broken = bytearray(whole)
        for step in range(1 + seed % 5 * 10):
            broken[(seed * 7919 + step * 104729) % len(broken)] ^= 1 + (seed + step) % 255
        with contextlib.suppress(LoadError):  # anything else fails the test
            load(tmp_path, f"flipped{suffix}", bytes(broken))


@pytest.mark.parametrize("suffix", [".docx", ".pptx", ".xlsx"])
def test_password_protected_office_files(tmp_path: Path, suffix: str):
    with pytest.raises(EncryptedFileError, match="password"):
        load(tmp_path, f"secret{suffix}", OLE + bytes(2000))


def test_word_headings_tables_and_plain_text(tmp_path: Path):
    document = load(tmp_path, "a.docx", word())
    assert document.text == (
        "Policy\n\nRefunds: see Food.\n\nFood\n\nFood\n\nNot returnable\n\n"
        "| Item | Days |\n| --- | --- |\n| Shoes and boots | 30 |\n\n"
        "Contact\n\nWrite to us."
    )
    assert heading_path(document, document.text.index("Not returnable")) == "Policy > Food"
    assert heading_path(document, document.text.index("Write")) == "Contact"
    food = document.sections[1]
    assert food.start == document.text.index("Food\n\nNot"), "the heading, not the paragraph that reads the same"
    assert document.metadata["title"] == "Terms"
    assert document.pages == (), "Word files have no fixed pages"


def test_sheets_are_sections_and_rows_read_by_themselves(tmp_path: Path):
    sheets: dict[str, list[list[object]]] = {
        "Prices": [["Product", "Price"], ["Shoes, red", 19.5], ["Hat", 1000000]],
        "Stock": [["Item", "Count"], ["Shoes", 3]],
    }
    document = load(tmp_path, "a.xlsx", office_files.xlsx(sheets))
    assert document.text == (
        "Prices\n\nProduct: Shoes, red; Price: 19.5\n\nProduct: Hat; Price: 1000000\n\nStock\n\nItem: Shoes; Count: 3"
    )
    assert heading_path(document, document.text.index("Item: Shoes")) == "Stock"


def test_epub_and_odt_headings(tmp_path: Path):
    book = load(tmp_path, "a.epub", office_files.epub())
    assert [section.path for section in book.sections] == [("One",), ("One", "Part"), ("Two",), ("Two", "Part")]
    assert (book.language, book.metadata["title"]) == ("en", "Book")
    text = load(tmp_path, "a.odt", office_files.odt())
    assert text.text == "Policy\n\nRefunds take thirty days.\n\nFood\n\nNone."
    assert [section.path for section in text.sections] == [("Policy",), ("Policy", "Food")]


def test_mail_has_its_head_and_date(tmp_path: Path):
    mail = (
        b"From: Shop <shop@example.org>\nTo: me@example.org\nSubject: Your refund\n"
        b"Date: Mon, 01 Apr 2024 10:00:00 +0000\nContent-Type: text/plain; charset=utf-8\n\n"
        b"Dear customer,\n\nit is paid.\n"
    )
    document = load(tmp_path, "a.eml", mail)
    assert "Subject: Your refund" in document.text
    assert document.text.endswith("it is paid.")
    assert (document.created, document.metadata["title"]) == ("2024-04-01", "Your refund")


def test_nothing_is_cached_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("HOME", str(tmp_path / "work"))
    load(tmp_path, "a.pdf", pdf("Text."))
    assert list((tmp_path / "work").iterdir()) == []
