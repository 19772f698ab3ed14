"""Files made to hang, to exhaust or to confuse a reader; each ends in a text or in a clear error."""

from __future__ import annotations

import unicodedata
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest

from rag.errors import DamagedFileError, LoadError
from rag.ingest.load import read_document
from rag.testing.loader import check_document
from tests.rag.ingest.load import office_files
from tests.rag.ingest.load.test_office import word


def load(folder: Path, name: str, data: bytes):
    (folder / name).write_bytes(data)
    document = read_document(folder / name, root=folder)
    check_document(document)
    return document


PAGES = {
    "scripts": b"<p>text</p><script>" + b"var a = '<p>hidden</p>';\n" * 50_000 + b"</script>",
    "an unclosed script": b"<p>text</p><script>" + b"var a = '</scrip>';\n" * 50_000,
    "nesting": b"<div>" * 100_000 + b"text",
    "tables in tables": b"<table><tr><td>" * 20_000 + b"text",
    "attributes": b"<p " + b"a=b " * 300_000 + b">text</p>",
    "a long attribute": b"<p a='" + b"x" * 5_000_000 + b"'>text</p>",
    "tags that never end": b"<p>text</p>" + b"<a " * 50_000,
    "comments that never end": b"<p>text</p>" + b"<!--" * 50_000,
    "quotes that never end": b"<p>text</p>" + b"<a b='>" * 20_000,
    "unknown sections": b"<p>text</p>" + b"<![if x]>" * 20_000 + b"<![CDATA[ > ]]>",
    "ampersands": b"<p>text</p>" + b"&" * 500_000,
}


@pytest.mark.parametrize("page", sorted(PAGES))
def test_pages_made_to_hang_a_parser(tmp_path: Path, page: str):
    document = load(tmp_path, "a.html", PAGES[page])
    assert "text" in document.text
    assert "hidden" not in document.text


def with_part(package: bytes, name: str, part: bytes) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(BytesIO(package)) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new:
        for each in old.namelist():
            new.writestr(each, part if each == name else old.read(each))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("suffix", "part"),
    [(".docx", "word/document.xml"), (".pptx", "ppt/slides/slide1.xml"), (".xlsx", "xl/worksheets/sheet1.xml")],
)
def test_entities_that_multiply(tmp_path: Path, suffix: str, part: str):
    pytest.importorskip("docx")
    make: dict[str, Callable[[], bytes]] = {
        ".docx": word,
        ".pptx": lambda: office_files.pack(office_files.pptx_parts()),
        ".xlsx": lambda: office_files.xlsx({"A": [["x"], [1]]}),
    }
    entities = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a0 "lol">{entities}]><x>&a9;</x>'
    try:
        document = load(tmp_path, f"a{suffix}", with_part(make[suffix](), part, bomb.encode()))
    except LoadError:
        return
    assert len(document.text) < 1000


@pytest.mark.parametrize("data", [b"[" * 100_000, b'{"a":' * 50_000, b"[" * 500 + b"]" * 500])
def test_json_nested_without_end(tmp_path: Path, data: bytes):
    with pytest.raises(DamagedFileError, match="nested too deeply"):
        load(tmp_path, "a.json", data)


def test_tables_of_one_endless_line(tmp_path: Path):
    assert load(tmp_path, "a.csv", b"a," * 500_000).text.count("a") == 500_000
    unparsed = load(tmp_path, "b.csv", b"a" * 1_000_000)
    assert (len(unparsed.text), unparsed.metadata["rows"]) == (1_000_000, "unparsed")


TEXTS = {
    "right to left": "שלום עולם, مرحبا بالعالم",
    "CJK": "退款需要三十天。返金には三十日かかります。",
    "combining": unicodedata.normalize("NFD", "Rückgabe é ñ ộ") + " क्षि 👩‍👩‍👧",
    "marks of direction": "a\u202eb\u202c \u2066c\u2069 \u200d \ufeff inside",
    "spaces": "a\u00a0b\u2003c\u3000d\u2028e",
}


@pytest.mark.parametrize("kind", sorted(TEXTS))
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_every_character_is_kept(tmp_path: Path, kind: str, encoding: str):
    document = load(tmp_path, "a.txt", TEXTS[kind].encode(encoding))
    assert (document.text, document.dropped) == (TEXTS[kind], 0)


def test_what_is_dropped_is_counted(tmp_path: Path):
    document = load(
        tmp_path, "a.txt", b"Refunds take\0 thirty\r\ndays.\rAll \xff of them \xc3\xa4." + b" More text." * 20
    )
    assert document.text.startswith("Refunds take thirty\ndays.\nAll  of them ä.")
    assert document.dropped == 2


def test_japanese_in_seven_bits(tmp_path: Path):
    text = "返金には三十日かかります。"
    assert load(tmp_path, "a.txt", text.encode("iso-2022-jp")).text == text
