"""Whatever bytes a file holds: a document that keeps the contract comes out, or an error of ours.

`benchmarks/fuzz_loaders.py` does the same for hours; what it has found is here.
"""

from __future__ import annotations

import random
import zipfile
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from rag.errors import DamagedFileError, LoadError
from rag.ingest.engine.workers import WorkerEngine
from rag.ingest.item import Item
from rag.ingest.load import SUPPORTED, read_item
from rag.ingest.load.code import read_code
from rag.ingest.load.html import read_html
from rag.ingest.load.mail import safe_name
from rag.ingest.load.text import decode, iso_date, read_markdown
from rag.ingest.prepare import Job, Recipe
from rag.ingest.reading import Reading
from rag.ingest.settings import ChunkingSettings, LoadingSettings
from rag.testing.loader import check_chunks, check_document
from tests.rag.ingest.load import office_files
from tests.rag.ingest.load.mutations import mutated
from tests.rag.ingest.load.seed_files import seeds
from tests.rag.ingest.load.test_hostile import with_part
from tests.rag.ingest.load.test_zip import archive

FOREIGN = (".pdf", ".docx", ".xlsx", ".odt", ".ods", ".epub", ".rtf", ".eml", ".msg", ".zip")
"""Read by native libraries, or holding what they read: a crash there must not end the tests."""
OURS = tuple(suffix for suffix in SUPPORTED if suffix not in FOREIGN)
QUICK = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)


def reading(folder: Path, suffix: str, data: bytes) -> Reading | None:
    """What comes out, proven; `None` for an error of ours."""
    path = folder / f"a{suffix}"
    path.write_bytes(data)
    try:
        found = read_item(Item(str(path), path.name, str(path), len(data), ""), LoadingSettings())
    except LoadError as error:
        str(error).encode()
        return None
    assert found is not None
    for document in found.documents:
        check_document(document)
    for problem in found.problems:
        f"{problem.name} {problem.reason}".encode()
    return found


@pytest.fixture(autouse=True)
def _outlook_can_be_read() -> None:
    pytest.importorskip("olefile")


@QUICK
@given(suffix=st.sampled_from(sorted(SUPPORTED)), data=st.binary(max_size=300))
def test_any_bytes(tmp_path: Path, suffix: str, data: bytes):
    reading(tmp_path, suffix, data)


@QUICK
@given(
    suffix=st.sampled_from(OURS),
    text=st.text(max_size=200),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "utf-7"]),
)
@example(suffix=".md", text="---\ntitle: \x00\n---\n", encoding="utf-8")
def test_any_text(tmp_path: Path, suffix: str, text: str, encoding: str):
    reading(tmp_path, suffix, text.encode(encoding, "surrogatepass" if encoding != "utf-7" else "replace"))


@QUICK
@given(suffix=st.sampled_from(OURS), seed=st.integers(0, 2**32))
def test_damaged_files(tmp_path: Path, suffix: str, seed: int):
    reading(tmp_path, suffix, mutated(random.Random(seed), suffix, seeds()[suffix]))


async def test_damaged_files_that_native_libraries_read(tmp_path: Path):
    chance = random.Random(11)
    jobs = []
    for number in range(250):
        suffix = FOREIGN[number % len(FOREIGN)]
        path = tmp_path / f"{number}{suffix}"
        path.write_bytes(mutated(chance, suffix, seeds()[suffix]))
        jobs.append(Job(Item(str(path), path.name, str(path), path.stat().st_size, "")))
    recipe = Recipe(LoadingSettings(max_seconds=30), ChunkingSettings(chunker="recursive", size=64, overlap=8))
    engine = WorkerEngine(recipe, 1)
    try:
        results = [prepared async for prepared in engine.prepared(iter(jobs))]
    finally:
        await engine.close()
    assert [each.item for each in results] == [job.item for job in jobs]
    assert not [each.error for each in results if (each.error or "").startswith("unexpected")]
    assert sum(bool(each.cuts) for each in results) > 50
    for each in results:
        assert each.error or each.cuts
        for cut in each.cuts:
            check_document(cut.document)
            check_chunks(cut.document, cut.chunks or ())


@pytest.mark.parametrize(
    ("data", "text", "dropped"),
    [
        (b"\xff\xfea\0b\0c", "ab", 1),  # half a character
        (b"\xfe\xff\0a\0b\0", "ab", 1),
        (b"\xff\xfe\0\0a\0\0\0\0\0\xff\xff", "a", 1),  # a code point that is none
        (b"\xff\xfea\0\0\xd8b\0", "ab", 1),  # half a pair
        (b"\xef\xbb\xbfa\xffb", "ab", 1),
    ],
)
def test_damage_behind_a_byte_order_mark_is_dropped_and_counted(data: bytes, text: str, dropped: int):
    assert decode(data, Path("a.txt")) == (text, dropped)


@pytest.mark.parametrize("charset", ["idna", "punycode", "unicode_escape", "undefined", "rot13", "a\0b", "no-such"])
def test_a_charset_in_which_no_file_is_written(charset: str):
    assert decode(b"caf\xe9 \\ud800 " * 9, Path("a.txt"), charset) == ("café \\ud800 " * 9, 0)


def test_days_that_are_none():
    assert [iso_date(day) for day in ("2024-05-99", "2024-25-06", "0000-01-01", "on 2024-02-29")] == [
        *[None] * 3,
        "2024-02-29",
    ]
    assert read_html(b'<meta name="date" content="2024-13-01"><p>Text', Path("a.html")).created is None


@pytest.mark.parametrize(
    ("data", "heading"),
    [
        (b"# " + b"[" * 50_000, "[" * 50_000),
        (b"# a" + b" " * 50_000 + b"b", "a b"),
        (b"# " + b"`" * 50_000, "`" * 50_000),
        (b"# " + b"*_" * 20_000 + b"a", "*_" * 20_000 + "a"),
        (b"# a " + b"#" * 50_000, "a"),
    ],
)
def test_headings_made_to_have_no_end(data: bytes, heading: str):
    found = read_markdown(b"---\ntitle: a" + b" " * 50_000 + b"b\n---\n" + data, Path("a.md"))
    assert [section.path for section in found.sections] == [(heading,)]


def test_captions_and_sheets_of_tags_that_never_end(tmp_path: Path):
    timed = b"WEBVTT\n\n00:00:01.000 --> 00:00:02.500\nHello "
    found = reading(tmp_path, ".vtt", timed + b"<b " * 60_000 + b"\n\n" + timed[8:] + b"<v a" + b" " * 60_000)
    assert found is not None
    rows = b"<table:table-row><table:table-cell " * 20_000
    parts = {"mimetype": "application/vnd.oasis.opendocument.spreadsheet", "content.xml": rows.decode()}
    assert reading(tmp_path, ".ods", office_files.pack(parts)) is None
    cells = {"xl/worksheets/sheet1.xml": "<c a " * 60_000}
    assert reading(tmp_path, ".xlsx", office_files.pack(cells)) is None


def test_tables_made_to_grow_with_the_square_of_their_length(tmp_path: Path):
    long_name = b"name " * 2000 + b",b\n" + b"x,y\n" * 2000
    wide_row = b"<table><tr>" + b"<td>a" * 2000 + b"</tr>" + b"<tr><td>x<td>y</tr>" * 2000 + b"</table>"
    for suffix, data in ((".csv", long_name), (".html", wide_row)):
        found = reading(tmp_path, suffix, data)
        assert found is not None
        assert len(found.documents[0].text) < 2 * len(data)


@pytest.mark.parametrize("unit", ["]", "<td>", "\x0ba", "a b ", "{ ", '"'])
@pytest.mark.parametrize("language", ["java", "c", "perl"])
def test_lines_that_nobody_wrote_keep_a_lexer_busy_no_longer_than_the_rest(language: str, unit: str):
    head, tail = "void first() {\n}\n", "\nvoid second() {\n}\n"
    text = head + "x" + unit * 30_000 + tail
    found = read_code(text.encode(), Path("a.x"), media_type=f"text/x-{language}")
    assert found.text == text
    assert all(text[section.start : section.end].strip() for section in found.sections)


def test_definitions_behind_a_line_that_nobody_wrote_keep_their_places():
    text = "class A:\n    x = '" + "a" * 5000 + "'\n\n    def f(self):\n        pass\n"
    found = read_code(text.encode(), Path("a.py"), media_type="text/x-python")
    assert [(each.path, text[each.start :].split("\n", maxsplit=1)[0]) for each in found.sections] == [
        (("A",), "class A:"),
        (("A", "f"), "    def f(self):"),
    ]


def test_an_archive_with_a_damaged_member_of_a_rare_method(tmp_path: Path):
    packed = bytearray(archive(("a.txt", "x" * 500), ("b.txt", "good"), method=zipfile.ZIP_LZMA))
    packed[44:50] = b"\xff" * 6
    found = reading(tmp_path, ".zip", bytes(packed))
    assert found is not None
    assert [document.name for document in found.documents] == ["a.zip!/b.txt"]
    assert found.problems[0].reason.startswith("it cannot be unpacked")


def test_slides_in_an_encoding_that_does_not_exist(tmp_path: Path):
    parts = office_files.pptx_parts()
    parts["ppt/presentation.xml"] = parts["ppt/presentation.xml"].replace("UTF-8", "UTF-2147483648")
    path = tmp_path / "a.pptx"
    path.write_bytes(office_files.pack(parts))
    with pytest.raises(DamagedFileError):
        read_item(Item(str(path), path.name, str(path), None, ""), LoadingSettings())


def test_a_message_inside_whose_parts_are_nested_without_end(tmp_path: Path):
    deep = b"".join(b'Content-Type: multipart/mixed; boundary="%d"\n\n--%d\n' % (n, n) for n in range(400))
    data = b'Subject: Outer\nContent-Type: multipart/mixed; boundary="x"\n\n--x\nContent-Type: text/plain\n\nText.\n'
    found = reading(
        tmp_path, ".eml", data + b"--x\nContent-Type: message/rfc822\n\nSubject: In\n" + deep + b"\n--x--\n"
    )
    assert found is not None
    assert [document.name for document in found.documents] == ["a.eml"]
    assert found.problems[0].name == "In.eml"


@pytest.mark.parametrize(
    ("suffix", "part"),
    [
        (".docx", "word/document.xml"),
        (".xlsx", "docProps/core.xml"),
        (".odt", "content.xml"),
        (".epub", "a.xhtml"),
        (".epub", "c.opf"),
    ],
)
def test_parts_nested_so_deeply_that_a_native_parser_crashes(tmp_path: Path, suffix: str, part: str):
    whole = seeds()[suffix][0]
    with zipfile.ZipFile(BytesIO(whole)) as package:
        text = package.read(part)
    at = text.rindex(b"</")
    deep = text[:at] + b"<a>" * 50_000 + b"</a>" * 50_000 + text[at:]
    path = tmp_path / f"a{suffix}"
    path.write_bytes(with_part(whole, part, deep))
    with pytest.raises(DamagedFileError, match="nested too deeply"):
        read_item(Item(str(path), path.name, str(path), None, ""), LoadingSettings())
    broad = text[:at] + b"<!-- " + b"<a>" * 5000 + b" -->" + b"<a></a><a/>" * 50_000 + text[at:]
    assert reading(tmp_path, suffix, with_part(whole, part, broad)) is not None


def test_a_cell_that_never_ends(tmp_path: Path):
    whole = seeds()[".ods"][0]
    with zipfile.ZipFile(BytesIO(whole)) as package:
        content = package.read("content.xml")
    broken = content.replace(b"</table:table>", b'<table:table-cell office:value-type="string">')
    assert reading(tmp_path, ".ods", whole) is not None
    assert reading(tmp_path, ".ods", with_part(whole, "content.xml", broken)) is None


def test_headers_of_a_mail_are_stored_without_what_cannot_be(tmp_path: Path):
    for word in (b"=?utf-8?Q?a=00b?=", b"=?unicode_escape?Q?a\\ud800b?=", b"=?idna?Q?a=FFb?=", b"=?utf-7?Q?a+2AA-b?="):
        found = reading(tmp_path, ".eml", b"Subject: " + word + b"\nTo: " + word + b" <a@b.c>\n\nText.")
        assert found is not None
    assert safe_name("a\ud800\0b.txt") == "ab.txt"
