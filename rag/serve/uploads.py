"""The folder of uploaded documents: safe names, plausible content, and no file that is half there.

A file is written under a hidden name, which ingestion passes over, locked while it grows, and gets its own name in one
step when it is whole. What a killed server leaves behind is removed at the next start.

What is for everybody lies in one folder. What is for a tenant or for groups lies in a folder of theirs, whose name says
so: it is ingested as a source of its own, with their labels, and nothing else ingests it, as its name is a hidden one.
"""

from __future__ import annotations

import contextlib
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkstemp
from typing import IO

from plumbline.database import storage_errors
from plumbline.locks import lock_file
from plumbline.text.printable import printable
from rag.ingest.load import SUPPORTED, printable_path
from rag.serve.audience import EVERYBODY, Audience
from rag.serve.errors import FieldError, InvalidFieldError, UnsupportedTypeError

FOLDER = "uploads"
FOLDERS = "uploads-for"
"""Holds the folders of tenants and groups. It lies beside the other: what lies in a folder counts as its source's."""
LONGEST_NAME_BYTES = 200
_GROWING = ".upload-"
_FORBIDDEN = re.compile(r'[<>:"|?*]')
_ZIP = b"PK\x03\x04"
_MAGIC = {
    ".pdf": b"%PDF-",
    ".rtf": b"{\\rtf",
    ".msg": b"\xd0\xcf\x11\xe0",
    **dict.fromkeys((".docx", ".pptx", ".xlsx", ".odt", ".ods", ".epub", ".zip"), _ZIP),
}
# What no text begins with: PDF, ZIP, PNG, JPEG, GIF, programs, gzip, old Office.
_NO_TEXT = (
    b"%PDF-",
    _ZIP,
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"GIF8",
    b"\x7fELF",
    b"MZ\x90",
    b"\x1f\x8b",
    b"\xd0\xcf\x11\xe0",
)
_LOOKED_AT = 1024


def safe_name(given: str) -> str:
    """The name under which an upload is stored, without folders and without what a file system or a reader mistakes.

    Raises `InvalidFieldError` for a name of which nothing is left, `UnsupportedTypeError` for a kind that is not read.
    """
    name = unicodedata.normalize("NFC", given.encode("utf-8", "replace").decode()).replace("\\", "/").rpartition("/")[2]
    visible = "".join(mark for mark in name if unicodedata.category(mark)[0] != "C")
    name = _FORBIDDEN.sub("_", visible).strip().lstrip(".~$ ").rstrip(". ")
    suffix = Path(name).suffix
    if not name or not name.removesuffix(suffix):
        message = f"'{printable(given)}' is no name for a file."
        raise InvalidFieldError(message, hint="Name it like 'report.pdf'.", errors=[FieldError("files", message)])
    if suffix.lower() not in SUPPORTED:
        kind = f"The format '{suffix}' of" if suffix else "No format is known for"
        message = f"{kind} '{printable(name)}'" + (" is not read." if suffix else ".")
        hint = f"Read are: {', '.join(SUPPORTED)}."
        raise UnsupportedTypeError(message, hint=hint, errors=[FieldError("files", message)])
    return _shortened(name.removesuffix(suffix), suffix)


def require_plausible(name: str, begins: bytes) -> None:
    """Raise `UnsupportedTypeError` when a file that begins so cannot be what its name says."""
    magic = _MAGIC.get(Path(name).suffix.lower())
    right = magic in begins[:_LOOKED_AT] if magic else not begins.startswith(_NO_TEXT)
    if not begins:
        message = f"'{printable(name)}' is empty."
        raise InvalidFieldError(message, errors=[FieldError("files", message)])
    if not right:
        message = f"'{printable(name)}' is not what its name says: it does not begin like a {Path(name).suffix} file."
        raise UnsupportedTypeError(message, errors=[FieldError("files", message)])


@dataclass(slots=True)
class Growing:
    """A file that is being uploaded."""

    name: str
    path: Path
    file: IO[bytes]
    size: int = 0
    begins: bytes = b""

    def write(self, data: bytes) -> None:
        """Add `data`."""
        if len(self.begins) < _LOOKED_AT:
            self.begins += data[: _LOOKED_AT - len(self.begins)]
        self.size += len(data)
        self.file.write(data)

    def discard(self) -> None:
        """Remove it."""
        with contextlib.suppress(OSError):
            self.file.close()
        self.path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Uploads:
    """The uploads of one knowledge base that are for `audience`, in `folder`."""

    folder: Path
    audience: Audience = EVERYBODY

    @classmethod
    def of(cls, knowledge_base: Path, audience: Audience = EVERYBODY) -> Uploads:
        """Those of the knowledge base in this folder; raises `InputError` as `Audience.folder`."""
        if audience == EVERYBODY:
            return cls(knowledge_base / FOLDER)
        return cls(knowledge_base / FOLDERS / audience.folder(), audience)

    @classmethod
    def all(cls, knowledge_base: Path, sources: Iterable[str] = ()) -> Iterator[Uploads]:
        """All that are there, and those that are gone and still named by one of `sources`."""
        yield cls.of(knowledge_base)
        folders = knowledge_base / FOLDERS
        names = {Path(source).name for source in sources if Path(source).parent == folders.resolve()}
        for name in sorted({*names, *(path.name for path in folders.glob(".*"))}):
            audience = Audience.of_folder(name)
            if audience is not None:
                yield cls.of(knowledge_base, audience)

    @classmethod
    def around(cls, knowledge_base: Path, file: Path) -> Uploads | None:
        """Those to which `file` belongs, or `None` for a file that was not uploaded."""
        if file.parent == (knowledge_base / FOLDER).resolve():
            return cls.of(knowledge_base)
        if file.parent.parent != (knowledge_base / FOLDERS).resolve():
            return None
        audience = Audience.of_folder(file.parent.name)
        return None if audience is None else cls.of(knowledge_base, audience)

    @property
    def source(self) -> str:
        """The name of the source that they are ingested as."""
        return printable_path(str(self.folder.resolve()))

    def begin(self, name: str) -> Growing:
        """A new file to write to; raises `StorageError`."""
        with storage_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            descriptor, path = mkstemp(dir=self.folder, prefix=_GROWING)
        file = os.fdopen(descriptor, "wb")
        lock_file(file)
        return Growing(name, Path(path), file)

    def keep(self, files: list[Growing]) -> list[Path]:
        """Give whole files their names, in place of older ones; once this returns they outlast a power cut."""
        kept = []
        with storage_errors(self.folder):
            for growing in files:
                growing.file.flush()
                os.fsync(growing.file.fileno())
            for growing in files:
                target = self.folder / growing.name
                growing.path.chmod(0o644)
                growing.path.replace(target)
                growing.file.close()
                kept.append(target)
            _sync_folder(self.folder)
        return kept

    def clean(self) -> None:
        """Remove what servers that no longer run left half uploaded."""
        for path in self.folder.glob(f"{_GROWING}*"):
            with contextlib.suppress(OSError), path.open("rb") as file:
                if lock_file(file):
                    path.unlink()

    def any(self) -> bool:
        """Whether a whole file is there."""
        return any(not path.name.startswith(".") for path in self.folder.glob("*"))


def _shortened(stem: str, suffix: str) -> str:
    room = LONGEST_NAME_BYTES - len(suffix.encode())
    return stem.encode()[:room].decode("utf-8", "ignore").rstrip(". ") + suffix


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
