"""From one file's bytes to its documents: its own, and one for each file inside that can be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from plumbline.text.language import detect_language, language_code
from rag.errors import DamagedFileError, EmptyFileError, LoadError, OverLimitError, TooLargeError, UnsupportedFileError
from rag.ingest.load.bytes import FileBytes
from rag.ingest.load.depth import check_depth
from rag.ingest.load.formats import CONTAINERS, SUPPORTED, reader, suffix_of, unsupported
from rag.ingest.load.parts import Budget, Opened, Part
from rag.ingest.load.sheets import check_sheets
from rag.ingest.load.zip import check_package, open_zip
from rag.ingest.reading import MEMBER_SEPARATOR, Problem, Reading
from rag.ingest.settings import LoadingSettings
from rag.ingest.structure import Extracted, clean
from rag.types import Document, MetadataValue

_ZIP_MAGIC = b"PK\x03\x04"
_SHEETS = frozenset([SUPPORTED[".xlsx"], SUPPORTED[".ods"]])
_T = TypeVar("_T")


def source_id(source: str) -> str:
    """The id of the document at the address `source`: 24 hexadecimal digits."""
    return sha256(source.encode("utf-8", "surrogateescape")).hexdigest()[:24]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a document comes from; `path` stands in messages, and readers look at its suffix."""

    id: str
    source: str
    name: str
    path: Path

    def member(self, name: str) -> Origin:
        """The origin of the file `name` inside this one."""
        source = f"{self.source}{MEMBER_SEPARATOR}{name}"
        return Origin(source_id(source), source, f"{self.name}{MEMBER_SEPARATOR}{name}", Path(name))


class FileReader:
    """Reads one file, and what is inside it, within one budget."""

    def __init__(self, origin: Origin, loading: LoadingSettings) -> None:
        self._origin = origin
        self._loading = loading
        self._budget = Budget(origin.path, loading)
        self._problems: list[Problem] = []

    def first(self, file: FileBytes, media_type: str) -> Document | None:
        """The file's own document, `None` when it has no text of its own."""
        if media_type not in CONTAINERS:
            return self._document(self._origin, file, media_type)
        own = self._opened(self._origin.path, file.data, media_type).own
        return None if own is None else _built(self._origin, file, media_type, own)

    def reading(self, file: FileBytes, media_type: str, digest: str) -> Reading:
        """All documents. Raises a `LoadError` when there is none."""
        documents = tuple(self._documents(self._origin, file, media_type, 0))
        if documents:
            return Reading(digest, documents, tuple(self._problems))
        if not self._problems:
            raise EmptyFileError(self._origin.path, "there is no file in it")
        first = self._problems[0]
        raise DamagedFileError(
            self._origin.path,
            f"none of the {len(self._problems):,} files in it can be read; the first, '{first.name}': {first.reason}",
        )

    def _documents(
        self, origin: Origin, file: FileBytes, media_type: str, depth: int, opened: Opened | None = None
    ) -> Iterator[Document]:
        if media_type not in CONTAINERS:
            yield self._document(origin, file, media_type)
            return
        if depth > self._loading.max_depth:
            raise UnsupportedFileError(
                origin.path, f"it is nested more than {self._loading.max_depth} deep, the limit loading.max_depth"
            )
        opened = opened or self._opened(origin.path, file.data, media_type)
        if opened.own is not None and opened.own.text.strip():
            yield _built(origin, file, media_type, opened.own)
        for part in opened.parts:
            if isinstance(part, Problem):
                self._note(origin, part.name, part.reason)
            else:
                yield from self._member(origin, part, depth + 1)

    def _member(self, container: Origin, part: Part, depth: int) -> Iterator[Document]:
        suffix = suffix_of(part.name)
        if part.opened is None and (reason := unsupported(suffix)):
            self._note(container, part.name, reason)
            return
        if part.opened is None and len(part.data) > self._loading.max_file_bytes:
            too_large = TooLargeError(part.name, len(part.data), self._loading.max_file_bytes)
            self._note(container, part.name, too_large.reason)
            return
        media_type = SUPPORTED.get(suffix, "message/rfc822")
        media_type = media_type if part.opened is None or media_type in CONTAINERS else "message/rfc822"
        file = FileBytes(part.data, part.modified)
        try:
            yield from self._documents(container.member(part.name), file, media_type, depth, part.opened)
        except OverLimitError as error:
            if error.path == self._origin.path:
                raise
            self._note(container, part.name, error.reason)
        except LoadError as error:
            self._note(container, part.name, error.reason)

    def _note(self, container: Origin, name: str, reason: str) -> None:
        """Note that a part cannot be read, under its path inside the file."""
        inside = f"{container.name}{MEMBER_SEPARATOR}"[len(self._origin.name) + len(MEMBER_SEPARATOR) :]
        self._problems.append(Problem(f"{inside}{name}", reason))

    def _opened(self, path: Path, data: bytes, media_type: str) -> Opened:
        return _guarded(lambda: _opener(media_type)(data, path, self._budget), path)

    def _document(self, origin: Origin, file: FileBytes, media_type: str) -> Document:
        if not file.data:
            raise EmptyFileError(origin.path, "it is empty (zero bytes)")
        if file.data.startswith(_ZIP_MAGIC):
            check_package(file.data, origin.path, self._loading.max_unpacked_bytes)
            check_depth(file.data, origin.path)
            if media_type in _SHEETS:
                check_sheets(file.data, origin.path, self._loading.max_unpacked_bytes)
        read = reader(media_type, self._loading)
        return _built(origin, file, media_type, _guarded(lambda: read(file.data, origin.path), origin.path))


def _opener(media_type: str) -> Callable[[bytes, Path, Budget], Opened]:
    """What opens a container; imported at its first use."""
    if media_type == "application/zip":
        return open_zip
    if media_type == "message/rfc822":
        from rag.ingest.load.mail import open_mail

        return open_mail
    from rag.ingest.load.msg import open_msg

    return open_msg


def _guarded(read: Callable[[], _T], path: Path) -> _T:
    try:
        return read()
    except RecursionError as error:
        raise DamagedFileError(path, "it is nested too deeply") from error


def _storable(value: MetadataValue) -> MetadataValue:
    if isinstance(value, str):
        return clean(value)[0]
    return tuple(clean(each)[0] for each in value) if isinstance(value, tuple) else value


def _built(origin: Origin, file: FileBytes, media_type: str, extracted: Extracted) -> Document:
    if not extracted.text.strip():
        raise EmptyFileError(origin.path, "there is no text in it")
    metadata = {key: _storable(value) for key, value in extracted.metadata.items()}
    if file.modified:
        metadata["modified"] = file.modified
    if extracted.title:
        metadata["title"] = _storable(extracted.title)
    return Document(
        id=origin.id,
        source=origin.source,
        name=origin.name,
        text=extracted.text,
        hash=sha256(file.data).hexdigest(),
        media_type=media_type,
        pages=extracted.pages,
        sections=extracted.sections,
        language=language_code(extracted.language) or detect_language(extracted.text),
        created=extracted.created,
        dropped=extracted.dropped,
        metadata=metadata,
    )
