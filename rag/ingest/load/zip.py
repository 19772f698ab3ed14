"""ZIP archives, and the office files that are ZIP archives inside: unpacked in memory, counted byte by byte.

What an archive's own table says about sizes is never trusted: bytes are counted as they come out, so that an archive
whose members overlap, or unpack to a thousand times their size, ends at the limit. Nothing is written to disk.
"""

from __future__ import annotations

import contextlib
import io
import lzma
import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from rag.errors import DamagedFileError, EncryptedFileError, LoadError, OverLimitError, TooLargeError
from rag.ingest.load.formats import suffix_of, unsupported
from rag.ingest.load.parts import Budget, Opened, Part, too_much_unpacked
from rag.ingest.reading import Problem

DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    LookupError,
    ValueError,
    EOFError,
    OSError,  # bzip2's
    NotImplementedError,
    RuntimeError,
    struct.error,
)
"""What the standard library raises for a damaged archive; `RuntimeError` is its word for a password."""

_PIECE = 1 << 20
_ENTRY = b"PK\x01\x02"
_END = b"PK\x05\x06"
_MAX_RATIO = 1032
"""Deflate cannot shrink a byte to less than 1/1032 of one."""
_HIDDEN = re.compile(r"(?:^|/)(?:\.(?!\.(?:/|$))|__MACOSX/|~\$|Thumbs\.db$|desktop\.ini$)")
_PARENT = re.compile(r"(?:^|/)\.\.(?:/|$)")
_ROOTED = re.compile(r"/|[A-Za-z]:")
_CONTROL = re.compile("[\x00-\x1f\x7f]")


def open_zip(data: bytes, path: Path, budget: Budget) -> Opened:
    """The files in an archive. Hidden files and folders are left out, as they are on disk.

    Raises `DamagedFileError`, and `OverLimitError` when the archive names more files than may be read.
    """
    budget.take_members(_count(data))
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except DAMAGE as error:
        raise DamagedFileError(path, "it is truncated or damaged, or no ZIP archive") from error
    return Opened(None, _parts(archive, path, budget))


def _parts(archive: zipfile.ZipFile, path: Path, budget: Budget) -> Iterator[Part | Problem]:
    seen: set[str] = set()
    for info in archive.infolist():
        name = _name(info)
        if info.is_dir() or _HIDDEN.search(name):
            continue
        if reason := _refusal(info, name, seen):
            yield Problem(_CONTROL.sub("\ufffd", name), reason)
            continue
        seen.add(name)
        try:
            yield Part(name, _unpacked(archive, info, path, budget), _modified(info))
        except OverLimitError:
            raise
        except LoadError as error:
            yield Problem(name, error.reason)
        except DAMAGE as error:
            yield Problem(name, f"it cannot be unpacked: {str(error) or type(error).__name__}")


def _refusal(info: zipfile.ZipInfo, name: str, seen: set[str]) -> str | None:
    """Why a member is not even unpacked."""
    if _PARENT.search(name) or _ROOTED.match(name) or _CONTROL.search(name):
        return "its name leads out of the archive or cannot be shown"
    if name in seen:
        return "a second file of this name; the first was read"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "it is a link, not a file"
    if info.flag_bits & 1:
        return "it is protected by a password"
    return unsupported(suffix_of(name))


def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path, budget: Budget) -> bytes:
    limit = budget.loading.max_file_bytes
    if info.file_size > limit:
        raise TooLargeError(path, info.file_size, limit)
    pieces, size = [], 0
    with archive.open(info) as file:
        while piece := file.read(_PIECE):
            size += len(piece)
            budget.take_bytes(len(piece))
            if size > limit:
                raise TooLargeError(path, size, limit)
            pieces.append(piece)
    return b"".join(pieces)


def _count(data: bytes) -> int:
    """How many members the table at the end names, before anything is made of it."""
    end = data.rfind(_END)
    if end < 0 or len(data) < end + 16:
        return 0
    size = struct.unpack_from("<I", data, end + 12)[0]
    return data.count(_ENTRY, max(0, end - size) if size != 0xFFFFFFFF else 0, end)


def _name(info: zipfile.ZipInfo) -> str:
    """The member's name. Many programs write UTF-8 without saying so; what says nothing is read as code page 437."""
    name = info.orig_filename
    if not info.flag_bits & 0x800:
        with contextlib.suppress(UnicodeError):  # it is code page 437 then, and decoded already
            name = name.encode("cp437").decode("utf-8")
    return unicodedata.normalize("NFC", name.replace("\\", "/"))


def _modified(info: zipfile.ZipInfo) -> str:
    """The member's time; archives keep no time zone, it is taken for UTC."""
    try:
        return datetime(*info.date_time, tzinfo=UTC).isoformat()
    except ValueError:
        return ""


def check_package(data: bytes, path: Path, limit: int) -> None:
    """Prove that an office file, which is an archive, unpacks to at most `limit` bytes before another library does.

    Raises `OverLimitError`; damage is left to whoever reads the parts.
    """
    if len(data) * _MAX_RATIO <= limit:
        return
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except DAMAGE:
        return
    total = 0
    for info in archive.infolist():
        if info.flag_bits & 1:
            raise EncryptedFileError(path, "it is protected by a password")
        try:
            with archive.open(info) as file:
                while piece := file.read(_PIECE):
                    total += len(piece)
                    if total > limit:
                        raise too_much_unpacked(path, limit)
        except DAMAGE:
            continue
