import io
import struct
import zipfile
from pathlib import Path

import pytest

from rag.errors import DamagedFileError, EmptyFileError, OverLimitError
from rag.ingest.item import Item
from rag.ingest.load import read_item
from rag.ingest.reading import Problem, Reading
from rag.ingest.settings import LoadingSettings
from rag.testing.loader import check_document
from tests.rag.ingest.load import office_files


def archive(*members: tuple[str, bytes | str], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as made:
        for name, data in members:
            made.writestr(name, data)
    return buffer.getvalue()


def read(folder: Path, name: str, data: bytes, **limits: int) -> Reading:
    path = folder / name
    path.write_bytes(data)
    found = read_item(Item(f"/docs/{name}", name, str(path), len(data), ""), LoadingSettings.model_validate(limits))
    assert found is not None
    for document in found.documents:
        check_document(document)
    return found


def test_each_file_inside_is_a_document(tmp_path: Path):
    inner = archive(("deep/notes.txt", "Refunds take thirty days."))
    found = read(tmp_path, "a.zip", archive(("2024/a.md", "# Refunds\n\nThirty days."), ("b.zip", inner)))
    assert [document.name for document in found.documents] == ["a.zip!/2024/a.md", "a.zip!/b.zip!/deep/notes.txt"]
    assert found.documents[1].source == "/docs/a.zip!/b.zip!/deep/notes.txt"
    assert len({document.id for document in found.documents}) == 2
    assert found.documents[0].sections[0].path == ("Refunds",)
    assert found.problems == ()


def test_what_cannot_be_read_is_a_problem_and_stops_nothing(tmp_path: Path):
    members = [
        ("good.txt", "Refunds take thirty days."),
        ("../evil.txt", "x"),
        ("/etc/evil.txt", "x"),
        ("C:\\evil.txt", "x"),
        ("photo.png", "x"),
        ("broken.docx", "x"),
        ("empty.txt", ""),
        (".hidden.txt", "x"),
        ("__MACOSX/good.txt", "x"),
    ]
    found = read(tmp_path, "a.zip", archive(*members))
    assert [document.name for document in found.documents] == ["a.zip!/good.txt"]
    assert {problem.name for problem in found.problems} == {
        "../evil.txt",
        "/etc/evil.txt",
        "C:/evil.txt",
        "photo.png",
        "broken.docx",
        "empty.txt",
    }


def test_of_two_files_of_one_name_the_first_is_read(tmp_path: Path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        twice = archive(("a.txt", "first"), ("a.txt", "second"))
    found = read(tmp_path, "a.zip", twice)
    assert [document.text for document in found.documents] == ["first"]
    assert found.problems == (Problem("a.txt", "a second file of this name; the first was read"),)


def test_encrypted_linked_and_damaged_members(tmp_path: Path):
    link = zipfile.ZipInfo("link.txt")
    link.external_attr = 0o120777 << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        made.writestr("good.txt", "good text")
        made.writestr(link, "/etc/passwd")
        made.writestr("locked.txt", "locked text")
        made.writestr("damaged.txt", "damaged text")
    data = bytearray(buffer.getvalue())
    data[data.index(b"damaged text")] ^= 1  # its checksum is wrong now
    entry = data.rindex(b"locked.txt") - 46
    data[entry + 8] |= 1  # the flag for a password
    found = read(tmp_path, "a.zip", bytes(data))
    assert [document.text for document in found.documents] == ["good text"]
    reasons = {problem.name: problem.reason for problem in found.problems}
    assert "link" in reasons["link.txt"]
    assert "password" in reasons["locked.txt"]
    assert "cannot be unpacked" in reasons["damaged.txt"]


def test_names_in_utf_8_without_the_flag(tmp_path: Path):
    data = archive(("r\u00fcckgabe.txt", "text"))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.index(signature) + offset
        data = data[:at] + struct.pack("<H", 0) + data[at + 2 :]
    assert read(tmp_path, "a.zip", data).documents[0].name == "a.zip!/r\u00fcckgabe.txt"


def test_flat_bombs_end_at_the_limit(tmp_path: Path):
    zeros = bytes(3_000_000)
    with pytest.raises(OverLimitError, match=r"more than 5 MB.*loading\.max_unpacked_bytes"):
        read(tmp_path, "a.zip", archive(*((f"{n}.txt", zeros) for n in range(4))), max_unpacked_bytes=5_000_000)


def test_a_size_that_lies_is_counted_all_the_same(tmp_path: Path):
    data = archive(("a.txt", b"x" * 3_000_000))
    true = struct.pack("<I", 3_000_000)
    assert data.count(true) == 2
    found = data.replace(true, struct.pack("<I", 10))
    with pytest.raises((OverLimitError, DamagedFileError)):
        read(tmp_path, "a.zip", found, max_unpacked_bytes=1_000_000)


def test_nested_bombs_end_at_the_limit_and_at_the_depth(tmp_path: Path):
    bomb = archive(("zeros.txt", bytes(2_000_000)))
    for _ in range(2):
        bomb = archive(*((f"{n}.zip", bomb) for n in range(4)))
    with pytest.raises(OverLimitError):
        read(tmp_path, "a.zip", bomb, max_unpacked_bytes=4_000_000)
    deep = archive(("a.txt", "text"))
    for _ in range(5):
        deep = archive(("in.zip", deep))
    with pytest.raises(DamagedFileError, match=r"nested more than 3 deep.*loading\.max_depth"):
        read(tmp_path, "b.zip", deep)
    assert read(tmp_path, "b.zip", deep, max_depth=5).documents


def test_overlapping_members_are_counted_each(tmp_path: Path):
    """One compressed stream, named by many entries of the table (Fifield's construction, without the quoting)."""
    single = archive(("0.txt", b"x" * 1_000_000))
    table, end = single.index(b"PK\x01\x02"), single.index(b"PK\x05\x06")
    entry = single[table:end]
    entries = b"".join(entry.replace(b"0.txt", f"{n}.txt".encode()) for n in range(9))
    tail = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 9, 9, len(entries), table, 0)
    try:
        found = read(tmp_path, "a.zip", single[:table] + entries + tail, max_unpacked_bytes=3_000_000)
    except OverLimitError:
        return
    assert len(found.problems) == 8, "interpreters that refuse overlaps themselves"


def test_too_many_files_are_refused_before_any_is_read(tmp_path: Path):
    data = archive(*((f"{n}.txt", "text") for n in range(30)))
    with pytest.raises(OverLimitError, match=r"more than 20 files.*loading\.max_members"):
        read(tmp_path, "a.zip", data, max_members=20)


def test_archives_without_anything_to_read(tmp_path: Path):
    with pytest.raises(EmptyFileError, match="no file in it"):
        read(tmp_path, "a.zip", archive())
    with pytest.raises(DamagedFileError, match=r"none of the 1 files.*photo\.png"):
        read(tmp_path, "a.zip", archive(("photo.png", "x")))
    for data in (b"PK\x03\x04", b"no archive", archive(("a.txt", "text"))[:60]):
        with pytest.raises(DamagedFileError, match="ZIP archive"):
            read(tmp_path, "a.zip", data)


def test_an_office_file_that_unpacks_too_far(tmp_path: Path):
    parts = office_files.pptx_parts() | {"ppt/media/zeros.bin": "0" * 3_000_000}
    with pytest.raises(OverLimitError, match=r"loading\.max_unpacked_bytes"):
        read(tmp_path, "a.pptx", office_files.pack(parts), max_unpacked_bytes=1_000_000)


def test_a_sheet_that_spans_billions_of_cells(tmp_path: Path):
    sheet = office_files.xlsx({"A": [["x", "y"], [1, 2]]}, last_cell="XFD20000")
    with pytest.raises(OverLimitError, match=r"spans 327,\d+,\d+ cells"):
        read(tmp_path, "a.xlsx", sheet)
