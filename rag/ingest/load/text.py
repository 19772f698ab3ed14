"""Plain text and Markdown: bytes to text as written, and Markdown's headings as offsets.

Encodings: a byte order mark decides; else UTF-16 where every other byte is null; else ISO-2022-JP where its escapes
are; else UTF-8; else what is declared; else, unless most of the file is good UTF-8, an older encoding (see
`rag.ingest.load.encoding`). What cannot be kept is counted. Line breaks become "\\n".
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from rag.errors import DamagedFileError
from rag.ingest.load.encoding import older_encoding
from rag.ingest.structure import Extracted, Heading, clean, sections_from

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_NO_CHARSETS = frozenset(["idna", "punycode", "raw_unicode_escape", "undefined", "unicode_escape"])
"""What Python decodes too, and no file is written in; some take time that grows with the square of the length."""
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1b")) + b"\x7f"
_MAX_CONTROLS = 0.02
_JAPANESE_SHIFT = b"\x1b$B"
_SAMPLE = 1 << 16

_LINE = re.compile(r"[^\n]*\n?")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})([^\n]*)")
_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*))?$")
_SETEXT = re.compile(r" {0,3}(=+|-{2,})[ \t]*$")
_NO_SETEXT = re.compile(r"\s*(?:[-*+>|]|\d+[.)]\s|#|$)|.*\|| {4}")
_MARKUP = re.compile(r"!?\[([^\]]{0,300})\]\([^)]{0,300}\)|(\*{1,3}|_{2,3}|`{1,4})(?=\S)(.{1,300}?)(?<=\S)\2")
_MAX_TITLE = 500
"""Longer headings keep their markup: what is made to have no end must not take forever."""
_FRONT_MATTER = re.compile(r"---\n(.*?\n)?(?:---|\.\.\.)[ \t]*(?:\n|$)", re.DOTALL)
_FRONT_FIELD = re.compile(r"^(title|date|lang|language):(.+)$", re.MULTILINE | re.IGNORECASE)
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def read_text(data: bytes, path: Path) -> Extracted:
    """Plain text as it is written."""
    text, dropped = decode(data, path)
    return Extracted(text, dropped=dropped)


def read_markdown(data: bytes, path: Path) -> Extracted:
    """Markdown as it is written; headings (# and underlined, outside code) make the sections."""
    text, dropped = decode(data, path)
    front = _FRONT_MATTER.match(text)
    found = _FRONT_FIELD.findall(front.group()) if front else []
    fields = {key.lower(): value.strip(" \t").strip("\"'") for key, value in found}
    headings = list(markdown_headings(text, front.end() if front else 0))
    top = next((heading.title for heading in headings if heading.level == 1), None)
    return Extracted(
        text,
        sections=sections_from(headings, len(text)),
        title=fields.get("title") or top,
        language=fields.get("lang") or fields.get("language"),
        created=iso_date(fields.get("date")),
        dropped=dropped,
    )


def markdown_headings(text: str, start: int = 0) -> Iterator[Heading]:
    """The headings of Markdown `text` from `start` on, in order (CommonMark's ATX and setext headings)."""
    fence = ""
    previous, previous_offset = "", start
    for match in _LINE.finditer(text, start):
        line = match.group().rstrip("\n")
        if fence:
            if closing := _FENCE.match(line):
                mark, rest = closing.groups()
                if mark.startswith(fence) and not rest.strip():
                    fence = ""
            continue
        if opening := _FENCE.match(line):
            fence, previous = opening.group(1), ""
        elif atx := _ATX.match(line):
            if title := _plain(_unclosed(atx.group(2) or "")):
                yield Heading(len(atx.group(1)), title, match.start())
            previous = ""
        elif previous and (underline := _SETEXT.match(line)):
            yield Heading(1 if underline.group(1)[0] == "=" else 2, _plain(previous), previous_offset)
            previous = ""
        else:
            previous, previous_offset = ("" if _NO_SETEXT.match(line) else line), match.start()


def decode(data: bytes, path: Path, declared: str | None = None) -> tuple[str, int]:
    """Text and the number of characters that could not be kept; `declared` is tried where no mark decides.

    Raises `DamagedFileError` for what is no text.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _decode_marked(data[len(mark) :], encoding)
    wide = _wide_encoding(data)
    if wide is None and _is_binary(data):
        raise DamagedFileError(path, "it is not text, whatever its name says")
    for encoding in filter(None, (wide, _shifting_encoding(data, declared), "utf-8", declared)):
        if encoding.lower().replace("-", "_") in _NO_CHARSETS:
            continue
        try:
            return clean(data.decode(encoding))
        except (ValueError, LookupError):  # of a name with null bytes it says ValueError
            continue
    return _decode_broken(data)


def iso_date(value: str | None) -> str | None:
    """The ISO 8601 date that `value` holds, if it holds one that exists."""
    found = _ISO_DATE.search(value or "")
    try:
        return date.fromisoformat(found.group()).isoformat() if found else None
    except ValueError:
        return None


def _wide_encoding(data: bytes) -> str | None:
    """UTF-16 without a mark shows as null bytes in every other place of Western text."""
    sample = data[:_SAMPLE]
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    half = len(sample) // 2
    if half and max(even, odd) > 0.4 * half and min(even, odd) < 0.05 * half:
        return "utf-16-be" if even > odd else "utf-16-le"
    return None


def _shifting_encoding(data: bytes, declared: str | None) -> str | None:
    """An encoding in seven bits that switches alphabets, which would pass for ASCII."""
    if declared and declared.lower().startswith(("iso-2022-", "hz", "utf-7")):
        return declared
    return "iso-2022-jp" if _JAPANESE_SHIFT in data[:_SAMPLE] else None


def _is_binary(data: bytes) -> bool:
    sample = data[:_SAMPLE]
    return len(sample) - len(sample.translate(None, _CONTROLS)) > max(_MAX_CONTROLS * len(sample), 2)


def _decode_marked(data: bytes, encoding: str) -> tuple[str, int]:
    """What follows a byte order mark, with whatever damage there is."""
    try:
        return clean(data.decode(encoding, "strict" if encoding == "utf-8" else "surrogatepass"))
    except UnicodeDecodeError:
        return _lossy(data, encoding)


def _lossy(data: bytes, encoding: str) -> tuple[str, int]:
    found = data.decode(encoding, "replace")
    text, dropped = clean(found.replace("\ufffd", ""))
    return text, dropped + found.count("\ufffd")


def _decode_broken(data: bytes) -> tuple[str, int]:
    """UTF-8 with damage where good sequences outnumber bad bytes, else an older encoding."""
    bad = data.decode("utf-8", "replace").count("\ufffd")
    good = sum(byte >= 0xC2 for byte in data) - bad
    return _lossy(data, "utf-8" if good >= bad else older_encoding(data))


def _unclosed(title: str) -> str:
    """A heading without the marks that close it."""
    title = title.strip(" \t")
    bare = title.rstrip("#")
    return bare if not bare or bare[-1] in " \t" else title


def _plain(title: str) -> str:
    """A heading without links and emphasis."""
    if len(title) > _MAX_TITLE:
        return " ".join(title.split())
    return " ".join(_MARKUP.sub(lambda m: m.group(1) or m.group(3) or "", title).split())
