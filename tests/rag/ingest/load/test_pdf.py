from pathlib import Path

import pytest

from rag.errors import EncryptedFileError, NoTextError
from rag.ingest.structure import heading_path, page_at
from tests.rag.ingest.load.test_office import load, pdf


def test_pdf_pages_are_exact_spans(tmp_path: Path):
    document = load(tmp_path, "a.pdf", pdf("First page.\nTwo lines.", "", "Third page."))
    assert [document.text[page.start : page.end] for page in document.pages] == [
        "First page.\nTwo lines.",
        "",
        "Third page.",
    ]
    assert page_at(document, document.text.index("Third")) == 3
    assert document.metadata["pages_without_text"] == 1
    assert document.metadata["title"] == "Refund policy"
    assert document.created
    assert len(document.created) == len("2026-01-01")


def test_pdf_headings_that_number_themselves_are_sections(tmp_path: Path):
    prose = "Shoes and hats are sold in eleven countries, as they were last year. " * 4
    document = load(tmp_path, "a.pdf", pdf(f"Item 1. Business\n{prose}", f"Item 2. Properties\n{prose}"))
    assert heading_path(document, document.pages[1].end - 1) == "Item 2. Properties"
    assert document.sections[1].start == document.pages[1].start


def test_a_pdf_with_text_on_every_page_has_no_note(tmp_path: Path):
    assert "pages_without_text" not in load(tmp_path, "a.pdf", pdf("One.")).metadata


def test_a_pdf_without_any_text_says_so(tmp_path: Path):
    with pytest.raises(NoTextError, match="none of its 2 pages holds text, as if scanned") as caught:
        load(tmp_path, "scan.pdf", pdf("", ""))
    assert "OCR" in str(caught.value)


def test_an_encrypted_pdf_says_so_and_one_without_a_reading_password_is_read(tmp_path: Path):
    with pytest.raises(EncryptedFileError, match="password"):
        load(tmp_path, "secret.pdf", pdf("Text.", password="secret"))
    assert load(tmp_path, "owned.pdf", pdf("Text.", password="")).text == "Text."
