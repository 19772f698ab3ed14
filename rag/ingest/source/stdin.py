"""One file that comes through a pipe."""

from __future__ import annotations

import io
import re
import tempfile
import weakref
import zipfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from rag.errors import EmptyFileError, TooLargeError
from rag.ingest.item import Item, PassedOver
from rag.ingest.load.formats import SUPPORTED, sniff, suffix_of
from rag.ingest.settings import LoadingSettings

_OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_MAIL = re.compile(rb"(?:[!-9;-~]+:[^\n]*\n(?:[ \t][^\n]*\n)*){2,}")
_MAIL_FIELD = re.compile(rb"^(?:received|message-id|from|mime-version):", re.IGNORECASE | re.MULTILINE)
_OFFICE = (("word/", ".docx"), ("ppt/", ".pptx"), ("xl/", ".xlsx"))


class StdinSource:
    """A `Source` of one item: what `stream` holds, kept in a temporary file until the source is gone.

    Its address is "stdin:" and `name`, so that the same name renews the same document. The format is that of the name's
    suffix, or else of the bytes. Raises `TooLargeError` or `EmptyFileError`.
    """

    def __init__(self, stream: BinaryIO, name: str, loading: LoadingSettings) -> None:
        data = stream.read(loading.max_file_bytes + 1)
        if len(data) > loading.max_file_bytes:
            raise TooLargeError(name, len(data), loading.max_file_bytes)
        if not data:
            raise EmptyFileError(name, "nothing came through the pipe")
        self.root = f"stdin:{name}"
        suffix = suffix_of(name) if suffix_of(name) in SUPPORTED else suffix_for(data)
        folder = tempfile.TemporaryDirectory(prefix="plumbline-")
        weakref.finalize(self, folder.cleanup)
        path = Path(folder.name) / f"stdin{suffix}"
        path.write_bytes(data)
        shown = name if suffix_of(name) in SUPPORTED else f"{name}{suffix}"
        self._item = Item(self.root, shown, str(path), len(data), sha256(data).hexdigest())

    def items(self) -> Iterator[Item | PassedOver]:
        """As `Source.items`."""
        yield self._item

    def is_gone(self, source: str) -> bool:
        """As `Source.is_gone`; never: what came through a pipe once may come again."""
        return False


def suffix_for(data: bytes) -> str:
    """The suffix of the format that `data` is in, as its first bytes say; ".txt" where they say nothing."""
    if data.startswith(b"PK\x03\x04"):
        return _suffix_in_zip(data)
    if data.startswith(_OLE_MAGIC):
        return ".msg"
    start = data[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"{\\rtf"):
        return ".rtf"
    if start.startswith((b'{"', b"{\n", b"{ ", b"[{", b"[\n", b"[ ")):
        lines = data.count(b"\n", 0, 2**16)
        return (
            ".jsonl"
            if start.startswith(b'{"') and lines and start.partition(b"\n")[0].rstrip().endswith(b"}")
            else ".json"
        )
    head = start.replace(b"\r\n", b"\n")
    if (found := _MAIL.match(head)) and len(_MAIL_FIELD.findall(found.group())) >= 2:
        return ".eml"
    media_type = sniff(data)
    return next((suffix for suffix, each in ((".txt", "text/plain"), *SUPPORTED.items()) if each == media_type), ".txt")


def _suffix_in_zip(data: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            names = package.namelist()
            kind = package.open("mimetype").read(100).decode("ascii", "replace") if "mimetype" in names else ""
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError, ValueError):
        return ".zip"  # its reader says what is wrong with it
    suffixes = (suffix for suffix, each in SUPPORTED.items() if each == kind.strip())
    office = (suffix for folder, suffix in _OFFICE if any(name.startswith(folder) for name in names))
    return next(suffixes, next(office, ".zip"))
