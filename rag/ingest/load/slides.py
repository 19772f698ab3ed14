"""PowerPoint: a page per slide, its title as the heading, tables as rows, speaker notes at the end.

Read from the package's XML (ECMA-376, PresentationML); kreuzberg gives no text by slide.
"""

from __future__ import annotations

import io
import posixpath
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from rag.errors import DamagedFileError, EncryptedFileError
from rag.ingest.load.rows import table
from rag.ingest.load.text import iso_date
from rag.ingest.load.zip import DAMAGE
from rag.ingest.structure import Extracted, TextBuilder

_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_DC = "{http://purl.org/dc/elements/1.1/}"
_DCTERMS = "{http://purl.org/dc/terms/}"
_DAMAGE = (*DAMAGE, ElementTree.ParseError)
"""What reading a damaged package raises."""
_OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_MAX_PART_BYTES = 100_000_000
"""A part that unpacks to more is a bomb, not a slide."""


def read_slides(data: bytes, path: Path) -> Extracted:
    """A .pptx presentation. Raises `EncryptedFileError` or `DamagedFileError`."""
    if data.startswith(_OLE_MAGIC):
        raise EncryptedFileError(path, "it is protected by a password, or of an older format under this name")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            return _read(package)
    except _DAMAGE as error:
        raise DamagedFileError(path, "it is truncated or no PowerPoint file") from error


def _read(package: zipfile.ZipFile) -> Extracted:
    builder = TextBuilder()
    main = "ppt/presentation.xml"
    related = _related(package, main)
    for entry in _part(package, main).iter(f"{_P}sldId"):
        builder.page()
        slide = related[entry.attrib[f"{_R}id"]][1]
        _add_slide(builder, _part(package, slide))
        for kind, name in _related(package, slide).values():
            if kind == "notesSlide":
                _add_notes(builder, _part(package, name))
    text, pages, sections = builder.build()
    core = _part(package, "docProps/core.xml") if "docProps/core.xml" in package.namelist() else None
    return Extracted(
        text,
        pages=pages,
        sections=sections,
        title=(core.findtext(f"{_DC}title") or None) if core is not None else None,
        created=iso_date(core.findtext(f"{_DCTERMS}created")) if core is not None else None,
        dropped=builder.dropped,
    )


def _add_slide(builder: TextBuilder, slide: ElementTree.Element) -> None:
    shapes = list(slide.iter())
    for shape in shapes:
        if shape.tag == f"{_P}sp" and _placeholder(shape) in ("title", "ctrTitle"):
            builder.heading(1, " ".join(_paragraphs(shape)))
    for shape in shapes:
        if shape.tag == f"{_P}sp" and _placeholder(shape) not in ("title", "ctrTitle", "sldNum", "ftr", "dt"):
            for paragraph in _paragraphs(shape):
                builder.block(paragraph)
        elif shape.tag == f"{_A}tbl":
            rows = shape.iter(f"{_A}tr")
            builder.block(table([" ".join(_paragraphs(cell)) for cell in row.iter(f"{_A}tc")] for row in rows))


def _add_notes(builder: TextBuilder, notes: ElementTree.Element) -> None:
    for shape in notes.iter(f"{_P}sp"):
        if _placeholder(shape) == "body":
            paragraphs = "\n".join(_paragraphs(shape))
            builder.block(f"Notes: {paragraphs}" if paragraphs else "")


def _placeholder(shape: ElementTree.Element) -> str | None:
    """What the shape holds the place of: "title", "body", "sldNum" (the slide's number) …"""
    found = shape.find(f"{_P}nvSpPr/{_P}nvPr/{_P}ph")
    return None if found is None else found.get("type", "obj")


def _paragraphs(element: ElementTree.Element) -> Iterator[str]:
    for paragraph in element.iter(f"{_A}p"):
        pieces = (("\n" if node.tag == f"{_A}br" else node.text or "") for node in paragraph.iter() if _is_text(node))
        if text := "".join(pieces).strip():
            yield text


def _is_text(node: ElementTree.Element) -> bool:
    return node.tag in (f"{_A}t", f"{_A}br")


def _part(package: zipfile.ZipFile, name: str) -> ElementTree.Element:
    if package.getinfo(name).file_size > _MAX_PART_BYTES:
        raise ValueError(f"{name} unpacks to more than {_MAX_PART_BYTES} bytes")
    part = package.read(name)
    if b"<!DOCTYPE" in part or b"<!ENTITY" in part:  # Office writes none; bombs are made of them
        raise ValueError(f"{name} declares entities")
    return ElementTree.fromstring(part)  # noqa: S314 (the parser's known attacks all need the declarations refused above)


def _related(package: zipfile.ZipFile, part: str) -> dict[str, tuple[str, str]]:
    """Relationship id to (kind, part name) for what `part` points to inside the package."""
    folder, name = posixpath.split(part)
    relations = f"{folder}/_rels/{name}.rels"
    if relations not in package.namelist():
        return {}
    return {
        relation.attrib["Id"]: (
            relation.attrib["Type"].rsplit("/", 1)[-1],
            posixpath.normpath(posixpath.join(folder, relation.attrib["Target"])).lstrip("/"),
        )
        for relation in _part(package, relations)
        if relation.get("TargetMode") != "External"
    }
