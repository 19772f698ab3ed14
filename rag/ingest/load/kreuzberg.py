"""What the readers that go through kreuzberg share: the call, its errors, its facts about a file.

Its cache and its clean-up are off: nothing is written to disk, the text stays as the format gives it.
"""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.errors import DamagedFileError, EncryptedFileError, LoadError, UnsupportedFileError
from rag.ingest.load.text import iso_date
from rag.ingest.structure import Extracted, clean

if TYPE_CHECKING:
    from kreuzberg import ExtractionResult

_PASSWORD = re.compile(r"password|encrypt", re.IGNORECASE)


def extract(data: bytes, path: Path, media_type: str) -> ExtractionResult:
    """kreuzberg's reading of `data`: by pages for PDF, as a tree of nodes for the others. Raises a `LoadError`."""
    import kreuzberg

    pages = media_type == "application/pdf"
    config = kreuzberg.ExtractionConfig(
        use_cache=False,
        enable_quality_processing=False,
        pages=kreuzberg.PageConfig(extract_pages=pages),
        include_document_structure=not pages,
        concurrency=kreuzberg.ConcurrencyConfig(max_threads=1),
    )
    try:
        return kreuzberg.extract_bytes_sync(data, media_type, config)
    except Exception as error:  # the Rust core raises many kinds: what they say decides
        raise _load_error(path, media_type, error) from error


def _load_error(path: Path, media_type: str, error: Exception) -> LoadError:
    message = str(error)
    if _PASSWORD.search(message):
        return EncryptedFileError(path, "it is protected by a password")
    if "unsupported format" in message.lower():
        return UnsupportedFileError(path, f"'{media_type}' is not read by the installed kreuzberg")
    return DamagedFileError(path, f"it is truncated or damaged, or no {path.suffix.lstrip('.').upper()} file")


def extracted(result: ExtractionResult, text: str, dropped: int, **structure: Any) -> Extracted:
    """`text` with its `structure` and with the title, language and date that kreuzberg found."""
    facts = result.metadata
    title = " ".join(str(facts.get("title") or facts.get("subject") or "").split())
    return Extracted(
        text,
        title=clean(title)[0] or None,
        language=str(facts["language"]).split("-")[0].lower() if facts.get("language") else None,
        created=_date(facts.get("created_at")),
        dropped=dropped,
        **structure,
    )


def _date(value: str | None) -> str | None:
    """The date in ISO 8601, from ISO 8601 or an e-mail's form."""
    if not value:
        return None
    if found := iso_date(value):
        return found
    try:
        return parsedate_to_datetime(value).date().isoformat()
    except ValueError:
        return None
