"""Small office files made from their parts, for formats no test dependency writes."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
RELS = "http://schemas.openxmlformats.org/package/2006/relationships"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
A = "http://schemas.openxmlformats.org/drawingml/2006/main"
P = "http://schemas.openxmlformats.org/presentationml/2006/main"
SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"


def pack(parts: Mapping[str, str]) -> bytes:
    """A zip archive of `parts`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
        for name, text in parts.items():
            package.writestr(name, text)
    return buffer.getvalue()


def relations(*entries: tuple[str, str]) -> str:
    """A relationship part: (kind, target), ids rId1, rId2 …"""
    items = "".join(
        f'<Relationship Id="rId{n}" Type="{OFFICE}/{kind}" Target="{target}"/>'
        for n, (kind, target) in enumerate(entries, 1)
    )
    return f'{XML}<Relationships xmlns="{RELS}">{items}</Relationships>'


CORE = "http://schemas.openxmlformats.org/package/2006/relationships/metadata/core-properties"


def xlsx(sheets: Mapping[str, Sequence[Sequence[object]]], last_cell: str = "", created: str = "") -> bytes:
    """A workbook of inline strings and numbers; each sheet ends with a number in `last_cell`, if given."""
    parts = {
        "_rels/.rels": relations(("officeDocument", "xl/workbook.xml")),
        "xl/_rels/workbook.xml.rels": relations(
            *(("worksheet", f"worksheets/sheet{n}.xml") for n in range(1, len(sheets) + 1))
        ),
        "xl/workbook.xml": f'{XML}<workbook xmlns="{SHEET}" xmlns:r="{OFFICE}"><sheets>'
        + "".join(f'<sheet name="{name}" sheetId="{n}" r:id="rId{n}"/>' for n, name in enumerate(sheets, 1))
        + "</sheets></workbook>",
        "[Content_Types].xml": f'{XML}<Types xmlns="{TYPES}"><Default Extension="xml" ContentType="application/xml"/>'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/></Types>',
    }
    if created:
        core = f'<Relationship Id="core" Type="{CORE}" Target="docProps/core.xml"/></Relationships>'
        parts["_rels/.rels"] = parts["_rels/.rels"].replace("</Relationships>", core)
        parts["docProps/core.xml"] = (
            f'{XML}<cp:coreProperties xmlns:cp="{CORE.replace("/relationships", "", 1)}" '
            f'xmlns:dcterms="http://purl.org/dc/terms/"><dcterms:created>{created}T07:08:09Z</dcterms:created>'
            "</cp:coreProperties>"
        )
    for number, rows in enumerate(sheets.values(), 1):
        body = "".join(
            f'<row r="{r}">' + "".join(_cell(f"{chr(65 + c)}{r}", value) for c, value in enumerate(row)) + "</row>"
            for r, row in enumerate(rows, 1)
        )
        if last_cell:
            row = last_cell.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
            body += f'<row r="{row}"><c r="{last_cell}"><v>1</v></c></row>'
        parts[f"xl/worksheets/sheet{number}.xml"] = (
            f'{XML}<worksheet xmlns="{SHEET}"><sheetData>{body}</sheetData></worksheet>'
        )
    return pack(parts)


def _cell(reference: str, value: object) -> str:
    if isinstance(value, int | float):
        return f'<c r="{reference}"><v>{value}</v></c>'
    return f'<c r="{reference}" t="inlineStr"><is><t>{escape(str(value))}</t></is></c>'


def _shape(kind: str | None, *paragraphs: str) -> str:
    place = f'<p:nvPr><p:ph type="{kind}"/></p:nvPr>' if kind else "<p:nvPr/>"
    text = "".join(f"<a:p><a:r><a:t>{escape(paragraph)}</a:t></a:r></a:p>" for paragraph in paragraphs)
    return f"<p:sp><p:nvSpPr>{place}</p:nvSpPr><p:txBody>{text}</p:txBody></p:sp>"


def _tree(root: str, shapes: str) -> str:
    return f'{XML}<p:{root} xmlns:p="{P}" xmlns:a="{A}"><p:cSld><p:spTree>{shapes}</p:spTree></p:cSld></p:{root}>'


def pptx_parts() -> dict[str, str]:
    """Three slides: a title with text and notes, nothing but a slide number, a table."""
    table = "".join(
        "<a:tr>"
        + "".join(f"<a:tc><a:txBody><a:p><a:r><a:t>{c}</a:t></a:r></a:p></a:txBody></a:tc>" for c in row)
        + "</a:tr>"
        for row in (("Item", "Days"), ("Shoes", "30"))
    )
    order = "".join(f'<p:sldId id="{n}" r:id="rId{n}"/>' for n in (2, 1, 3))  # slide2.xml is shown first
    return {
        "ppt/presentation.xml": f'{XML}<p:presentation xmlns:p="{P}" xmlns:r="{OFFICE}">'
        f"<p:sldIdLst>{order}</p:sldIdLst></p:presentation>",
        "ppt/_rels/presentation.xml.rels": relations(*(("slide", f"slides/slide{n}.xml") for n in (1, 2, 3))),
        "ppt/slides/slide1.xml": _tree("sld", _shape("sldNum", "2")),
        "ppt/slides/slide2.xml": _tree(
            "sld", _shape(None, "Thirty days.", "From delivery & on.") + _shape("title", "Refunds")
        ),
        "ppt/slides/_rels/slide2.xml.rels": relations(("notesSlide", "../notesSlides/notesSlide1.xml")),
        "ppt/notesSlides/notesSlide1.xml": _tree("notes", _shape("body", "Say it slowly.") + _shape("sldNum", "1")),
        "ppt/slides/slide3.xml": _tree(
            "sld", f"{_shape('ctrTitle', 'Items')}<p:graphicFrame><a:tbl>{table}</a:tbl></p:graphicFrame>"
        ),
        "docProps/core.xml": f'{XML}<cp:coreProperties xmlns:cp="x" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        'xmlns:dcterms="http://purl.org/dc/terms/"><dc:title>Deck</dc:title>'
        "<dcterms:created>2024-05-06T07:08:09Z</dcterms:created></cp:coreProperties>",
    }


OASIS = "urn:oasis:names:tc:opendocument:xmlns"


def epub(date: str = "") -> bytes:
    """Two chapters."""
    dated = f"<dc:date>{date}</dc:date>" if date else ""
    chapter = "<h1>{0}</h1><p>Text of <b>{0}</b>.</p><h2>Part</h2><p>More.</p>"
    page = f'<html xmlns="http://www.w3.org/1999/xhtml"><body>{chapter}</body></html>'
    return pack(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": f'{XML}<container version="1.0" xmlns="{OASIS}:container"><rootfiles>'
            '<rootfile full-path="c.opf" media-type="application/oebps-package+xml"/></rootfiles></container>',
            "c.opf": f'{XML}<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="i">'
            '<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>Book</dc:title>'
            f'{dated}<dc:language>en</dc:language><dc:identifier id="i">x</dc:identifier></metadata><manifest>'
            '<item id="a" href="a.xhtml" media-type="application/xhtml+xml"/>'
            '<item id="b" href="b.xhtml" media-type="application/xhtml+xml"/></manifest>'
            '<spine><itemref idref="a"/><itemref idref="b"/></spine></package>',
            "a.xhtml": page.format("One"),
            "b.xhtml": page.format("Two"),
        }
    )


def ods() -> bytes:
    """A sheet with a header and a row."""
    rows = "".join(
        "<table:table-row>"
        + "".join(
            f'<table:table-cell office:value-type="string"><text:p>{cell}</text:p></table:table-cell>' for cell in row
        )
        + "</table:table-row>"
        for row in (("Item", "Days"), ("Shoes", "30"))
    )
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    return pack(
        {
            "mimetype": kind,
            "content.xml": f'{XML}<office:document-content xmlns:office="{OASIS}:office:1.0" '
            f'xmlns:text="{OASIS}:text:1.0" xmlns:table="{OASIS}:table:1.0"><office:body><office:spreadsheet>'
            f'<table:table table:name="Prices">{rows}</table:table></office:spreadsheet></office:body>'
            "</office:document-content>",
            "META-INF/manifest.xml": f'{XML}<manifest:manifest xmlns:manifest="{OASIS}:manifest:1.0">'
            f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{kind}"/></manifest:manifest>',
        }
    )


def odt(created: str = "") -> bytes:
    """A heading, a paragraph, a subheading, a paragraph."""
    meta = (
        f'{XML}<office:document-meta xmlns:office="{OASIS}:office:1.0" xmlns:meta="{OASIS}:meta:1.0"><office:meta>'
        f"<meta:creation-date>{created}T03:04:05</meta:creation-date></office:meta></office:document-meta>"
    )
    return pack(
        ({"meta.xml": meta} if created else {})
        | {
            "mimetype": "application/vnd.oasis.opendocument.text",
            "content.xml": f'{XML}<office:document-content xmlns:office="{OASIS}:office:1.0" '
            f'xmlns:text="{OASIS}:text:1.0"><office:body><office:text>'
            '<text:h text:outline-level="1">Policy</text:h><text:p>Refunds take thirty days.</text:p>'
            '<text:h text:outline-level="2">Food</text:h><text:p>None.</text:p>'
            "</office:text></office:body></office:document-content>",
        }
    )
