"""OCR of pages that hold nothing but an image; skipped where the extra `ocr` is not installed."""

import io
import sys
from pathlib import Path

import fpdf
import pytest

from plumbline.errors import MissingExtraError
from rag.errors import NoTextError
from rag.ingest.load.pdf import read_pdf
from rag.ingest.settings import LoadingSettings
from tests.rag.ingest.load.pdf_files import new, out, rows

TEXT = "Refunds take thirty days. Keep the receipt of invoice 4,318."


def scanned(data: bytes, *, with_text: bool = False) -> bytes:
    """The same pages as images, after a page of text if `with_text`."""
    import pypdfium2

    made = new()
    if with_text:
        made.multi_cell(0, text="A page of text.")
        made.add_page()
    with pypdfium2.PdfDocument(data) as source:
        for index in range(len(source)):
            if index:
                made.add_page()
            image = io.BytesIO()
            source[index].render(scale=2).to_pil().save(image, "PNG")
            made.image(image, 0, 0, 210, 297)
    return out(made)


def page() -> bytes:
    made = new()
    made.multi_cell(0, text=TEXT, new_x="LMARGIN", new_y="NEXT")
    made.ln(20)
    rows(made, [("Segment", "2025", "2024"), ("Devices", "1,250", "1,101"), ("Services", "3,068", "2,737")])
    return out(made)


def test_a_scan_without_ocr_names_the_setting_and_the_extra():
    with pytest.raises(NoTextError) as caught:
        read_pdf(scanned(page()), Path("scan.pdf"))
    assert "loading.ocr" in str(caught.value.hint)
    assert "plumbline[ocr]" in str(caught.value.hint)


def test_scanned_pages_are_named():
    found = read_pdf(scanned(page(), with_text=True), Path("scan.pdf"))
    assert found.metadata["pages_without_text"] == 1
    assert found.metadata["scanned_pages"] == "2"


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "rapidocr", None)
    with pytest.raises(MissingExtraError, match="ocr"):
        read_pdf(scanned(page()), Path("scan.pdf"), LoadingSettings(ocr=True))


@pytest.fixture
def _engine() -> None:
    pytest.importorskip("rapidocr")
    pytest.importorskip("onnxruntime")


@pytest.mark.usefixtures("_engine")
def test_a_scanned_page_is_read_with_its_table():
    found = read_pdf(scanned(page(), with_text=True), Path("scan.pdf"), LoadingSettings(ocr=True))
    second = found.text[found.pages[1].start : found.pages[1].end]
    assert second.startswith(TEXT)
    assert "| Devices | 1,250 | 1,101 |" in second
    assert "pages_without_text" not in found.metadata
    assert found.metadata["ocr_pages"] == 1


@pytest.mark.usefixtures("_engine")
def test_a_page_on_which_ocr_finds_nothing_still_counts_as_empty():
    made = fpdf.FPDF()
    made.add_page()
    made.rect(10, 10, 50, 50)
    with pytest.raises(NoTextError, match="OCR found none"):
        read_pdf(out(made), Path("drawn.pdf"), LoadingSettings(ocr=True))
