"""Files and folders made to hang, to exhaust or to confuse an ingestion: each gets a clear outcome, the others theirs.

Every folder here also holds a good file, which must be read whatever lies beside it, and stay.
"""

from __future__ import annotations

import io
import os
import shutil
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rag import RAG
from rag.index.manifest import FileRecord
from rag.ingest.item import Item
from rag.ingest.plan import Looking, plan
from rag.ingest.report import FileOutcome, IngestReport
from tests.rag.ingest.load import office_files, pdf_files

LIMITS = {
    "loading.max_file_bytes": 2_000_000,
    "loading.max_unpacked_bytes": 4_000_000,
    "loading.max_members": 50,
    "loading.max_seconds": 30,
    "loading.workers": 1,
}
POSIX = pytest.mark.skipif(os.name != "posix", reason="no such files there")


@pytest.fixture
def base(tmp_path: Path, home: Path) -> Iterator[RAG]:
    with RAG.open(tmp_path / "kb", home=home, environ={}, settings=LIMITS) as kb:
        yield kb


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "in"
    made.mkdir()
    (made / "good.md").write_text("# Good\n\nRefunds take thirty days.\n", encoding="utf-8")
    return made


def outcomes(report: IngestReport) -> dict[str, FileOutcome]:
    return {file.name: file for file in report.files}


def alone(base: RAG, folder: Path, name: str, data: bytes) -> FileOutcome:
    """The outcome of a file that lies beside the good one, which is ingested before."""
    base.ingest(folder)
    (folder / name).write_bytes(data)
    found = outcomes(base.ingest(folder))
    assert found["good.md"].outcome == "unchanged"
    assert "good.md" in [hit.document for hit in base.search("refunds thirty days")]
    return found[name]


def zipped(*members: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return buffer.getvalue()


def flat_bomb() -> bytes:
    return zipped(*((f"{number}.txt", b"0" * 1_900_000) for number in range(20)))


def nested_bomb() -> bytes:
    data = zipped(("a.txt", b"0" * 1_900_000))
    for _ in range(2):
        data = zipped(*((f"{number}.zip", data) for number in range(10)))
    return data


def locked(*, user: str) -> bytes:
    made = pdf_files.new()
    made.multi_cell(0, text="Refunds take thirty days.")
    made.set_encryption(owner_password="owner", user_password=user)
    return pdf_files.out(made)


def broken(package: bytes) -> bytes:
    """An office file whose parts are all there and hold nothing that can be read."""
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        return zipped(*((name, archive.read(name)[:60]) for name in archive.namelist()))


def xlsx() -> bytes:
    return office_files.xlsx({"A": [["Item", "Days"], ["Shoes", 30]]})


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "flat.zip": (flat_bomb, "loading.max_unpacked_bytes"),
    "nested.zip": (nested_bomb, "loading.max_unpacked_bytes"),
    "many.zip": (lambda: zipped(*((f"{n}.txt", b"x") for n in range(60))), "loading.max_members"),
    "user.pdf": (lambda: locked(user="secret"), "password"),
    "cut.xlsx": (lambda: xlsx()[:900], "truncated or damaged"),
    "broken.xlsx": (lambda: broken(xlsx()), "truncated or damaged"),
    "broken.docx": (lambda: broken(office_files.odt()), "truncated or damaged"),
    "bomb.xlsx": (lambda: office_files.xlsx({"A": [["x"]]}, last_cell="XFD1048576"), "loading.max_unpacked_bytes"),
    "script.html": (lambda: b"<script>" + b"var a = 1;" * 100_000, "no text"),
    "large.txt": (lambda: b"x" * 2_000_001, "loading.max_file_bytes"),
    "empty.csv": (lambda: b"", "empty"),
    "binary.txt": (lambda: bytes(range(256)) * 100, "not text"),
}


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_is_refused_says_why_and_which_limit(base: RAG, folder: Path, name: str) -> None:
    make, reason = REFUSED[name]
    found = alone(base, folder, name, make())
    assert found.outcome == "failed"
    assert reason in (found.reason or "")


READ: dict[str, tuple[Callable[[], bytes], int]] = {
    "owner.pdf": (lambda: locked(user=""), 1),
    "pages.pdf": (lambda: pdf_files.many_pages(3000), 3000),
    "scripts.html": (
        lambda: b"<p>Read this.</p>" + b"<script>document.write('<p>no</p>')</script>" * 20_000,
        0,
    ),
    "deep.html": (lambda: b"<div onclick='a()'>" * 50_000 + b"Read this.", 0),
    "line.csv": (lambda: b"a,b\n" + b"x," * 500_000, 0),
}


@pytest.mark.parametrize("name", sorted(READ))
def test_what_costs_much_is_read(base: RAG, folder: Path, name: str) -> None:
    make, pages = READ[name]
    found = alone(base, folder, name, make())
    assert (found.outcome, found.reason, found.pages) == ("added", None, pages)


def test_a_good_file_that_turns_bad_keeps_what_it_said(base: RAG, folder: Path) -> None:
    (folder / "prices.xlsx").write_bytes(xlsx())
    base.ingest(folder)
    (folder / "prices.xlsx").write_bytes(broken(xlsx()))
    found = outcomes(base.ingest(folder))["prices.xlsx"]
    assert (found.outcome, found.notes) == ("failed", ("the version ingested before is kept",))
    assert "prices.xlsx" in [hit.document for hit in base.search("shoes days")]


@POSIX
def test_links_in_circles_and_what_is_no_file(base: RAG, folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "up").symlink_to(folder)
    (folder / "sub" / "self").symlink_to(folder / "sub")
    (folder / "loop.txt").symlink_to(folder / "other.txt")
    (folder / "other.txt").symlink_to(folder / "loop.txt")
    os.mkfifo(folder / "pipe.txt")
    found = outcomes(base.ingest(folder))
    assert {name: each.outcome for name, each in found.items()} == {
        "good.md": "added",
        "loop.txt": "failed",
        "other.txt": "failed",
        "pipe.txt": "skipped",
    }
    assert "symbolic links" in (found["loop.txt"].reason or "")


@POSIX
def test_names_that_are_no_unicode_and_would_print_alike(base: RAG, folder: Path) -> None:
    names = [b"a\xff.txt", b"a\xfe.txt", b"a\\xff.txt"]
    try:
        for number, name in enumerate(names):
            (folder / os.fsdecode(name)).write_text(f"Text number {number}.", encoding="utf-8")
    except OSError:
        pytest.skip("this file system wants Unicode")
    first = base.ingest(folder)
    assert sorted((file.name, file.outcome) for file in first.files) == [
        ("a\\xfe.txt", "added"),
        ("a\\xff.txt", "added"),
        ("a\\xff.txt (another)", "failed"),
        ("good.md", "added"),
    ]
    assert "printed like" in (first.failed[0].reason or "")
    again = base.ingest(folder)
    assert sorted(file.outcome for file in again.files) == ["failed", *["unchanged"] * 3]
    (folder / os.fsdecode(names[1])).unlink()
    assert base.ingest(folder).count("removed") == 1
    str(first).encode()


def test_a_file_that_changes_while_it_is_read(base: RAG, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = folder / "log.txt"
    target.write_text("Line.\n", encoding="utf-8")
    fstat = os.fstat

    def growing(descriptor: int) -> os.stat_result:
        status = fstat(descriptor)
        if status.st_ino == target.stat().st_ino:
            with target.open("a", encoding="utf-8") as file:
                file.write("Line.\n")
        return status

    monkeypatch.setattr(os, "fstat", growing)
    found = outcomes(base.ingest(folder))
    assert found["good.md"].outcome == "added"
    assert found["log.txt"].outcome == "failed"
    assert "changes while it is read" in (found["log.txt"].reason or "")
    monkeypatch.undo()
    assert outcomes(base.ingest(folder))["log.txt"].outcome == "added"


def test_an_unreadable_file_is_told_and_what_it_said_is_kept(
    base: RAG, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "mine.txt").write_text("Mine.", encoding="utf-8")
    base.ingest(folder)
    (folder / "mine.txt").write_text("Mine, changed.", encoding="utf-8")
    opened = Path.open

    def refusing(path: Path, *arguments: Any, **options: Any) -> Any:
        if path.name == "mine.txt":
            raise PermissionError(13, "Permission denied")
        return opened(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", refusing)
    found = outcomes(base.ingest(folder))["mine.txt"]
    assert found.outcome == "failed"
    assert "permission denied" in (found.reason or "")
    assert found.notes == ("the version ingested before is kept",)


def test_a_folder_that_vanishes_during_the_walk(base: RAG, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "kept.txt").write_text("Kept.", encoding="utf-8")
    base.ingest(folder)
    scandir = os.scandir

    def vanishing(path: str) -> Any:
        if str(path).endswith("sub"):
            shutil.rmtree(path, ignore_errors=True)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", vanishing)
    found = outcomes(base.ingest(folder))
    assert found["sub"].outcome == "failed"
    assert "cannot be listed" in (found["sub"].reason or "")
    assert found["good.md"].outcome == "unchanged"
    assert found["sub/kept.txt"].outcome == "removed"


@POSIX
def test_two_gigabytes_are_refused_unread(base: RAG, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (folder / "huge.txt").open("wb") as file:
        os.truncate(file.fileno(), 2 * 10**9)
    opened: list[str] = []
    real = Path.open

    def noting(path: Path, *arguments: Any, **options: Any) -> Any:
        opened.append(path.name)
        return real(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", noting)
    found = outcomes(base.ingest(folder))
    assert found["huge.txt"].outcome == "failed"
    assert "loading.max_file_bytes" in (found["huge.txt"].reason or "")
    assert "huge.txt" not in opened


def test_a_parser_that_takes_too_long_costs_its_file_only(tmp_path: Path, home: Path, folder: Path) -> None:
    # a lexer's time grows with the square of the empty lines
    (folder / "slow.c").write_bytes(b"int a;" + b"\n" * 450_000 + b"int b;")
    settings = LIMITS | {"loading.max_seconds": 1.0}
    with RAG.open(tmp_path / "kb", home=home, environ={}, settings=settings) as kb:
        found = outcomes(kb.ingest(folder))
    assert found["good.md"].outcome == "added"
    assert found["slow.c"].outcome == "failed"
    assert "loading.max_seconds" in (found["slow.c"].reason or "")


def test_thousands_of_tiny_files(base: RAG, folder: Path) -> None:
    for number in range(2000):
        (folder / f"{number:05}.txt").write_bytes(b"%d" % number)
    assert base.ingest(folder, dry_run=True).count("added") == 2001
    assert base.ingest(folder).count("added") == 2001
    assert base.ingest(folder).count("unchanged") == 2001


def test_the_memory_of_a_plan_does_not_grow_with_the_files() -> None:
    def offered(count: int) -> Iterator[Item]:
        return (Item(f"/docs/{n:07}", f"{n:07}", f"/docs/{n:07}", 1, "1-2-3", 1) for n in range(count))

    def known(count: int) -> Iterator[FileRecord]:
        return (FileRecord(f"/docs/{n:07}", "/docs", "1-2-3", 10**18, "abc", "x") for n in range(0, count, 3))

    def peak(count: int) -> int:
        tracemalloc.start()
        try:
            assert sum(1 for _ in plan(offered(count), known(count), Looking(lambda source, root: "x"))) == count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(10)
    assert peak(50_000) < peak(2_000) + 50_000
