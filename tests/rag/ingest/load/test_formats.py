"""One contract for all formats: a real small file of every suffix is read, cut and described."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from email.message import EmailMessage
from hashlib import sha256
from pathlib import Path

import pytest

from rag.errors import EmptyFileError, LoadError
from rag.ingest.chunk.build import build_splitter
from rag.ingest.item import Item
from rag.ingest.load import SUPPORTED, read_item
from rag.ingest.load.formats import CODE, CONTAINERS, sniff, suffix_of
from rag.ingest.metadata import chunk_metadata
from rag.ingest.reading import Reading
from rag.ingest.settings import ChunkingSettings, LoadingSettings
from rag.ingest.structure import heading_path
from rag.testing.loader import check_chunks, check_document
from rag.types import Chunk, Document
from tests.rag.ingest.load import office_files
from tests.rag.ingest.load.msg_files import Attached, compound, msg
from tests.rag.ingest.load.test_zip import archive

SENTENCE = "Refunds take thirty days and the money is paid to the same account."
CAPTIONS = f"1\n00:00:01,000 --> 00:00:04,000\n{SENTENCE}\n"
NOTEBOOK = {
    "cells": [
        {"cell_type": "markdown", "source": ["# Policy\n", "\n", SENTENCE]},
        {
            "cell_type": "code",
            "source": "print(30)",
            "outputs": [{"output_type": "stream", "text": ["30\n"]}],
        },
    ],
    "metadata": {"language_info": {"name": "python"}},
    "nbformat": 4,
}
TEXTS = {
    ".csv": f"item,text\nshoes,{SENTENCE}\n",
    ".html": f"<html lang='en'><h1>Policy</h1><p>{SENTENCE}</p></html>",
    ".ipynb": json.dumps(NOTEBOOK),
    ".json": json.dumps({"Policy": {"text": SENTENCE}}),
    ".jsonl": json.dumps({"text": SENTENCE}),
    ".md": f"# Policy\n\n{SENTENCE}\n",
    ".rst": f"Policy\n======\n\n{SENTENCE}\n",
    ".rtf": rf"{{\rtf1\ansi{{\info{{\creatim\yr2024\mo5\dy6}}}}\pard {SENTENCE}\par}}",
    ".srt": CAPTIONS,
    ".tex": f"\\section{{Policy}}\n{SENTENCE}\n",
    ".tsv": f"item\ttext\nshoes\t{SENTENCE}\n",
    ".vtt": f"WEBVTT\n\n{CAPTIONS.replace(',', '.')}",
}
for alias, suffix in {".htm": ".html", ".xhtml": ".html", ".markdown": ".md", ".ndjson": ".jsonl"}.items():
    TEXTS[alias] = TEXTS[suffix]
SECTIONED = {".docx", ".pptx", ".xlsx", ".odt", ".ods", ".epub", ".html", ".md", ".rst", ".tex", ".json", ".ipynb"}
DATED = {".docx", ".pptx", ".xlsx", ".odt", ".epub", ".rtf", ".eml", ".msg", ".pdf"}
PAGED = {".pdf", ".pptx"}


def sample(suffix: str) -> bytes:
    """A real small file of the format."""
    if suffix in TEXTS:
        return TEXTS[suffix].encode()
    if suffix == ".pdf":
        made = pytest.importorskip("fpdf").FPDF()
        made.add_page()
        made.set_font("helvetica", size=12)
        made.multi_cell(0, text=SENTENCE)
        return bytes(made.output())
    if suffix == ".docx":
        word = pytest.importorskip("docx").Document()
        word.add_heading("Policy", 1)
        word.add_paragraph(SENTENCE)
        buffer = io.BytesIO()
        word.save(buffer)
        return buffer.getvalue()
    if suffix == ".eml":
        mail = EmailMessage()
        mail["Subject"], mail["Date"] = "Policy", "Mon, 06 May 2024 10:00:00 +0000"
        mail.set_content(SENTENCE)
        return bytes(mail)
    if suffix == ".msg":
        pytest.importorskip("olefile")
        return compound(msg("Policy", SENTENCE, [Attached("a.txt", SENTENCE.encode())]))
    if suffix == ".zip":
        return archive(("a.txt", SENTENCE))
    made_of_parts: dict[str, Callable[[], bytes]] = {
        ".pptx": lambda: office_files.pack(office_files.pptx_parts()),
        ".xlsx": lambda: office_files.xlsx({"Prices": [["Item", "Text"], ["Shoes", SENTENCE]]}, created="2024-05-06"),
        ".odt": lambda: office_files.odt(created="2024-05-06"),
        ".ods": office_files.ods,
        ".epub": lambda: office_files.epub(date="2024-05-06"),
    }
    if suffix in made_of_parts:
        return made_of_parts[suffix]()
    return f"{SENTENCE}\n".encode()  # plain text, and comments enough for any language


def read(folder: Path, name: str, data: bytes) -> Reading:
    path = folder / name
    path.write_bytes(data)
    found = read_item(Item(f"/docs/{name}", name, str(path), len(data), ""), LoadingSettings())
    assert found is not None
    return found


def chunks_of(document: Document) -> Sequence[Chunk]:
    splitter = build_splitter(ChunkingSettings(size=16, overlap=0))
    assert splitter is not None
    return splitter.split(document)


@pytest.mark.parametrize("suffix", sorted(SUPPORTED))
def test_every_format_keeps_the_contract(tmp_path: Path, suffix: str):
    data = sample(suffix)
    found = read(tmp_path, f"a{suffix}", data)
    assert found.hash == sha256(data).hexdigest()
    assert found.problems == ()
    for document in found.documents:
        check_document(document)
        check_chunks(document, chunks_of(document))
        assert document.metadata["modified"]
        assert document.dropped == 0
    document = found.documents[0]
    is_member = suffix == ".zip"
    assert document.media_type == SUPPORTED[".txt" if is_member else suffix]
    assert document.hash == (sha256(SENTENCE.encode()).hexdigest() if is_member else found.hash)
    assert document.source == f"/docs/a{suffix}" + ("!/a.txt" if is_member else "")
    assert suffix in {".pptx", ".odt", ".ods", ".epub"} or " ".join(SENTENCE.split()) in " ".join(document.text.split())
    assert suffix in {".pptx", ".odt", ".ods", ".epub"} or document.language == "en"
    assert bool(document.pages) == (suffix in PAGED)
    assert suffix not in SECTIONED or document.sections
    assert (document.created is not None) == (suffix in DATED), document.created


@pytest.mark.parametrize("suffix", sorted(SUPPORTED))
def test_every_format_refuses_nothing_and_noise_in_words(tmp_path: Path, suffix: str):
    with pytest.raises(EmptyFileError):
        read(tmp_path, f"a{suffix}", b"")
    noise = bytes((number * 7919 + number // 3) % 256 for number in range(4000))
    with pytest.raises(LoadError, match=rf"a\{suffix}"):
        read(tmp_path, f"a{suffix}", noise)


def test_a_known_hash_and_a_given_document_are_not_read(tmp_path: Path):
    document = read(tmp_path, "a.txt", SENTENCE.encode()).documents[0]
    item = Item("/docs/a.txt", "a.txt", str(tmp_path / "a.txt"), None, "")
    assert read_item(item, LoadingSettings(), known_hash=document.hash) is None
    given = Item("given", "given", "", None, "", document=document)
    found = read_item(given, LoadingSettings())
    assert found is not None
    assert found.documents == (document,)


def test_what_a_chunk_knows(tmp_path: Path):
    document = read(tmp_path, "a.md", b"# Refunds\n\n## Window\n\nThirty days for all that is not food.\n").documents[0]
    chunk = chunks_of(document)[-1]
    facts = chunk_metadata(document, chunk)
    assert facts == {
        "modified": document.metadata["modified"],
        "title": "Refunds",
        "source_document": "a.md",
        "source": "/docs/a.md",
        "document_id": document.id,
        "section_heading": heading_path(document, chunk.start),
        "date_created": str(document.metadata["modified"])[:10],
        "date_from": "file",
        "start": chunk.start,
        "end": chunk.end,
        "hash": document.hash,
        "media_type": "text/markdown",
        "language": "en",
    }


def test_addresses_have_the_suffix_of_their_path():
    assert suffix_of("https://example.org/a/Policy.PDF?x=1.html#y") == ".pdf"
    assert suffix_of("https://example.org/policy") == ""
    assert suffix_of("a.b/c") == ""
    assert sniff(b"\xef\xbb\xbf\n<!DOCTYPE HTML><p>x") == "text/html"
    assert sniff(b"%PDF-1.7") == "application/pdf"
    assert sniff(b"plain") == "text/plain"


def test_every_language_of_the_table_has_a_lexer():
    lexers = pytest.importorskip("pygments.lexers")
    for language in set(CODE.values()):
        assert lexers.get_lexer_by_name(language)
    assert set(SUPPORTED.values()) >= CONTAINERS
