import asyncio
import errno
import os
import unicodedata
from hashlib import sha256
from pathlib import Path

import pytest

from rag.errors import (
    DamagedFileError,
    EmptyFileError,
    MissingFileError,
    TooLargeError,
    UnreadableFileError,
    UnsupportedFileError,
)
from rag.ingest.load import SUPPORTED, document_id, load_file, read_document


async def test_a_document_says_where_it_comes_from(tmp_path: Path):
    path = tmp_path / "sub" / "names with spaces 😀.txt"
    path.parent.mkdir()
    path.write_bytes(b"Refunds take thirty days.\r\n")
    os.utime(path, (1_700_000_000, 1_700_000_000))
    document = await load_file(path, root=tmp_path)
    assert document.text == "Refunds take thirty days.\n"
    assert document.name == path.name
    assert document.source == str(path)
    assert document.hash == sha256(path.read_bytes()).hexdigest()
    assert document.media_type == "text/plain"
    assert document.metadata == {"modified": "2023-11-14T22:13:20+00:00"}
    assert document.created is None, "when a file was copied says nothing about its text"


def test_the_id_follows_the_path_below_the_root_in_any_spelling(tmp_path: Path):
    composed, decomposed = (unicodedata.normalize(form, "é.txt") for form in ("NFC", "NFD"))
    assert document_id(tmp_path / composed, tmp_path) == document_id(tmp_path / decomposed, tmp_path)
    assert document_id(tmp_path / "a" / "x.txt", tmp_path) == document_id(Path("a/x.txt"))
    assert document_id(tmp_path / "a" / "x.txt", tmp_path) != document_id(tmp_path / "b" / "x.txt", tmp_path)
    assert document_id(Path("/elsewhere/x.txt"), tmp_path) == document_id(Path("/elsewhere/x.txt"))


@pytest.mark.skipif(os.name != "posix", reason="file names are Unicode there")
def test_a_name_that_is_no_unicode_is_read_and_can_be_stored(tmp_path: Path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff.txt"))
    try:
        path.write_text("text")
    except OSError:
        pytest.skip("the file system refuses such names")
    document = read_document(path)
    document.name.encode()
    document.source.encode()
    assert document.text == "text"


def test_too_large_files_are_refused_before_they_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "huge.txt"
    with path.open("wb") as file:
        file.truncate(200_000_000)  # sparse: takes no room
    monkeypatch.setattr(Path, "open", lambda *a, **k: pytest.fail("it was opened"))
    with pytest.raises(TooLargeError, match=r"200 MB.*100 MB") as caught:
        read_document(path)
    assert caught.value.size == 200_000_000


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "log.txt"
    path.write_bytes(b"x" * 10)
    real = Path.open

    def grow(self: Path, *args, **options):
        with real(self, "ab") as file:
            file.write(b"y" * 1000)
        return real(self, *args, **options)

    monkeypatch.setattr(Path, "open", grow)
    with pytest.raises(TooLargeError):
        read_document(path, max_bytes=500)


def test_a_file_that_vanishes_in_between(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "gone.txt"
    path.write_text("text")
    real = Path.open

    def vanish(self: Path, *args, **options):
        self.unlink()
        return real(self, *args, **options)

    monkeypatch.setattr(Path, "open", vanish)
    with pytest.raises(MissingFileError, match=r"gone\.txt"):
        read_document(path)


@pytest.mark.parametrize(
    ("error", "expected", "says"),
    [
        (PermissionError(errno.EACCES, "Permission denied"), UnreadableFileError, "permission denied"),
        (OSError(errno.EIO, "Input/output error"), UnreadableFileError, "Input/output error"),
        (OSError(errno.ESTALE, "Stale file handle"), UnreadableFileError, "Stale file handle"),
    ],
)
def test_what_the_system_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error, expected, says):
    path = tmp_path / "file.txt"
    path.write_text("text")

    def refuse(*args, **options):
        raise error

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(expected, match=says) as caught:
        read_document(path)
    assert caught.value.__cause__ is error


def test_what_is_no_regular_file(tmp_path: Path):
    (tmp_path / "folder.txt").mkdir()
    (tmp_path / "loop.txt").symlink_to(tmp_path / "loop.txt")
    (tmp_path / "dangling.txt").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UnsupportedFileError, match="regular"):
        read_document(tmp_path / "folder.txt")
    with pytest.raises(UnreadableFileError, match="loop"):
        read_document(tmp_path / "loop.txt")
    with pytest.raises(MissingFileError):
        read_document(tmp_path / "dangling.txt")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.txt")
        with pytest.raises(UnsupportedFileError, match="regular"):
            read_document(tmp_path / "pipe.txt")


@pytest.mark.parametrize("content", [b"", b" \n\t\n", "\ufeff".encode()])
def test_nothing_to_read(tmp_path: Path, content: bytes):
    path = tmp_path / "empty.txt"
    path.write_bytes(content)
    with pytest.raises(EmptyFileError, match=r"empty\.txt"):
        read_document(path)


def test_an_unknown_format_lists_those_that_are_read(tmp_path: Path):
    path = tmp_path / "picture.png"
    path.write_bytes(b"\x89PNG")
    with pytest.raises(UnsupportedFileError, match=r"'\.png' is not read") as caught:
        read_document(path)
    assert all(suffix in str(caught.value) for suffix in SUPPORTED)


def test_many_tags_are_no_recursion(tmp_path: Path):
    path = tmp_path / "deep.html"
    path.write_text("<div><table><tr><td>" * 5000 + "text")
    assert read_document(path).text == "text"


def test_too_deep_is_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "deep.txt"
    path.write_text("text")

    def dive(data: bytes, at: Path):
        return dive(data, at)

    monkeypatch.setattr("rag.ingest.load.text.read_text", dive)
    with pytest.raises(DamagedFileError, match="nested"):
        read_document(path)


async def test_files_are_read_side_by_side(tmp_path: Path):
    paths = [tmp_path / f"{number}.txt" for number in range(20)]
    for path in paths:
        path.write_text(f"text of {path.name}")
    documents = await asyncio.gather(*(load_file(path, root=tmp_path) for path in paths))
    assert len({document.id for document in documents}) == 20
