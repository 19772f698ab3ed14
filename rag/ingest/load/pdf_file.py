"""Opens a PDF: its errors, and what it says about itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rag.errors import DamagedFileError, EncryptedFileError, LoadError
from rag.ingest.structure import clean

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument, PdfiumError

_DATE = re.compile(r"(?:D:)?(\d{4})-?(\d\d)-?(\d\d)")
_END = b"%%EOF"
_OBJECT = re.compile(rb"\d\s+obj\b")
_PASSWORD, _SECURITY = 4, 5
"""PDFium's codes for a password that is needed, and for a way to encrypt that it does not know (fpdfview.h)."""


@dataclass(frozen=True, slots=True)
class Facts:
    """`created` is an ISO 8601 date, `language` a code such as "en"."""

    title: str | None
    language: str | None
    created: str | None


@contextmanager
def opened(data: bytes, path: Path) -> Iterator[PdfDocument]:
    """The document in `data`, closed at the end. Raises `EncryptedFileError` or `DamagedFileError`."""
    import pypdfium2

    if _is_cut(data):
        raise _damaged(path)
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        raise _load_error(path, error) from error
    try:
        if not len(document):
            raise DamagedFileError(path, "it has no pages, or its list of pages is damaged")
        yield document
    finally:
        document.close()


def _is_cut(data: bytes) -> bool:
    """Whether the end is missing: PDFium would read what there is and lose the rest without a word."""
    end = data.rfind(_END)
    return end < 0 or _OBJECT.search(data, end) is not None


def _load_error(path: Path, error: PdfiumError) -> LoadError:
    code = getattr(error, "err_code", None)
    if code == _PASSWORD:
        return EncryptedFileError(path, "it is protected by a password")
    if code == _SECURITY:
        return EncryptedFileError(path, "it is encrypted in a way that cannot be read")
    return _damaged(path)


def _damaged(path: Path) -> DamagedFileError:
    return DamagedFileError(path, "it is truncated or damaged, or no PDF file")


def facts(document: PdfDocument) -> Facts:
    """What the document says about itself."""
    import ctypes

    import pypdfium2.raw as pdfium

    said = document.get_metadata_dict()
    title = " ".join(clean(said.get("Title") or said.get("Subject") or "")[0].split())
    buffer = (ctypes.c_ushort * 64)()
    size = pdfium.FPDFCatalog_GetLanguage(document.raw, buffer, ctypes.sizeof(buffer))
    language = bytes(buffer)[: max(size - 2, 0)].decode("utf-16-le", "ignore").split("-")[0].strip().lower()
    return Facts(
        title=title or None,
        language=language if language.isalpha() and 2 <= len(language) <= 3 else None,
        created=_date(said.get("CreationDate", "")),
    )


def _date(value: str) -> str | None:
    """The day of a PDF's date, "D:20240131…" (PDF 32000-1, 7.9.4), as ISO 8601."""
    from datetime import date

    found = _DATE.match(value.strip())
    if not found:
        return None
    try:
        return date(*map(int, found.groups())).isoformat()
    except ValueError:
        return None
