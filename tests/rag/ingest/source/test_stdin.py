import gc
import io
import zipfile
from pathlib import Path

import pytest

from rag.errors import EmptyFileError, TooLargeError
from rag.ingest.item import Item
from rag.ingest.load import read_item
from rag.ingest.settings import LoadingSettings
from rag.ingest.source.stdin import StdinSource, suffix_for

LOADING = LoadingSettings()


def only(source: StdinSource) -> Item:
    [item] = source.items()
    assert isinstance(item, Item)
    return item


def zipped(*names: str, mimetype: str = "") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        for name in names:
            package.writestr(name, "x")
        if mimetype:
            package.writestr("mimetype", mimetype)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "suffix"),
    [
        (b"%PDF-1.7\n...", ".pdf"),
        (b"\n<!DOCTYPE html><html><p>x</p></html>", ".html"),
        (b'{"a": 1,\n "b": 2}', ".json"),
        (b'[\n  {"a": 1}\n]', ".json"),
        (b'{"a": 1}\n{"a": 2}\n', ".jsonl"),
        (rb"{\rtf1\ansi text}", ".rtf"),
        (b"Received: by host\r\n with more\r\nFrom: me\r\nSubject: x\r\n\r\ntext", ".eml"),
        (b"Question: what?\nAnswer: this.\n", ".txt"),
        (b"[see the notes] and so on", ".txt"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1....", ".msg"),
        (b"plain text", ".txt"),
        (zipped("[Content_Types].xml", "word/document.xml"), ".docx"),
        (zipped("ppt/presentation.xml"), ".pptx"),
        (zipped("xl/workbook.xml"), ".xlsx"),
        (zipped("a", mimetype="application/epub+zip"), ".epub"),
        (zipped("a", mimetype="application/vnd.oasis.opendocument.text"), ".odt"),
        (zipped("a.md"), ".zip"),
        (b"PK\x03\x04 and no more", ".zip"),
    ],
)
def test_formats_are_told_by_their_bytes(data: bytes, suffix: str) -> None:
    assert suffix_for(data) == suffix


def test_what_comes_through_a_pipe_is_read_as_its_name_says() -> None:
    source = StdinSource(io.BytesIO(b"# Fees\n\nNone."), "notes.md", LOADING)
    item = only(source)
    assert (item.source, item.name, item.size, source.root) == ("stdin:notes.md", "notes.md", 13, "stdin:notes.md")
    reading = read_item(item, LOADING)
    assert reading is not None
    [document] = reading.documents
    assert (document.text, document.name, document.source) == ("# Fees\n\nNone.", "notes.md", "stdin:notes.md")
    assert document.sections
    assert not source.is_gone("stdin:notes.md")


def test_or_else_as_its_bytes_say() -> None:
    page = b"<html><body><p>A page of some words.</p></body></html>"
    source = StdinSource(io.BytesIO(page), "-", LOADING)
    item = only(source)
    reading = read_item(item, LOADING)
    assert item.name == "-.html"
    assert reading is not None
    assert reading.documents[0].text.strip() == "A page of some words."


def test_the_same_name_is_the_same_document_with_another_stamp() -> None:
    sources = [StdinSource(io.BytesIO(data), "a.md", LOADING) for data in (b"one", b"two", b"one")]
    stamps = [only(source).stamp for source in sources]
    assert stamps[0] == stamps[2] != stamps[1]


def test_the_copy_goes_with_the_source() -> None:
    source = StdinSource(io.BytesIO(b"text"), "a.md", LOADING)
    path = Path(only(source).path)
    assert path.exists()
    del source
    gc.collect()
    assert not path.exists()


def test_nothing_and_too_much_are_errors() -> None:
    with pytest.raises(EmptyFileError, match="nothing came through the pipe"):
        StdinSource(io.BytesIO(b""), "a.md", LOADING)
    with pytest.raises(TooLargeError):
        StdinSource(io.BytesIO(b"12345"), "a.md", LoadingSettings(max_file_bytes=4))
