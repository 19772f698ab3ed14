"""The conformance suite for loaders: prove one of your own with `await check_loader(my_loader, tmp_path)`.

It writes small text, Markdown, CSV and HTML files, good and bad, into a folder and reads them. Pass `suffixes` to
leave out formats the loader does not read. Each check raises `AssertionError` and says what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import date
from hashlib import sha256
from pathlib import Path

from rag.errors import EmptyFileError, LoadError, MissingFileError, TooLargeError
from rag.ingest.load import Loader
from rag.ingest.metadata import chunk_metadata
from rag.ingest.structure import heading_path, page_at
from rag.types import Chunk, Document

_UNSTORABLE = re.compile("[\x00\ud800-\udfff\r]")

_SAMPLES: dict[str, bytes] = {
    "plain.txt": "Refunds take thirty days.\r\nKeep the receipt – it costs €5.\r\n".encode(),
    "with bom.txt": "\ufeffRefunds take thirty days.".encode(),
    "utf16.txt": "Refunds take thirty days, señor.".encode("utf-16"),
    "latin.txt": "Café – naïve façade. Refunds take thirty days.".encode("cp1252"),
    "nulls.txt": b"Refunds\x00 take thirty days. " + b"Keep the receipt. " * 20,
    "names with spaces and 😀.txt": "Refunds take thirty days. 😀".encode(),
    "handbook.md": (
        b"# Handbook\n\nIntro.\n\n## Window\n\nRefunds take thirty days.\n\n```\n# no heading\n```\n\n# Annex\n\nEnd.\n"
    ),
    "prices.csv": b"item,days\nShoes,30\nRefunds of hats,14\n",
    "page.html": (
        b"<html><head><title>Policy</title><script>var x = 'hidden';</script></head><body><nav>hidden menu</nav>"
        b"<h1>Policy</h1><p>Refunds take <b>thirty</b> days.</p><h2>Food</h2><p>None.</p></body></html>"
    ),
}


_SUFFIXES = (".txt", ".md", ".csv", ".html")


async def check_loader(load: Loader, folder: Path, *, suffixes: Collection[str] = _SUFFIXES) -> None:
    """Run every check in `folder`, which must be empty and writable."""
    for name, data in _SAMPLES.items():
        path = folder / name
        if path.suffix not in suffixes:
            continue
        path.write_bytes(data)
        document = await load(path, root=folder)
        check_document(document)
        assert document.hash == sha256(data).hexdigest(), f"{name}: hash is not the SHA-256 of the file's bytes"
        assert "Refunds" in document.text, f"{name}: its text is missing, read was {document.text[:80]!r}"
        assert "hidden" not in document.text, f"{name}: scripts and menus are no text"
        again = await load(path, root=folder)
        assert again == document, f"{name}: read twice, it came out differently"
        await _check_identity(load, path, folder, document)
    await _check_refusals(load, folder)


def check_document(document: Document) -> None:
    """Whatever the format: pages and sections are spans in order, and the text can be stored."""
    name, text = document.name, document.text
    assert all((document.id, name, document.source)), f"{name}: id, name and source must not be empty"
    assert text.strip(), f"{name}: no text; a loader raises EmptyFileError or NoTextError for that"
    bad = _UNSTORABLE.findall(text)
    assert not bad, f"{name}: {bad[0]!r} must not be in the text"
    end = 0
    for number, page in enumerate(document.pages, 1):
        assert page.number == number, f"{name}: page {number} is numbered {page.number}"
        assert end <= page.start <= page.end <= len(text), f"{name}: page {number} [{page.start}:{page.end}] overlaps"
        assert not text[end : page.start].strip(), f"{name}: text before page {number} is on no page"
        end = page.end
    assert not document.pages or not text[end:].strip(), f"{name}: text after the last page"
    for index, section in enumerate(document.sections):
        where = f"{name}: section {index} {section.path}"
        assert section.path, f"{where}: no heading"
        assert all(part.strip() for part in section.path), f"{where}: an empty heading"
        assert 0 <= section.start < section.end <= len(text), f"{where}: [{section.start}:{section.end}] is no span"
        if index:
            before = document.sections[index - 1]
            assert section.start >= before.start, f"{where}: not in order"
            nested = section.start >= before.end or section.end <= before.end
            assert nested, f"{where}: crosses the end of {before.path}"
    assert document.dropped >= 0, f"{name}: dropped is negative"
    for shown in _shown(document):
        assert not _UNSTORABLE.search(shown), f"{name}: {shown!r} cannot be stored or shown"
    _check_facts(document)


def check_chunks(document: Document, chunks: Sequence[Chunk]) -> None:
    """Every chunk is its span of the document and knows its page, its section and where the document comes from."""
    assert chunks, f"{document.name}: no chunks"
    for chunk in chunks:
        where = f"{document.name}: chunk {chunk.index} [{chunk.start}:{chunk.end}]"
        assert document.text[chunk.start : chunk.end] == chunk.text, f"{where}: its text is not its span"
        assert chunk.document_id == document.id, f"{where}: it belongs to {chunk.document_id}"
        assert chunk.page == page_at(document, chunk.start), f"{where}: page {chunk.page} is not the one it begins on"
        assert chunk.section == heading_path(document, chunk.start), (
            f"{where}: section {chunk.section!r} is not its own"
        )
        facts = chunk_metadata(document, chunk)
        needed = {"source_document", "source", "document_id", "start", "end", "hash", "media_type"}
        assert needed <= facts.keys(), f"{where}: {needed - facts.keys()} are missing"
        assert ("page_number" in facts) == bool(document.pages), f"{where}: pages and page_number do not agree"


def _shown(document: Document) -> Iterator[str]:
    """What is stored and shown besides the text."""
    yield from (document.name, document.source)
    for section in document.sections:
        yield from section.path
    for value in document.metadata.values():
        yield from value if isinstance(value, tuple) else (str(value),)


def _check_facts(document: Document) -> None:
    """Hash, media type, language and date have the form that every format gives them."""
    name = document.name
    assert re.fullmatch("[0-9a-f]{64}", document.hash), f"{name}: hash {document.hash!r} is no SHA-256"
    assert re.fullmatch(r"[\w.+-]+/[\w.+-]+", document.media_type), f"{name}: {document.media_type!r} is no media type"
    language = document.language
    assert language is None or re.fullmatch("[a-z]{2}", language), f"{name}: {language!r} is no ISO 639-1 code"
    if document.created is not None:
        try:
            date.fromisoformat(document.created)
        except ValueError:
            raise AssertionError(f"{name}: created {document.created!r} is no ISO 8601 date") from None


async def _check_identity(load: Loader, path: Path, folder: Path, document: Document) -> None:
    """The id follows the path below the root, the hash the content."""
    original = _replace_content(path, None)
    edited = await load(path, root=folder)
    assert edited.id == document.id, f"{path.name}: an edit must not change the id"
    assert edited.hash != document.hash, f"{path.name}: an edit must change the hash"
    _replace_content(path, original)
    moved = _copied(path, folder / "below")
    other = await load(moved, root=folder)
    assert other.id != document.id, f"{path.name}: two files of one name in two folders share an id"
    same = await load(moved, root=moved.parent)
    assert same.id == document.id, f"{path.name}: the id must depend on the path below the root alone"
    stripped = replace(same, source="", metadata={})
    assert stripped == replace(document, source="", metadata={}), f"{path.name}: the same bytes read differently"


def _replace_content(path: Path, data: bytes | None) -> bytes:
    """Write `data`, or the file's content twice over; returns what was there."""
    before = path.read_bytes()
    path.write_bytes(before * 2 if data is None else data)
    return before


def _copied(path: Path, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    copy = folder / path.name
    copy.write_bytes(path.read_bytes())
    return copy


def _write_bad_files(folder: Path) -> None:
    (folder / "zero.txt").write_bytes(b"")
    (folder / "blank.txt").write_bytes(b" \n\n ")
    (folder / "large.txt").write_bytes(b"x" * 2000)
    (folder / "binary.txt").write_bytes(bytes(range(256)) * 8)
    (folder / "folder.txt").mkdir()
    (folder / "strange.xyz").write_bytes(b"strange")


async def _check_refusals(load: Loader, folder: Path) -> None:
    """Bad files raise the error that says why."""
    _write_bad_files(folder)
    await _refuses(load, folder / "zero.txt", EmptyFileError)
    await _refuses(load, folder / "blank.txt", EmptyFileError)
    await _refuses(load, folder / "large.txt", TooLargeError, max_bytes=1000)
    await _refuses(load, folder / "missing.txt", MissingFileError)
    for name in ("binary.txt", "folder.txt", "strange.xyz"):
        await _refuses(load, folder / name, LoadError)


async def _refuses(load: Loader, path: Path, expected: type[LoadError], *, max_bytes: int = 1_000_000) -> None:
    raised: LoadError | None = None
    try:
        await load(path, max_bytes=max_bytes)
    except LoadError as error:
        raised = error
    assert raised is not None, f"{path.name}: was read, {expected.__name__} should have been raised"
    assert isinstance(raised, expected), f"{path.name}: {type(raised).__name__} was raised, not {expected.__name__}"
    assert path.name in str(raised), f"{path.name}: the message does not name the file: {raised}"
